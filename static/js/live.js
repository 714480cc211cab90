// The page's one websocket. It only hints: what is missed (a lost connection, a change before it
// listened, too much to be sent) is fetched again with the page. The rail's foot says how live the
// page is; old values turn grey.
import { attach } from "./attach.js";
import { alarm, announce } from "./announce.js";
import { receive } from "./push.js";
import { bar, show, tellAge, WORDS } from "./liveness.js";
import { markStale } from "./refetch.js";

const BACKOFF_MS = [500, 1000, 2000, 4000, 8000, 15_000];
const GRACE_MS = 1500;
// The server says something every 4 seconds; a cable that was pulled says nothing at all.
const SILENCE_MS = 12_000;
const TELL_SIZE = 64 * 1024;
const NOTHING = { frames: 0, size: 0 };
const ENDED = { 4401: "signed-out", 4403: "refused" };
let socket = null;
let live = null; // the socket that sends every change
let heardAt = performance.now();
let pageAt = performance.getEntriesByType("navigation")[0]?.requestStart ?? 0; // when it was asked for
let followed = new Set();
let untold = NOTHING; // of what came, to the server
let attempt = 0;
let lostAt = 0;
let ended = "";
let retry = 0;

function wanted() {
  const found = [...document.querySelectorAll("[data-live-topics]")].flatMap((one) => one.dataset.liveTopics.split(" "));
  return [...new Set(found.filter(Boolean))];
}

// A short break is not worth a word.
function lose() {
  live = null;
  if (lostAt) return;
  lostAt = performance.now();
  setTimeout(() => {
    if (!lostAt) return;
    show("lost");
    bar("lost");
    tellAge(heardAt);
    announce("Connection lost. What is shown may be old.");
  }, GRACE_MS);
}

function closed(one, code) {
  if (one !== socket) return; // given up for another
  if (code in ENDED) return end(ENDED[code]);
  lose();
  clearTimeout(retry);
  // Not all at the same moment, when it is the server that went.
  const pause = BACKOFF_MS[Math.min(attempt++, BACKOFF_MS.length - 1)];
  retry = setTimeout(connect, pause * (0.5 + Math.random() / 2));
}

// For good: trying again would be refused again.
function end(state) {
  ended = state;
  live = socket = null;
  lostAt = 0;
  show(state);
  bar(state);
  alarm(`${WORDS[state][1]}. This page is not live any more.`);
}

// With the page's age, so that the server can say whether it missed something while it loaded.
function subscribe() {
  followed = new Set(wanted());
  socket.send(JSON.stringify({ subscribe: [...followed], age: (performance.now() - pageAt) / 1000 }));
}

// Only now does every change reach us, so only now is what was missed complete.
function listening(missed) {
  if (lostAt) {
    const caughtUp = performance.now() - lostAt > GRACE_MS;
    lostAt = 0;
    markStale("", "lost"); // one batch for all that may have changed meanwhile
    bar(caughtUp ? "back" : "");
    if (caughtUp) setTimeout(() => lostAt || bar(""), 4000);
  } else if (missed) markStale();
  if (live === socket) return;
  live = socket;
  attempt = 0;
  show("live");
}

// Who does not say what it took is sent nothing more. Not each frame by itself: for the server a
// word from every page is more work than what it sent them.
function took(size) {
  untold = { frames: untold.frames + 1, size: untold.size + size };
  if (untold.size < TELL_SIZE) return;
  socket.send(JSON.stringify({ took: untold.frames }));
  untold = NOTHING;
}

function message({ data }) {
  heardAt = performance.now();
  took(data.length);
  const { live: isLive, missed, changes = [] } = JSON.parse(data);
  if (isLive) listening(missed);
  else if (isLive === false) lose();
  for (const [topic, html] of changes) {
    if (html) receive(topic, html);
    markStale(topic);
  }
}

function connect() {
  clearTimeout(retry);
  if (ended || !wanted().length || socket?.readyState <= WebSocket.OPEN) return; // or connecting
  const scheme = location.protocol === "https:" ? "wss" : "ws";
  const mine = new WebSocket(`${scheme}://${location.host}/ws/live/`);
  socket = mine;
  untold = NOTHING;
  mine.addEventListener("open", subscribe);
  mine.addEventListener("message", (event) => mine === socket && message(event));
  mine.addEventListener("close", ({ code }) => closed(mine, code));
}

setInterval(() => {
  if (lostAt) tellAge(heardAt);
  if (socket?.readyState !== WebSocket.OPEN || performance.now() - heardAt < SILENCE_MS) return;
  const silent = socket;
  closed(silent, 0);
  socket = null;
  silent.close();
}, 1000);

attach("[data-net-retry]", (button) => button.addEventListener("click", connect));
addEventListener("online", connect);
document.addEventListener("visibilitychange", () => {
  if (!document.hidden && lostAt) connect();
});
document.addEventListener("htmx:beforeRequest", () => (pageAt = performance.now()));
document.addEventListener("htmx:afterSettle", () => {
  show();
  bar();
  if (socket?.readyState === WebSocket.OPEN && wanted().some((topic) => !followed.has(topic))) subscribe();
});

if (wanted().length) {
  show("connecting");
  connect();
}
