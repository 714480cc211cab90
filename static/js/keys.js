// Single keys, outside fields only, and only while they are on in this browser.
// `data-key="a"` is clicked, `data-key-focus="c"` gets the focus, j and k move through the
// `data-key-item`s of a `data-key-list`, enter follows the item's `data-key-open`.
import { attach } from "./attach.js";

const STORE = "awf-keys-off";
const SETTLED_MS = 600;
const GO = { o: "overview", i: "incidents:list", a: "actions:approvals", l: "actions:list", s: "safety:page", r: "rules:page" };
let current = null;
const seenSince = new WeakMap();
let go = -Infinity; // when g was pressed

const seen = new IntersectionObserver(
  (entries) => {
    for (const { target, intersectionRatio } of entries) {
      if (intersectionRatio < 0.99) seenSince.delete(target);
      else if (!seenSince.has(target)) seenSince.set(target, performance.now());
    }
  },
  { threshold: [0, 0.5, 0.99, 1] },
);
// What is decided on by a key must have been in view, so that no key hits what just appeared.
attach("[data-key-item] [data-key=a]", (button) => seen.observe(button));

function items() {
  return [...document.querySelectorAll("[data-key-list] [data-key-item], [data-key-list][data-key-item]")];
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

function press(key) {
  const inItem = current?.isConnected && current.querySelector(`[data-key="${key}"]`);
  if (inItem) {
    const since = seenSince.get(current.querySelector("[data-key=a]")) ?? Infinity;
    if (performance.now() - since < SETTLED_MS || since === Infinity) return false;
  }
  const target = inItem || [...document.querySelectorAll(`[data-key="${key}"]`)].find((one) => !one.closest("[data-key-item]"));
  if (target && !target.hidden && !target.disabled) target.click();
  return Boolean(target);
}

function handle(event) {
  const { key } = event;
  if (performance.now() - go < 1500 && GO[key]) {
    const link = document.querySelectorAll("#nav a")[Object.keys(GO).indexOf(key)];
    go = -Infinity;
    link?.click();
    return true;
  }
  if (key === "g") {
    go = performance.now();
    return true;
  }
  if (key === "j" || key === "k") return move(key === "j" ? 1 : -1) ?? true;
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
  if (event.target.closest?.("input, textarea, select, [contenteditable]")) {
    if (event.key === "Escape") event.target.blur();
    return;
  }
  if (document.querySelector("dialog[open]") || localStorage.getItem(STORE)) return;
  if (handle(event)) event.preventDefault();
});
document.addEventListener("focusin", (event) => {
  const item = event.target.closest?.("[data-key-item]");
  if (item && item !== current) point(item);
});
// After a swap the item of the same id, else the first one, stays marked.
attach("[data-key-list]", () => {
  if (current && !current.isConnected) mark(document.getElementById(current.id) ?? items()[0] ?? null);
});
attach("[data-keys-switch]", (box) => {
  box.checked = !localStorage.getItem(STORE);
  box.addEventListener("change", () => (box.checked ? localStorage.removeItem(STORE) : localStorage.setItem(STORE, "1")));
});
