// Putting new markup in place of old without moving what is being read: focus (by id or name), the
// caret, open <details> and scroll stay; what a person is typing into, or has open, waits.

// A part of the page that a person is in the middle of using. The answer to a form that is taken out
// of the page before it comes would be lost, and what it tells with it.
export function inUse(element) {
  if (element.querySelector("dialog[open], [data-edit][open], .htmx-request, [data-pending]")) return true;
  const active = document.activeElement;
  return element.contains(active) && active.matches("input:not([type=radio], [type=checkbox]), textarea, select");
}

function openIds(root) {
  return [...root.querySelectorAll("details[open][id]")].map((node) => node.id);
}

// What only the page knows (a row's trend, its tick) stays when the new markup has nothing in its place.
function keep(old, fresh) {
  for (const { id } of old.querySelectorAll("[data-select]:checked")) {
    const box = fresh.querySelector(`#${CSS.escape(id)}`);
    if (box) box.checked = true;
  }
  for (const slot of fresh.querySelectorAll("[data-keep]"))
    if (!slot.childElementCount) slot.append(...(old.querySelector(`[data-keep="${slot.dataset.keep}"]`)?.childNodes ?? []));
}

function focusPath(root) {
  const active = document.activeElement;
  if (!active || active === root || !root.contains(active)) return null;
  if (active.id) return `#${CSS.escape(active.id)}`;
  const holder = active.closest("[id]");
  if (!holder || !root.contains(holder)) return null;
  const href = active.getAttribute("href");
  const key = active.dataset.key;
  const tail = href ? `a[href="${CSS.escape(href)}"]` : key ? `[data-key="${key}"]` : active.tagName.toLowerCase();
  return `#${CSS.escape(holder.id)} ${tail}`;
}

// Replace `old` by `fresh` (same id). Returns the element now in the page.
export function replace(old, fresh) {
  const open = openIds(old);
  const focus = focusPath(old) ?? (document.activeElement === old ? `#${CSS.escape(old.id)}` : null);
  const cursor = old.classList.contains("is-cursor");
  const { scrollTop, scrollLeft } = old;
  keep(old, fresh);
  old.replaceWith(fresh);
  for (const id of open) document.getElementById(id)?.setAttribute("open", "");
  if (cursor) fresh.classList.add("is-cursor");
  fresh.scrollTop = scrollTop;
  fresh.scrollLeft = scrollLeft;
  if (focus) document.querySelector(focus)?.focus({ preventScroll: true });
  window.htmx?.process(fresh);
  return fresh;
}

// A list whose order must not jump: known items change in place, new ones come last. What is gone
// leaves a line, and what becomes smaller keeps its height, so that nothing moves below it.
const sources = new Map();

export function merge(list, freshList) {
  const fresh = new Map([...freshList.children].map((child) => [child.id, child]));
  for (const item of [...list.children]) {
    const next = fresh.get(item.id);
    fresh.delete(item.id);
    if (!next) gone(item);
    else if (!inUse(item) && next.outerHTML !== sources.get(item.id)) {
      sources.set(item.id, next.outerHTML);
      const isLess = item.matches("[data-key-item]") && !next.matches("[data-key-item]");
      if (isLess) hold(item, next);
      replace(item, next);
    }
  }
  for (const item of fresh.values()) {
    list.append(item);
    window.htmx?.process(item);
  }
  return [...fresh.values()];
}

function hold(item, next) {
  next.style.minBlockSize = `${item.offsetHeight}px`; // through the object model, so CSP allows it
}

function gone(item) {
  const { place, placeOver, gone: isLine } = item.dataset;
  if (isLine !== undefined) return;
  if (!place) return item.remove(); // an empty state gives way
  const line = document.createElement("p");
  line.id = item.id;
  line.className = "approval-gone";
  line.tabIndex = -1;
  line.dataset.keyItem = line.dataset.gone = "";
  line.setAttribute("role", "status");
  line.textContent = placeOver && "over" in item.dataset ? placeOver : place;
  hold(item, line);
  replace(item, line);
}
