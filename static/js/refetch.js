// Getting the present page again, and taking from it only the parts that may be old.
// `data-live-refetch="topic …"` is replaced by its new self, `data-live-merge="topic"` is merged, at
// most once in `data-live-every` seconds (default 1), all due parts with one request.
// A part with `data-live-hold` keeps its height when there is less in it: what is below stays.
// A part with `data-live-from="url"` is taken from there; with `data-live-later` as soon as it is in
// the page, with all others from there.
import { announceNew } from "./announce.js";
import { attach } from "./attach.js";
import { takeLate } from "./late.js";
import { inUse, merge, replace } from "./swap.js";

export const FRESH_EVENT = "awf:fresh";

const PARTS = "[data-live-refetch], [data-live-merge]";
const due = new Map();
const done = new Map();
let timer = 0;
let running = false;
let missed = ""; // why everything is asked for; lists and feeds then take their part too

function topics(element) {
  return `${element.dataset.liveRefetch ?? ""} ${element.dataset.liveMerge ?? ""}`.split(" ").filter(Boolean);
}

function schedule() {
  clearTimeout(timer);
  if (!due.size || running) return;
  const next = Math.min(...due.values());
  timer = setTimeout(fetchPage, Math.max(0, next - performance.now()));
}

// Mark what shows `topic` as old; with no topic everything, because of a "gap" or of a "lost"
// connection. The page as it is then goes to whoever listens for FRESH_EVENT.
export function markStale(topic, why = "gap") {
  const now = performance.now();
  if (!topic && missed !== "lost") missed = why;
  for (const element of document.querySelectorAll(PARTS)) {
    if (topic && !topics(element).includes(topic)) continue;
    if (due.has(element.id)) continue;
    const every = Number(element.dataset.liveEvery ?? 1) * 1000;
    due.set(element.id, topic ? Math.max(now + 120, (done.get(element.id) ?? -every) + every) : now);
  }
  schedule();
}

function replaceAbove(old, next) {
  const height = old.offsetHeight;
  replace(old, next);
  if ("liveHold" in next.dataset && next.offsetHeight < height) next.style.minBlockSize = `${height}px`;
}

function take(fresh, id) {
  const old = document.getElementById(id);
  const next = fresh.getElementById(id);
  if (old && !next && "liveOrReload" in old.dataset) location.reload(); // the page is now another one
  if (!old || !next) return;
  if (old.dataset.liveMerge) {
    const added = merge(old, next);
    if (added.length) announceNew(added, old.dataset.liveMerge);
  } else if (inUse(old)) {
    due.set(id, performance.now() + 2000);
    return;
  } else if ("liveLate" in old.dataset) takeLate(old, next);
  else if (old.outerHTML !== next.outerHTML) replaceAbove(old, next);
  done.set(id, performance.now());
}

// The present page as it is now, or the one that has some of its parts; null when it cannot be had.
export async function freshPage(from = "") {
  const url = new URL(from || location.href, location);
  const headers = from ? { "X-Live-Refetch": "1", "X-Live-Part": "1" } : { "X-Live-Refetch": "1" };
  try {
    const answer = await fetch(url, { headers, credentials: "same-origin" });
    if (answer.redirected && new URL(answer.url).pathname !== url.pathname) location.reload(); // signed out
    return answer.ok ? new DOMParser().parseFromString(await answer.text(), "text/html") : null;
  } catch {
    return null; // offline: live.js says so and asks for everything again when it is back
  }
}

async function fetchPage() {
  const now = performance.now();
  // What is due within half a second comes along, so that storms cost one request.
  const ids = [...due].filter(([, at]) => at <= now + 500).map(([id]) => id);
  const why = missed;
  missed = "";
  running = true;
  const wanted = new Map(why ? [["", []]] : []);
  for (const id of ids) {
    due.delete(id);
    const from = document.getElementById(id)?.dataset.liveFrom ?? "";
    wanted.set(from, [...(wanted.get(from) ?? []), id]);
  }
  await Promise.all([...wanted].map(([from, parts]) => fetchParts(from, parts, why)));
  running = false;
  schedule();
}

async function fetchParts(from, ids, why) {
  const fresh = await freshPage(from);
  if (!fresh) return;
  for (const id of ids) take(fresh, id);
  if (why && !from) document.dispatchEvent(new CustomEvent(FRESH_EVENT, { detail: { fresh, why } }));
}

attach("[data-live-later]", ({ dataset: { liveFrom } }) => {
  for (const { id } of document.querySelectorAll(`[data-live-from="${liveFrom}"]`)) due.set(id, performance.now());
  schedule();
});
