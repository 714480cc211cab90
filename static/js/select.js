// Rows are ticked by a box, by x, and with shift j and k on the way. What is ticked belongs to the
// form `data-bulk`, which shows how many there are, says so to the server, and is gone without.
import { attach } from "./attach.js";

function count() {
  const bar = document.querySelector("[data-bulk]");
  if (!bar) return;
  const ticked = document.querySelectorAll("[data-select]:checked").length;
  bar.hidden = !ticked;
  bar.querySelector("[data-bulk-shown]").textContent = ticked;
  bar.querySelector("[data-bulk-count]").value = ticked;
  for (const button of bar.querySelectorAll("button")) button.disabled = !ticked;
}

function show(box) {
  box.closest("tr").setAttribute("aria-selected", box.checked);
  count();
}

document.addEventListener("change", ({ target }) => target.matches("[data-select]") && show(target));
attach("[data-select]", show);
attach("[data-bulk]", count);

export function tick(item) {
  const box = item?.querySelector("[data-select]");
  if (box && !box.checked) box.click();
}
