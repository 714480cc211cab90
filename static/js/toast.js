// Messages: results leave after 6 s, after 10 s where they can be undone, unless pointed at or
// focused; errors stay; at most three. A request that failed says here what was not done.
import { attach } from "./attach.js";

const STAY_MS = 6000;
const UNDO_MS = 10_000;
const MOST = 3;

function remove(toast) {
  const hadFocus = toast.contains(document.activeElement);
  toast.remove();
  if (hadFocus) document.getElementById("main")?.focus({ preventScroll: true });
}

// `u` is for what was done last. Where it leads back to is the page as it is then.
function offerUndo(form, tray) {
  for (const old of tray.querySelectorAll("[data-undo] [data-key]")) if (!form.contains(old)) delete old.dataset.key;
  form.addEventListener("submit", () => (form.elements.next.value = location.pathname + location.search), true);
  form.addEventListener("htmx:afterRequest", ({ detail }) => detail.successful && remove(form.closest("[data-toast]")));
}

attach("[data-toast]", (toast) => {
  const tray = toast.closest("#toasts");
  while (tray && tray.children.length > MOST) tray.firstElementChild.remove();
  toast.querySelector("[data-toast-close]")?.addEventListener("click", () => remove(toast));
  const undo = toast.querySelector("[data-undo]");
  if (undo && tray) offerUndo(undo, tray);
  if (toast.dataset.toast === "error" || toast.dataset.toast === "warning") return;
  const leave = () => {
    if (toast.matches(":hover, :focus-within")) setTimeout(leave, 1000);
    else remove(toast);
  };
  setTimeout(leave, undo ? UNDO_MS : STAY_MS);
});

export function complain(title, detail) {
  const tray = document.getElementById("toasts");
  if (!tray) return;
  const toast = document.createElement("div");
  toast.className = "toast";
  toast.dataset.toast = "error";
  toast.dataset.tone = "red";
  toast.setAttribute("role", "status");
  toast.innerHTML =
    '<svg class="i" aria-hidden="true"><use href="#i-incident"/></svg><div><b></b><p></p></div>' +
    '<button class="btn btn--ghost btn--sm btn--icon" type="button" data-toast-close aria-label="Close message">' +
    '<svg class="i i--14" aria-hidden="true"><use href="#i-cross"/></svg></button>';
  toast.querySelector("b").textContent = title;
  toast.querySelector("p").textContent = detail;
  tray.append(toast);
}

function reason(xhr) {
  if (xhr.getResponseHeader("Content-Type")?.includes("json")) {
    try {
      return JSON.parse(xhr.responseText).detail ?? "";
    } catch {
      return "";
    }
  }
  const page = new DOMParser().parseFromString(xhr.responseText, "text/html");
  return page.querySelector(".empty h1, main h1")?.textContent.trim() ?? "";
}

// `data-not="Not assigned"`, of the form or of its button, says what was not done.
function titleOf({ elt, requestConfig }, other) {
  return requestConfig?.triggeringEvent?.submitter?.dataset.not ?? elt.dataset?.not ?? other;
}

document.addEventListener("htmx:responseError", ({ detail }) => {
  const { xhr } = detail;
  if (xhr.status === 401) location.reload();
  else complain(titleOf(detail, "Not done"), reason(xhr) || `The server answered ${xhr.status}. Nothing was changed.`);
});
document.addEventListener("htmx:sendError", ({ detail }) => {
  complain(titleOf(detail, "Not sent"), "The server cannot be reached. Nothing was changed.");
});
document.addEventListener("htmx:timeout", ({ detail }) => {
  complain(titleOf(detail, "No answer"), "The server did not answer in time. Look again before you repeat it.");
});
