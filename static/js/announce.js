// What screen readers are told: politely, at most every 10 s, then of each subject the last message;
// or at once, which only a global stop, the session's end and an approval about to expire may be.
import { attach } from "./attach.js";

const GAP_MS = 10_000;
const waiting = new Map(); // subject -> message
const alarmed = new Set();
let last = -GAP_MS;
let timer = 0;

function say(id, text) {
  const place = document.getElementById(id);
  if (place) place.textContent = text;
}

export function announce(text, subject = text) {
  waiting.set(subject, text);
  clearTimeout(timer);
  const wait = Math.max(0, last + GAP_MS - performance.now());
  timer = setTimeout(() => {
    last = performance.now();
    say("announce", [...waiting.values()].join(". "));
    waiting.clear();
  }, wait);
}

export function alarm(text) {
  say("alert", text);
}

// "2 new incidents, 1 critical", of rows or cards that came in.
export function announceNew(rows, topic) {
  const what = rows.length === 1 ? topic.replace(/ies$/, "y").replace(/s$/, "") : topic;
  const critical = rows.filter((row) => row.querySelector('[href="#i-sev-critical"]')).length;
  announce(`${rows.length} new ${what}${critical ? `, ${critical} critical` : ""}`, topic);
}

// `data-alarm="id"` is said when it comes into the page, once for each id; not when it was there.
let isLoaded = false;
attach("[data-alarm]", (element) => {
  const { alarm: id } = element.dataset;
  if (isLoaded && !alarmed.has(id)) alarm(element.textContent);
  alarmed.add(id);
});
isLoaded = true;
