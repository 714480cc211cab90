// `<dialog popover>` opens by its button without script; here it becomes modal instead: the rest of
// the page is inert, focus stays inside, and it returns to the opener.
import { attach } from "./attach.js";

attach("dialog[popover]", (dialog) => {
  dialog.removeAttribute("popover");
  dialog.addEventListener("click", (event) => {
    if (event.target === dialog) dialog.close(); // the backdrop
  });
});

document.addEventListener("click", (event) => {
  const button = event.target.closest?.("[popovertarget]");
  const dialog = button && document.getElementById(button.getAttribute("popovertarget"));
  if (dialog?.tagName !== "DIALOG") return;
  event.preventDefault();
  const menu = button.closest("details[data-menu]");
  if (menu) {
    menu.open = false; // first, so that the focus comes back to what can still be seen
    menu.querySelector("summary").focus();
  }
  if (button.getAttribute("popovertargetaction") === "hide") dialog.close();
  else if (!dialog.open) dialog.showModal();
});

// Enter alone never confirms harm: in a text it is a new line, in a field nothing; ctrl or cmd sends.
document.addEventListener("keydown", (event) => {
  const form = event.target.closest?.("[data-dialog-form]");
  if (!form || event.key !== "Enter") return;
  if (event.ctrlKey || event.metaKey) form.requestSubmit();
  if (event.ctrlKey || event.metaKey || event.target.matches("input")) event.preventDefault();
});

document.addEventListener("htmx:beforeSwap", (event) => {
  if (event.detail.shouldSwap) for (const open of document.querySelectorAll("dialog[open]")) open.close();
});
