// A field with a listbox of what may stand at its caret. `offers()` gives the options as elements,
// none closes the list; `take(option)` writes one into the field. Arrows choose, enter and tab take
// what is chosen, escape closes; where nothing is chosen those keys do what they do without a list.

export function combobox(field, list, { offers, take, isFirstChosen = false }) {
  let chosen = null;

  for (const [name, value] of [["role", "combobox"], ["aria-autocomplete", "list"], ["aria-controls", list.id], ["aria-expanded", "false"]])
    field.setAttribute(name, value);

  function choose(option) {
    chosen?.setAttribute("aria-selected", "false");
    chosen = option ?? null;
    chosen?.setAttribute("aria-selected", "true");
    chosen?.scrollIntoView({ block: "nearest" });
    if (chosen) field.setAttribute("aria-activedescendant", chosen.id);
    else field.removeAttribute("aria-activedescendant");
  }

  function close() {
    list.hidden = true;
    field.setAttribute("aria-expanded", "false");
    choose(null);
  }

  function open() {
    const options = offers();
    if (!options.length) return close();
    const kept = options.find(({ id }) => id === chosen?.id);
    list.replaceChildren(...options);
    list.hidden = false;
    field.setAttribute("aria-expanded", "true");
    choose(kept ?? (isFirstChosen ? options[0] : null));
  }

  function step(by) {
    const all = [...list.children];
    const at = chosen ? all.indexOf(chosen) + by : Math.min(by, 0);
    choose(all.at(at % all.length));
  }

  function accept(option) {
    close();
    take(option);
  }

  field.addEventListener("input", open);
  field.addEventListener("click", () => list.hidden || open());
  field.addEventListener("blur", close);
  field.addEventListener("keydown", (event) => {
    if (event.isComposing || event.ctrlKey || event.metaKey || event.altKey || event.shiftKey) return;
    const by = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (list.hidden) {
      if (event.key !== "ArrowDown") return;
      open();
      if (list.hidden) return;
      if (!chosen) step(1);
    } else if (by) step(by);
    else if (event.key === "Escape") close();
    else if ((event.key === "Enter" || event.key === "Tab") && chosen) accept(chosen);
    else return;
    event.preventDefault();
    event.stopPropagation(); // the page's own keys: escape would leave the field
  });
  list.addEventListener("pointerdown", (event) => {
    event.preventDefault(); // the field keeps the focus
    const option = event.target.closest("[role=option]");
    if (option) accept(option);
  });
  return { open, close };
}
