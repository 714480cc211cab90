// What was opened from the palette lately: of this person in this tenant, until the tab is closed or
// the person signs out.
const KEY = "awf:opened";
const MOST = 5;
const palette = document.querySelector("[data-palette]");

function lines() {
  try {
    const kept = JSON.parse(sessionStorage.getItem(KEY));
    return kept.who === palette.dataset.palette ? kept.lines : [];
  } catch {
    return [];
  }
}

export function remember(link) {
  const line = [link.getAttribute("href"), link.querySelector("span").textContent];
  const others = lines().filter(([href]) => href !== line[0]);
  const kept = { who: palette.dataset.palette, lines: [line, ...others].slice(0, MOST) };
  sessionStorage.setItem(KEY, JSON.stringify(kept));
}

export function forget() {
  sessionStorage.removeItem(KEY);
}

function itemOf([href, text]) {
  const [item, link, words] = ["li", "a", "span"].map((tag) => document.createElement(tag));
  item.setAttribute("role", "presentation");
  link.setAttribute("role", "option");
  Object.assign(link, { className: "found__line", href, tabIndex: -1 });
  words.textContent = text;
  link.append(words);
  item.append(link);
  return item;
}

// The group of them for the listbox, or none.
export function opened() {
  const ours = lines().filter(([href]) => /^\/(?![\/\\])/.test(href)); // a path of this site
  if (!ours.length) return [];
  const group = palette.querySelector("[data-palette-recent]").content.cloneNode(true);
  group.querySelector("ul").append(...ours.map(itemOf));
  return [...group.children];
}
