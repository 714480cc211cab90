// Rows are ticked by a box, by x, and with shift j and k on the way; the box in the head ticks all of
// the page, and stands between when some are. What is ticked belongs to the form `data-bulk`, which
// shows how many there are, says so to the server, and is gone without.
import { attach } from "./attach.js";

const ALL = "[data-select=page]";
const ROW = `[data-select]:not(${ALL})`;

function count() {
  const boxes = document.querySelectorAll(ROW).length;
  const ticked = document.querySelectorAll(`${ROW}:checked`).length;
  for (const all of document.querySelectorAll(ALL)) {
    all.checked = ticked > 0 && ticked === boxes;
    all.indeterminate = ticked > 0 && ticked < boxes;
  }
  const bar = document.querySelector("[data-bulk]");
  if (!bar) return;
  bar.hidden = !ticked;
  bar.querySelector("[data-bulk-shown]").textContent = ticked;
  bar.querySelector("[data-bulk-count]").value = ticked;
  for (const button of bar.querySelectorAll("button")) button.disabled = !ticked;
}

function show(box) {
  box.closest("tr").setAttribute("aria-selected", box.checked);
}

document.addEventListener("change", ({ target }) => {
  if (target.matches(ALL))
    for (const box of target.closest("table").querySelectorAll(ROW)) {
      box.checked = target.checked;
      show(box);
    }
  else if (target.matches(ROW)) show(target);
  else return;
  count();
});
attach(ROW, (box) => {
  show(box);
  count();
});
attach("[data-bulk]", count);

export function tick(item) {
  const box = item?.querySelector(ROW);
  if (box && !box.checked) box.click();
}
