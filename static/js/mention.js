// `data-mention="id"`: where @ is typed in the field, the options of that listbox are offered, the
// first one chosen; without a script the name is typed.
import { attach } from "./attach.js";
import { combobox } from "./combobox.js";

const WORD = /(?:^|[^\p{L}\p{N}_.@+-])@([\p{L}\p{N}_.@+-]*)$/u;

attach("[data-mention]", (field) => {
  const list = document.getElementById(field.dataset.mention);
  if (!list) return;
  const people = [...list.children];
  const wordAtCaret = () => WORD.exec(field.value.slice(0, field.selectionStart))?.[1];

  function offers() {
    const word = wordAtCaret()?.toLowerCase();
    if (word === undefined) return [];
    return people.filter((one) => {
      const words = `${one.dataset.name} ${one.textContent}`.toLowerCase().split(/\s+/);
      return words.some((text) => text.startsWith(word));
    });
  }

  function take(option) {
    const end = field.selectionStart;
    field.setRangeText(`${option.dataset.name} `, end - wordAtCaret().length, end, "end");
  }

  const { open } = combobox(field, list, { offers, take, isFirstChosen: true });
  field.addEventListener("click", open);
});
