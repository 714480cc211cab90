// `data-complete="id"`: while a query is typed, that listbox offers the filters, and behind a colon
// the values that the filter's chip offers, with its counts. What was typed is never changed unasked.
import { attach } from "./attach.js";
import { combobox } from "./combobox.js";

const QUOTED = '"(?:[^"\\\\]|\\\\.)*"?';
// The condition at the caret: its filter, the values before the one being typed, and that one.
const CONDITION = new RegExp(`(?:^|\\s)-?(?:([^\\W\\d][\\w.-]*):((?:(?:${QUOTED}|[^\\s",]+),)*))?(${QUOTED}|[^\\s",]*)$`);
const REST = /^[^\s",]*"?/;

function at(field) {
  const before = field.value.slice(0, field.selectionStart);
  // A space in quotes ends no condition.
  const found = CONDITION.exec(before.replaceAll(/"(?:[^"\\]|\\.)*"/g, (text) => text.replaceAll(/\s/g, "_")));
  if (!found) return null;
  const [, key = "", others = "", { length }] = found;
  const start = before.length - length;
  const text = before.slice(start).replace(key && /^"/, "").toLowerCase(); // no filter begins with a quote
  return { key: key.toLowerCase(), others: before.slice(start - others.length, start), start, text };
}

function quoted(value) {
  return /^[^\s",]+$/.test(value) ? value : `"${value.replaceAll(/[\\"]/g, "\\$&")}"`;
}

function begins(text, name) {
  const all = name.toLowerCase();
  return all.startsWith(text) || all.split(/[\s._-]+/).some((word) => word.startsWith(text));
}

function optionOf(id, { value, words, count }) {
  const [option, code, told, n] = ["li", "code", "span", "span"].map((tag) => document.createElement(tag));
  Object.assign(option, { id, className: "listbox__option", role: "option", ariaSelected: "false" });
  option.dataset.value = value;
  [code.className, told.className, n.className] = ["ellip", "muted ellip", "chip__count"];
  [code.textContent, told.textContent, n.textContent] = [value, words, count];
  option.append(code, ...(words.toLowerCase() === value.toLowerCase() ? [] : [told]), n);
  return option;
}

attach("[data-complete]", (field) => {
  const list = document.getElementById(field.dataset.complete);
  const said = field.form.querySelector("[data-complete-said]");
  const filters = [...list.children];

  function valuesOf(key) {
    const links = [...document.querySelectorAll(`[data-option^="${key}:"]`)];
    if (links.length)
      return links.map(({ dataset: { option }, children: [words, count] }) =>
        ({ value: option.slice(key.length + 1), words: words.textContent, count: count.textContent }));
    const filter = filters.find(({ dataset }) => dataset.value === `${key}:`);
    return (filter?.dataset.values ?? "").split(" ").filter(Boolean).map((value) => ({ value, words: value, count: "" }));
  }

  function found() {
    const place = at(field);
    if (!place) return [];
    const { key, others, text } = place;
    if (!key) return filters.filter(({ dataset }) => begins(text, dataset.value));
    const fit = valuesOf(key).filter(({ value, words }) =>
      !`,${others}`.includes(`,${quoted(value)},`) && (begins(text, value) || begins(text, words)));
    if (fit.length === 1 && fit[0].value.toLowerCase() === text) return []; // nothing is left to offer
    return fit.map((one, index) => optionOf(`${list.id}-${index}`, one));
  }

  function offers() {
    const options = found();
    said.textContent = options.length ? `${options.length} suggestion${options.length === 1 ? "" : "s"}` : "";
    return options;
  }

  function take({ dataset: { value } }) {
    const { key, start } = at(field);
    const end = field.selectionStart;
    const stop = end + REST.exec(field.value.slice(end))[0].length;
    const gap = key && stop === field.value.length ? " " : "";
    field.setRangeText((key ? quoted(value) : value) + gap, start, stop, "end");
    if (!key) open();
  }

  const { open } = combobox(field, list, { offers, take });
});
