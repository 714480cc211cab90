// The page's one websocket. It only hints: what is missed (a gap, a lost connection) is fetched
// again with the page. The rail's foot says how live the page is; old values turn grey.
import { attach } from "./attach.js";
import { announce } from "./announce.js";
import { receive } from "./push.js";
import { markStale } from "./refetch.js";

const BACKOFF_MS = [500, 1000, 2000, 4000, 8000, 15_000];
const GRACE_MS = 1500;
const REFUSED = 4403;
const sequences = new Map();
let socket = null;
let live = null; // the socket whose subscription was confirmed
let attempt = 0;
let lostAt = 0;
let retry = 0;

function wanted() {
  const found = [...document.querySelectorAll("[data-live-topics]")].flatMap((one) => one.dataset.liveTopics.split(" "));
  return [...new Set(found.filter(Boolean))];
}

const WORDS = {
  connecting: ["slate", "Connecting"],
  live: ["green", "Live"],
  lost: ["yellow", "Not live, trying again"],
  refused: ["yellow", "Not live, reload to update"],
};

function show(state) {
  document.documentElement.dataset.live = state;
  const [tone, text] = WORDS[state];
  for (const line of document.querySelectorAll("[data-live-status]")) {
    line.dataset.tone = tone;
    line.querySelector("[data-live-text]").textContent = text;
  }
  for (const dot of document.querySelectorAll("[data-live-dot]")) {
    dot.dataset.tone = tone;
    dot.classList.toggle("dot--live", state === "live");
  }
}

function bar(name) {
  for (const one of document.querySelectorAll("[data-net]")) one.hidden = one.dataset.net !== name;
}

function lose() {
  if (!lostAt) lostAt = Date.now();
  setTimeout(() => {
    if (!lostAt) return;
    show("lost");
    bar("lost");
    announce("Connection lost. What is shown may be old.");
  }, GRACE_MS);
  clearTimeout(retry);
  retry = setTimeout(connect, BACKOFF_MS[Math.min(attempt++, BACKOFF_MS.length - 1)]);
}

function subscribe() {
  socket.send(JSON.stringify({ subscribe: wanted() }));
}

// Only now does every change reach us, so only now is what was missed complete.
function subscribed() {
  if (live === socket) return; // for more topics
  live = socket;
  attempt = 0;
  const caughtUp = lostAt && Date.now() - lostAt > GRACE_MS;
  if (lostAt) markStale("", "lost"); // one batch for all that may have changed meanwhile
  lostAt = 0;
  sequences.clear();
  show("live");
  bar(caughtUp ? "back" : "");
  if (caughtUp) setTimeout(bar, 4000, "");
}

function message({ data: text }) {
  const { topic, seq, html } = JSON.parse(text);
  if (topic === "subscribed") return subscribed();
  if (Number.isInteger(seq)) {
    const last = sequences.get(topic);
    sequences.set(topic, seq);
    if (last !== undefined && seq !== last + 1) markStale();
  }
  if (html) receive(topic, html);
  markStale(topic);
}

function connect() {
  clearTimeout(retry);
  if (!wanted().length || socket?.readyState <= WebSocket.OPEN) return; // or connecting
  const scheme = location.protocol === "https:" ? "wss" : "ws";
  socket = new WebSocket(`${scheme}://${location.host}/ws/live/`);
  socket.addEventListener("open", subscribe);
  socket.addEventListener("message", message);
  socket.addEventListener("close", ({ code }) => {
    if (code === REFUSED) show("refused");
    else lose();
  });
}

// Seconds since the connection was lost, where the page says so.
setInterval(() => {
  if (!lostAt) return;
  const age = Math.round((Date.now() - lostAt) / 1000);
  for (const one of document.querySelectorAll("[data-net-age]")) one.textContent = ` ${age} s ago`;
}, 1000);

attach("[data-net-retry]", (button) => button.addEventListener("click", connect));
addEventListener("online", connect);
document.addEventListener("visibilitychange", () => {
  if (!document.hidden && lostAt) connect();
});
document.addEventListener("htmx:afterSettle", () => {
  show(document.documentElement.dataset.live ?? "connecting");
  if (socket?.readyState === WebSocket.OPEN) subscribe();
});

if (wanted().length) {
  show("connecting");
  connect();
}
