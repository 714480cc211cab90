// `?` lists the keys that work on this page, read from the page itself at that moment.
const dialog = document.getElementById("keys-help");

function words(element) {
  if (element.dataset.keyWords) return element.dataset.keyWords;
  const copy = element.cloneNode(true);
  for (const extra of copy.querySelectorAll("kbd, svg, .avatar, [hidden]")) extra.remove();
  return copy.getAttribute("aria-label") ?? copy.textContent.trim();
}

function works(element) {
  return !element.disabled && !element.closest("[hidden]");
}

function found() {
  const has = (selector) => document.querySelector(selector) !== null;
  const lines = [["?", "This list"], ["ctrl k", "Search and commands, also in fields"]];
  const list = has("[data-key-list] [data-key-item], [data-key-list][data-key-item]");
  if (list) lines.push(["j", "Next in the list"], ["k", "Previous in the list"]);
  if (list && has("[data-key-item] [data-key-open]")) lines.push(["↵", "Open it"]);
  if (has("[data-select]")) lines.push(["x", "Select it"], ["shift j", "Select on the way down"], ["shift k", "and up"]);
  for (const one of [...document.querySelectorAll("[data-key], [data-key-focus]")].filter(works))
    lines.push([one.dataset.key ?? one.dataset.keyFocus, words(one)]);
  if (has("[data-dialog-form]")) lines.push(["ctrl ↵", "Send the form of a dialog"]);
  for (const link of document.querySelectorAll("#nav [data-go]"))
    for (const key of link.dataset.go.split(" ")) lines.push([`g ${key}`, link.title]);
  return lines.concat([["esc", "Close"]]);
}

function fill() {
  const lines = new Map();
  for (const [keys, text] of found()) if (!lines.has(keys)) lines.set(keys, text);
  const place = dialog.querySelector("dl");
  place.replaceChildren();
  for (const [keys, text] of lines) {
    const [term, sentence] = [document.createElement("dt"), document.createElement("dd")];
    for (const key of keys.split(" ")) {
      const cap = document.createElement("kbd");
      cap.textContent = key;
      term.append(cap, " ");
    }
    sentence.textContent = text;
    place.append(term, sentence);
  }
}

if (dialog) new MutationObserver(() => dialog.open && fill()).observe(dialog, { attributeFilter: ["open"] });
