// The bar over a list is replaced with its answer: the menu that a value was picked from stays open
// with the focus on that value; after anything else done there the focus is in the field.
import { attach } from "./attach.js";

let done = null; // what was followed in the bar that is about to go

document.addEventListener("click", ({ target }) => {
  done = target.closest?.("[data-query] a") ?? null;
});

attach("[data-query]", (bar) => {
  if (!done || done.isConnected) return;
  const { option } = done.dataset;
  const picked = option && bar.querySelector(`[data-option="${CSS.escape(option)}"]`);
  if (picked) picked.closest("details").open = true;
  (picked || bar.querySelector("input[type=search]")).focus();
  done = null;
});
