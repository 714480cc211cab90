// Menus are <details>: close on escape, on a click elsewhere, and when another opens.
const MENU = "details[data-menu]";

function closeOthers(keep) {
  for (const menu of document.querySelectorAll(`${MENU}[open]`)) if (menu !== keep) menu.open = false;
}

document.addEventListener("click", (event) => closeOthers(event.target.closest?.(MENU)));
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  const open = document.querySelector(`${MENU}[open]`);
  if (!open) return;
  open.open = false;
  open.querySelector("summary")?.focus();
});
