// `data-check-all="name"` ticks every box of that name in its form, or none.

document.addEventListener("change", ({ target }) => {
  const name = target.dataset?.checkAll;
  if (!name) return;
  for (const box of target.form.querySelectorAll(`input[name="${name}"]`)) box.checked = target.checked;
});
