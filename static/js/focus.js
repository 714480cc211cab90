// Focus is never lost: when what has it leaves the page (a swap), is hidden or is folded away, it
// goes on to its twin in the new markup, else to the nearest thing left around it.
const FOCUSABLE = "a[href], button:not(:disabled), input:not(:disabled, [type=hidden]), select:not(:disabled), textarea:not(:disabled), summary, [tabindex]";
let last = null; // {element, twin, around}: what had it, how to know it again, its ancestors

function twinOf(element) {
  if (element.id) return `#${CSS.escape(element.id)}`;
  for (const name of ["popovertarget", "data-key", "data-key-open", "href", "value"])
    if (element.getAttribute(name)) return `${element.tagName.toLowerCase()}[${name}="${CSS.escape(element.getAttribute(name))}"]`;
  return null;
}

function isThere(element) {
  return element.isConnected && !element.disabled && element.checkVisibility({ visibilityProperty: true });
}

function ancestors(element) {
  const all = [];
  for (let one = element.parentElement; one && one !== document.body; one = one.parentElement)
    all.push({ element: one, id: one.id });
  return all;
}

function take(element) {
  if (!element || !isThere(element)) return false;
  element.focus({ preventScroll: true });
  return document.activeElement === element;
}

function goOn({ twin, around }) {
  for (const { element, id } of around) {
    const place = element.isConnected ? element : id ? document.getElementById(id) : null;
    if (!place || !isThere(place)) continue;
    if (twin && take(place.querySelector(twin))) return;
    if (place.matches("[tabindex]") && take(place)) return;
    if ([...place.querySelectorAll(FOCUSABLE)].some(take)) return;
  }
  take(document.getElementById("main"));
}

function keepFocus() {
  const active = document.activeElement;
  if (!last || (active !== document.body && active !== last.element)) return;
  if (isThere(last.element)) return;
  const before = last;
  last = null;
  goOn(before);
}

document.addEventListener("focusin", ({ target }) => {
  last = { element: target, twin: twinOf(target), around: ancestors(target) };
});
// Gone by a press beside it, it is nobody's; gone with its element, it is looked after below.
document.addEventListener("focusout", ({ target }) => {
  queueMicrotask(() => {
    if (last?.element === target && document.activeElement === document.body && isThere(target)) last = null;
  });
});
// In a task of its own: while the browser itself hands the focus on, nobody has it for a moment.
let due = 0;
function soon() {
  due ||= setTimeout(() => {
    due = 0;
    keepFocus();
  });
}
new MutationObserver(() => last && soon()).observe(document, {
  childList: true,
  subtree: true,
  attributeFilter: ["hidden", "open", "disabled"],
});
