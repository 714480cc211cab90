// `data-ask` on a link or a GET form leads to a page that asks before something is done. Here the
// question of that page opens as a dialog instead, with the facts of this moment.

async function questionAt(url) {
  try {
    const answer = await fetch(url, { credentials: "same-origin" });
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    return answer.ok ? page.querySelector("[data-question]") : null;
  } catch {
    return null;
  }
}

async function ask(url, dialog) {
  const question = await questionAt(url);
  if (!question) return location.assign(url); // that page says why
  dialog.replaceChildren(question);
  window.htmx?.process(dialog);
  if (!dialog.open) dialog.showModal();
  dialog.querySelector("[autofocus]")?.focus();
}

function newDialog() {
  const dialog = document.createElement("dialog");
  dialog.className = "dialog";
  dialog.setAttribute("aria-labelledby", "question-title");
  dialog.addEventListener("close", () => dialog.remove());
  document.getElementById("main").append(dialog);
  return dialog;
}

document.addEventListener("click", (event) => {
  const link = event.target.closest?.("a[data-ask], a[data-dialog-close]");
  if (!link || event.button || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
  const dialog = link.closest("dialog[open]");
  if (link.hasAttribute("data-ask")) ask(link.href, dialog ?? newDialog());
  else if (dialog) dialog.close();
  else return; // a page of its own: back by the link
  event.preventDefault();
  link.closest("details[data-menu]")?.removeAttribute("open");
});

document.addEventListener("submit", (event) => {
  const form = event.target.closest("form[data-ask]");
  if (!form) return;
  event.preventDefault();
  ask(`${form.action}?${new URLSearchParams(new FormData(form))}`, form.closest("dialog") ?? newDialog());
});

document.addEventListener("click", (event) => {
  if (event.target.matches?.("dialog:has([data-question])")) event.target.close(); // the backdrop
});
