// Single keys, outside fields only, and only while the person has them on (Settings).
// `data-key="a"` is clicked, `data-key-focus="c"` gets the focus, j and k move through the
// `data-key-item`s of a `data-key-list`, enter follows the item's `data-key-open`; g and then "s"
// follows the rail's `data-go="s"`.
import { attach } from "./attach.js";
import { tick } from "./select.js";

const SETTLED_MS = 600;
let current = null;
const seenSince = new WeakMap();
let go = -Infinity; // when g was pressed

// What is decided on by a key must have been in view as a whole, or have filled the view, between
// the bars; so that no key hits what just appeared.
const seen = new IntersectionObserver(
  (entries) => {
    for (const { target, intersectionRatio, intersectionRect, rootBounds } of entries) {
      const inView = intersectionRatio > 0.99 || intersectionRect.height > 0.9 * rootBounds.height;
      if (!inView) seenSince.delete(target);
      else if (!seenSince.has(target)) seenSince.set(target, performance.now());
    }
  },
  { threshold: [...Array(20).keys()].map((n) => n / 20).concat(0.995), rootMargin: "-48px 0px -36px" },
);
attach("[data-key-item]:has([data-key=a])", (item) => seen.observe(item));

// Those that j and k go to, in the document or in a part that was just taken out of it.
function items(root = document) {
  const all = [...root.querySelectorAll("[data-key-list] [data-key-item], [data-key-list][data-key-item]")];
  return all.filter((item) => item.dataset.gone === undefined || item.id === current?.id);
}

function point(item) {
  current?.classList.remove("is-cursor");
  current = item;
  item?.classList.add("is-cursor");
}

function mark(item) {
  point(item);
  if (!item) return;
  item.scrollIntoView({ block: "nearest" });
  (item.hasAttribute("tabindex") ? item : item.querySelector("a"))?.focus({ preventScroll: true });
}

function move(step) {
  const all = items();
  if (!all.length) return;
  const at = all.findIndex((item) => item.id === current?.id);
  mark(all[Math.min(all.length - 1, Math.max(0, at < 0 ? 0 : at + step))]);
}

function hasSettled(item) {
  return performance.now() - (seenSince.get(item) ?? Infinity) >= SETTLED_MS;
}

function press(key) {
  const inItem = current?.isConnected && current.querySelector(`[data-key="${key}"]`);
  if (inItem && key === "a" && !hasSettled(current)) return false;
  const target = inItem || [...document.querySelectorAll(`[data-key="${key}"]`)].find((one) => !one.closest("[data-key-item]"));
  if (target && !target.hidden && !target.disabled) target.click();
  return Boolean(target);
}

function handle(event) {
  const { key } = event;
  const link = performance.now() - go < 1500 && document.querySelector(`#nav [data-go~="${CSS.escape(key)}"]`);
  if (link) {
    go = -Infinity;
    link.click();
    return true;
  }
  if (key === "g") {
    go = performance.now();
    return true;
  }
  if (key === "j" || key === "k") return move(key === "j" ? 1 : -1) ?? true;
  if (key === "J" || key === "K") {
    tick(current);
    move(key === "J" ? 1 : -1);
    tick(current);
    return true;
  }
  if (key === "?") return document.getElementById("keys-help")?.showModal() ?? true;
  if (key === "Enter") {
    if (document.activeElement !== current || !current) return false;
    current.querySelector("[data-key-open]")?.click();
    return true;
  }
  const field = document.querySelector(`[data-key-focus="${key}"]`);
  if (field) return field.focus() ?? true;
  return key.length === 1 && press(key);
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing || event.repeat) return;
  if (event.target.closest?.("input:not([data-select]), textarea, select, [contenteditable]")) {
    if (event.key === "Escape") event.target.blur();
    return;
  }
  if (document.querySelector("dialog[open]") || document.documentElement.dataset.keys === "off") return;
  if (handle(event)) event.preventDefault();
});
document.addEventListener("focusin", (event) => {
  const item = event.target.closest?.("[data-key-item]");
  if (item && item !== current) point(item);
});
// After a swap the item of the same id stays marked; if it was dealt with, the next one, else the
// one before it.
attach("[data-key-list]", () => {
  if (!current || current.isConnected) return;
  const old = items(current.getRootNode()).map(({ id }) => id);
  const at = old.indexOf(current.id);
  const left = items();
  const ids = [...old.slice(Math.max(0, at)), ...old.slice(0, Math.max(0, at)).reverse()];
  mark(ids.map((id) => left.find((item) => item.id === id)).find(Boolean) ?? left[0] ?? null);
});
