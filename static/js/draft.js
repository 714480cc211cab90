// What is being written in one form outlives the page that the answer to another one brings.
let drafts = [];

function isWritten({ id, value, defaultValue, selectionStart }) {
  return id && value !== defaultValue && selectionStart !== null; // text, not a box or a choice
}

document.addEventListener("htmx:beforeSwap", ({ detail: { target, xhr, requestConfig } }) => {
  drafts = [];
  const { elt: form, verb } = requestConfig ?? {};
  if (verb !== "post" || new URL(xhr.responseURL).pathname !== location.pathname) return;
  // What was sent is done with, but for a field that was emptied at once: see optimistic.js.
  const goesOn = (field) => field.form !== form || field.name === form.dataset.empties;
  drafts = [...target.querySelectorAll("input, textarea")]
    .filter((field) => isWritten(field) && goesOn(field))
    .map(({ id, value, selectionStart, ariaExpanded }) => ({ id, value, caret: selectionStart, ariaExpanded }));
});
document.addEventListener("htmx:afterSwap", () => {
  for (const { id, value, caret, ariaExpanded } of drafts) {
    const field = document.getElementById(id);
    if (!field) continue;
    field.value = value;
    field.setSelectionRange(caret, caret);
    // What was offered for it is offered again, once combobox.js has seen the new field.
    if (ariaExpanded === "true") setTimeout(() => field.dispatchEvent(new Event("input", { bubbles: true })));
  }
  drafts = [];
});
