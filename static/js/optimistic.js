// What can be taken back is shown before the server has answered. Each `<template data-at="selector">`
// in a form is what those places hold once it is done, `data-on-top` a line that they get; `data-do`
// binds it to the button of that value, `data-when="field"` (or "!field") to a field with (or without)
// one, and `data-fill="field"` in it takes the words of what was chosen there. The answer brings the
// truth; a refusal, or none, puts back what was there, and toast.js says what was not done.
import { markStale } from "./refetch.js";

const MOST_MS = 15_000;
const underWay = new Map(); // form -> how to take back what is shown for it

function said(form, name) {
  const field = form.querySelector(`[name="${name}"]:not([type=radio]:not(:checked))`);
  const { words, initials } = (field.selectedOptions?.[0] ?? field).dataset;
  return { value: field.value, words: words ?? field.value, initials };
}

function isMeant({ dataset: { do: verb, when } }, form, submitter) {
  if (verb !== undefined && verb !== submitter?.value) return false;
  return when === undefined || when.startsWith("!") === !said(form, when.replace("!", "")).value;
}

function contentOf(template, form) {
  const content = template.content.cloneNode(true);
  for (const one of content.querySelectorAll("[data-fill]")) {
    const [name, part = "words"] = one.dataset.fill.split(".");
    one.textContent = said(form, name)[part];
  }
  return content;
}

// `data-pending` keeps the place from being refreshed until the answer is there.
function show(template, form, place) {
  const [content, old] = [contentOf(template, form), [...place.childNodes]];
  place.dataset.pending = "";
  if (!("onTop" in template.dataset)) {
    place.replaceChildren(content);
    return () => place.replaceChildren(...old);
  }
  const lines = [...content.childNodes];
  place.prepend(...lines);
  return () => lines.forEach((line) => line.remove());
}

// The field of that name is empty at once; what was written meanwhile is not lost either way.
function empty(field) {
  const text = field.value;
  field.value = "";
  return () => (field.value = [text, field.value].filter(Boolean).join(" "));
}

function begin(form, submitter) {
  const shown = [...form.querySelectorAll("template[data-at]")].filter((one) => isMeant(one, form, submitter));
  const places = shown.map((template) => [template, [...document.querySelectorAll(template.dataset.at)]]);
  const undo = places.flatMap(([template, all]) => all.map((place) => show(template, form, place)));
  if (form.dataset.empties) undo.push(empty(form.elements[form.dataset.empties]));
  underWay.set(form, (isDone) => {
    for (const place of places.flatMap(([, all]) => all)) delete place.dataset.pending;
    if (!isDone) for (const one of undo) one();
  });
  form.closest("dialog")?.close();
}

const isOptimistic = (form) => form.querySelector?.(":scope > template[data-at]") != null;

document.addEventListener("htmx:configRequest", ({ detail }) => {
  if (isOptimistic(detail.elt)) detail.timeout = MOST_MS;
});
document.addEventListener("htmx:beforeRequest", ({ detail: { elt, requestConfig } }) => {
  if (isOptimistic(elt)) begin(elt, requestConfig.triggeringEvent?.submitter);
});
document.addEventListener("htmx:afterRequest", ({ detail: { elt, successful } }) => {
  if (!underWay.has(elt)) return;
  underWay.get(elt)(successful);
  underWay.delete(elt);
  if (!successful) markStale(); // what was pushed meanwhile was not shown
});
document.addEventListener(
  "submit",
  (event) => {
    if (!underWay.has(event.target)) return;
    event.preventDefault(); // once is enough
    event.stopImmediatePropagation();
  },
  true,
);

// The answer to one form would take another, still under way, out of the page, and its answer would be
// lost. So the last one's brings the page, and those before it only their messages.
document.addEventListener("htmx:beforeSwap", ({ detail }) => {
  const { elt, verb } = detail.requestConfig ?? {};
  const others = [...detail.target.querySelectorAll("form.htmx-request")].filter((form) => form !== elt);
  if (verb !== "post" || !others.length || !detail.shouldSwap) return;
  detail.shouldSwap = false;
  const page = new DOMParser().parseFromString(detail.xhr.responseText, "text/html");
  for (const toast of page.querySelectorAll("#toasts > *")) {
    document.getElementById("toasts").append(toast);
    window.htmx.process(toast);
  }
});
