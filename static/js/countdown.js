// `data-countdown="<instant>"` shows the time left, each second; the ring beside it gets shorter.
// Of the card that has the focus it is said when 5 min, 1 min and 10 s are left, of these 1 min at once.
import { alarm, announce } from "./announce.js";
import { markStale } from "./refetch.js";

const LIVE = "[data-live-refetch], [data-live-merge]";
const GRACE_MS = 1500;
const over = new Set();
const SPOKEN = [10, 60, 300];
const before = new WeakMap(); // the seconds that were left when it was looked at last
const RING = 2 * Math.PI * 9;

function words(seconds) {
  const two = (number) => String(number).padStart(2, "0");
  const hours = Math.floor(seconds / 3600);
  const minutes = Math.floor(seconds / 60) % 60;
  return hours ? `${hours}:${two(minutes)}:${two(seconds % 60)}` : `${minutes}:${two(seconds % 60)}`;
}

// By what was passed, for a busy or sleeping page leaves seconds out.
function speak(element, left, card) {
  const mark = SPOKEN.find((seconds) => left <= seconds && before.get(element) > seconds);
  before.set(element, left);
  if (mark === undefined || !left || !card?.contains(document.activeElement)) return;
  const [n, unit] = left < 60 ? [left, "second"] : [Math.round(left / 60), "minute"];
  (mark === 60 ? alarm : announce)(`Expires in ${n} ${unit}${n === 1 ? "" : "s"}`, "expiry");
}

function ring(holder, left) {
  const arc = holder.querySelector("[data-ring]");
  const share = Math.min(1, left / Number(holder.dataset.expiry));
  arc?.setAttribute("stroke-dasharray", `${(RING * share).toFixed(1)} ${RING.toFixed(1)}`);
  holder.dataset.tone = left < 300 ? "yellow" : "slate";
}

// What ends by the clock alone is not pushed: the part of the page it stands in is fetched again, once.
function ended(element) {
  const part = element.closest(LIVE);
  const key = `${part?.id} ${element.dataset.countdown}`;
  if (!part || over.has(key)) return;
  over.add(key);
  const [topic] = (part.dataset.liveRefetch ?? part.dataset.liveMerge).split(" ");
  setTimeout(markStale, GRACE_MS, topic);
}

function tick() {
  for (const element of document.querySelectorAll("[data-countdown]")) {
    const left = Math.max(0, Math.floor((Date.parse(element.dataset.countdown) - Date.now()) / 1000));
    const text = words(left);
    if (element.textContent !== text) element.textContent = text;
    if (left === 0) ended(element);
    const holder = element.closest("[data-expiry]");
    if (holder) ring(holder, left);
    const card = element.closest("[data-key-item]");
    speak(element, left, card);
    if (left === 0 && card && !card.dataset.over) {
      card.dataset.over = "";
      card.dispatchEvent(new CustomEvent("countdown:over", { bubbles: true }));
    }
  }
}

setInterval(tick, 1000);
tick();
