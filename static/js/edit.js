// A form that opens inside its card: its first field gets the focus, escape closes it, and its button
// says how many values are others than before.
import { attach } from "./attach.js";

function before(field) {
  return [...(field.options ?? [])].find((one) => one.defaultSelected)?.value ?? field.defaultValue;
}

attach("[data-edit]", (details) => {
  const fields = [...details.querySelectorAll("[data-edit-field]")];
  const words = details.querySelector("[data-edit-words]");
  details.addEventListener("toggle", () => {
    const next = details.open ? fields[0] : details.closest("[data-key-item]");
    next?.focus({ preventScroll: !details.open });
  });
  details.addEventListener("input", () => {
    const changed = fields.filter((field) => field.value !== before(field)).length;
    words.textContent = changed ? `Approve with ${changed} change${changed === 1 ? "" : "s"}` : "Approve unchanged";
  });
  details.addEventListener("keydown", ({ key }) => {
    if (key === "Escape") details.open = false;
  });
});
