// A pushed piece of markup: what the page has is replaced in place; a new row waits behind "n new",
// a new line goes on top of its feed unless the reader holds it.
import { attach } from "./attach.js";
import { announceNew } from "./announce.js";
import { FRESH_EVENT, freshPage } from "./refetch.js";
import { inUse, replace } from "./swap.js";

const MOST_LINES = 60;
const PROBE_MS = 1500;
const held = [];

function parse(html) {
  const template = document.createElement("template");
  template.innerHTML = html;
  return [...template.content.children];
}

// Lists: a row the page does not have may be new, or of another page or filter. The page as it is
// now says which; the new ones wait until they are asked for.
let probe = 0;

async function countNew(button) {
  probe = 0;
  const fresh = await freshPage();
  if (fresh) tellNew(button, fresh);
}

function tellNew(button, fresh) {
  const rows = [...fresh.querySelectorAll("[data-live-list] > [id]")].filter(({ id }) => !document.getElementById(id));
  if (!button.isConnected || !rows.length) return;
  if (!document.querySelector("[data-live-list]")) return showList(fresh); // nothing that could move
  button.querySelector("[data-count]").textContent = rows.length;
  button.hidden = false;
  announceNew(rows, button.dataset.liveNew);
}

function showList(fresh) {
  const button = document.querySelector("[data-live-new]");
  const next = fresh.querySelector(".tablewrap");
  if (!button || !next) return;
  for (const row of next.querySelectorAll("[data-live-list] > [id]"))
    row.classList.toggle("is-new", !document.getElementById(row.id));
  replace(document.querySelector(".tablewrap"), next);
  button.hidden = true;
}

function changeRows(fresh) {
  for (const row of document.querySelectorAll("[data-live-list] > [id]")) {
    const next = fresh.getElementById(row.id);
    if (next && next.outerHTML !== row.outerHTML) replace(row, next);
  }
  const button = document.querySelector("[data-live-new]");
  if (button) tellNew(button, fresh);
}

async function showNew() {
  const fresh = await freshPage();
  if (fresh) showList(fresh);
}

function maybeNew(topic) {
  const button = document.querySelector(`[data-live-new="${topic}"]`);
  if (button && !probe) probe = setTimeout(countNew, PROBE_MS, button);
}

attach("[data-live-new]", (button) => button.addEventListener("click", showNew));

// Feeds.
function isHeld(feed) {
  const hold = document.querySelector("[data-feed-hold]");
  return hold?.getAttribute("aria-pressed") === "true" || feed.matches(":hover, :focus-within") || feed.scrollTop > 4;
}

function tell() {
  const place = document.querySelector("[data-feed-held]");
  if (!place) return;
  place.hidden = !held.length;
  place.textContent = held.length ? `${held.length} more` : "";
}

function insert(feed, line) {
  feed.querySelector("[data-feed-empty]")?.remove();
  line.classList.add("is-new");
  feed.prepend(line);
  while (feed.children.length > MOST_LINES) feed.lastElementChild.remove();
}

function release(feed) {
  if (isHeld(feed)) return;
  for (const line of held.splice(0).reverse()) if (!document.getElementById(line.id)) insert(feed, line);
  tell();
}

attach("[data-live-feed=feed]", (feed) => {
  for (const name of ["mouseleave", "focusout", "scroll"])
    feed.addEventListener(name, () => setTimeout(release, 200, feed));
});
attach("[data-feed-hold]", (button) => {
  button.addEventListener("click", () => {
    const on = button.getAttribute("aria-pressed") !== "true";
    button.setAttribute("aria-pressed", on);
    button.lastChild.textContent = on ? "Go on" : "Hold";
    const feed = document.querySelector("[data-live-feed]");
    if (feed) release(feed);
  });
});

function addLine(feed, line) {
  if (isHeld(feed)) held.unshift(line);
  else insert(feed, line);
  while (held.length > MOST_LINES) held.pop();
  tell();
}

export function receive(topic, html) {
  for (const fresh of parse(html)) {
    const old = fresh.id && document.getElementById(fresh.id);
    const feed = document.querySelector(`[data-live-feed="${topic}"]`);
    if (old) {
      if (!inUse(old)) replace(old, fresh);
    } else if (fresh.matches("[data-toast]")) document.getElementById("toasts")?.append(fresh);
    else if (feed) addLine(feed, fresh);
    else maybeNew(topic);
  }
}

// What was not heard of. After a lost connection the list is shown as it is now, in one batch; after
// a gap its rows stay where they are. A feed gets the lines it lacks.
document.addEventListener(FRESH_EVENT, ({ detail: { fresh, why } }) => {
  if (why === "lost") showList(fresh);
  else changeRows(fresh);
  for (const feed of document.querySelectorAll("[data-live-feed=feed]")) {
    const lines = [...(fresh.getElementById(feed.id)?.querySelectorAll(":scope > [id]") ?? [])];
    for (const line of lines.reverse())
      if (!document.getElementById(line.id) && !held.some(({ id }) => id === line.id)) addLine(feed, line);
  }
});
