// `data-mention="id"`: where @ is typed in the field, the options of that listbox are offered. Arrows
// move, enter takes one, escape closes; without a script the name is typed.
import { attach } from "./attach.js";

const WORD = /(?:^|[^\p{L}\p{N}_.@+-])@([\p{L}\p{N}_.@+-]*)$/u;

attach("[data-mention]", (field) => {
  const list = document.getElementById(field.dataset.mention);
  if (!list) return;
  let chosen = null;

  for (const [name, value] of [["role", "combobox"], ["aria-autocomplete", "list"], ["aria-controls", list.id], ["aria-expanded", "false"]])
    field.setAttribute(name, value);

  const shown = () => [...list.children].filter((one) => !one.hidden);
  const wordAtCaret = () => WORD.exec(field.value.slice(0, field.selectionStart))?.[1];

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

  function offer() {
    const word = wordAtCaret()?.toLowerCase();
    if (word === undefined) return close();
    for (const one of list.children) {
      const words = `${one.dataset.name} ${one.textContent}`.toLowerCase().split(/\s+/);
      one.hidden = !words.some((text) => text.startsWith(word));
    }
    const [first] = shown();
    if (!first) return close();
    list.hidden = false;
    field.setAttribute("aria-expanded", "true");
    if (!chosen || chosen.hidden) choose(first);
  }

  function take(option) {
    const end = field.selectionStart;
    field.setRangeText(`${option.dataset.name} `, end - wordAtCaret().length, end, "end");
    close();
  }

  field.addEventListener("input", offer);
  field.addEventListener("click", offer);
  field.addEventListener("blur", close);
  field.addEventListener("keydown", (event) => {
    if (list.hidden || event.isComposing) return;
    const all = shown();
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step) choose(all[(all.indexOf(chosen) + step + all.length) % all.length]);
    else if (event.key === "Enter") take(chosen);
    else if (event.key === "Escape") close();
    else return;
    event.preventDefault();
    event.stopPropagation(); // the page's own keys: escape would leave the field
  });
  list.addEventListener("pointerdown", (event) => {
    event.preventDefault(); // the field keeps the focus
    const option = event.target.closest("[role=option]");
    if (option) take(option);
  });
});
