// The theme changes at once; the form is posted behind it so that the next page has it too.
import { attach } from "./attach.js";

export const THEME_EVENT = "awf:theme";

attach("[data-theme-form]", (form) => {
  form.addEventListener("submit", (event) => {
    const theme = event.submitter?.value;
    if (!theme) return;
    event.preventDefault();
    document.documentElement.dataset.theme = theme;
    for (const button of document.querySelectorAll("[data-theme-form] [name=theme]"))
      button.setAttribute("aria-current", button.value === theme);
    document.dispatchEvent(new CustomEvent(THEME_EVENT));
    const body = new FormData(form, event.submitter);
    fetch(form.action, { method: "POST", body, redirect: "manual" }).catch(() => {});
    form.closest("details")?.removeAttribute("open");
  });
});

matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
  if (document.documentElement.dataset.theme === "auto") document.dispatchEvent(new CustomEvent(THEME_EVENT));
});
