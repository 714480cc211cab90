// Search and commands in one dialog (`/`, ctrl or cmd k). What it lists comes from the search page,
// as options of a listbox; the field keeps the focus and says which option is meant.
import { forget, opened, remember } from "./opened.js";

const WAIT_MS = 120;
const OPTION = "[role=option]:not([data-nothing])";
const palette = document.querySelector("[data-palette]");
const field = palette?.querySelector("[role=combobox]");
const list = palette?.querySelector("[role=listbox]");
let asked = 0; // counts questions, so that only the last one's answer is shown
let timer = 0;
let isPending = false; // what is listed answers an older question
let isHurried = false; // enter was pressed meanwhile: it is meant for the answer

function options() {
  return [...list.querySelectorAll(OPTION)];
}

function mark(option) {
  for (const one of options()) one.setAttribute("aria-selected", one === option);
  if (option) field.setAttribute("aria-activedescendant", option.id);
  else field.removeAttribute("aria-activedescendant");
  option?.scrollIntoView({ block: "nearest" });
}

function marked() {
  return list.querySelector(`${OPTION}[aria-selected=true]`);
}

function move(step) {
  const all = options();
  if (all.length) mark(all[(all.indexOf(marked()) + step + all.length) % all.length]);
}

function show(nodes, query) {
  list.replaceChildren(...nodes);
  if (!query) list.prepend(...opened());
  options().forEach((option, index) => (option.id = `palette-${index}`));
  list.scrollTop = 0;
  isPending = false;
  mark(query ? options()[0] : null);
  if (isHurried) return enter();
  const count = options().length;
  palette.querySelector("[data-palette-said]").textContent = query ? `${count || "Nothing"} found` : "";
}

function failure() {
  const line = document.createElement("p");
  line.className = "empty";
  line.setAttribute("role", "option");
  line.dataset.nothing = "";
  line.textContent = "The search cannot be reached. Nothing was looked up.";
  return line;
}

function enter() {
  isHurried = isPending;
  if (!isPending) marked()?.click();
}

async function ask() {
  const [query, question] = [field.value.trim(), ++asked];
  isPending = true;
  const url = `${field.form.getAttribute("action")}?${new URLSearchParams({ q: query })}`;
  let nodes;
  try {
    const here = location.pathname + location.search;
    const answer = await fetch(url, { headers: { "X-Palette": here }, credentials: "same-origin" });
    if (answer.redirected) return location.reload(); // signed out
    if (!answer.ok) throw new Error(answer.status);
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    nodes = page.body.childNodes;
  } catch {
    nodes = [failure()];
  }
  if (question === asked) show(nodes, query);
}

function open() {
  if (palette.open) return;
  list.replaceChildren(); // of when it was open before
  palette.showModal();
  field.select();
  ask();
}

if (palette) {
  field.addEventListener("input", () => {
    clearTimeout(timer);
    [isPending, isHurried] = [true, false];
    asked++; // an answer to what was typed before is no longer wanted
    timer = setTimeout(ask, WAIT_MS);
  });
  field.addEventListener("keydown", (event) => {
    if (event.isComposing) return;
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step) move(step);
    else if (event.key !== "Enter") return;
    else enter();
    event.preventDefault();
  });
  list.addEventListener("mousedown", (event) => event.preventDefault()); // the field keeps the focus
  list.addEventListener("mousemove", ({ target }) => {
    const option = target.closest(OPTION);
    if (option && option !== marked()) mark(option);
  });
  list.addEventListener(
    "click",
    ({ target }) => {
      const option = target.closest(OPTION);
      if (!option) return;
      if (option.href && !option.hasAttribute("data-ask")) remember(option);
      palette.close(); // first, so that what it leads to opens over the page
    },
    { capture: true },
  );
  palette.addEventListener("click", ({ target }) => {
    if (target === palette || target.closest("[data-palette-close]")) palette.close();
  });
  document.addEventListener("click", (event) => {
    const link = event.target.closest?.("[data-palette-open]");
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
    event.preventDefault();
    open();
  });
  document.addEventListener("keydown", (event) => {
    if (event.key.toLowerCase() !== "k" || !(event.ctrlKey || event.metaKey) || event.altKey || event.shiftKey) return;
    if (document.querySelector("dialog[open]:not([data-palette])")) return;
    event.preventDefault();
    open();
  });
  document.addEventListener("submit", ({ target }) => target.getAttribute("action")?.endsWith("/logout") && forget());
}
