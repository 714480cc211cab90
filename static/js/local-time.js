// Server times are UTC; here they become the reader's: `clock` 20:03:41 (`minute` 20:03) today
// and `14 Nov` before,
// `ago` 4 min ago, kept current. The full instant is the title.
import { attach } from "./attach.js";

const MINUTE = 60;
const HOUR = 3600;
const DAY = 86_400;
const clock = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const minute = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit" });
const day = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short" });
const dayYear = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", year: "numeric" });
const full = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeStyle: "long" });

function date(at, now) {
  return (at.getFullYear() === now.getFullYear() ? day : dayYear).format(at);
}

function ago(at, now) {
  const age = (now - at) / 1000;
  if (age < 45) return "just now";
  if (age < 90 * MINUTE) return `${Math.max(1, Math.round(age / MINUTE))} min ago`;
  if (age < 36 * HOUR) return `${Math.round(age / HOUR)} h ago`;
  if (age < 7 * DAY) return `${Math.round(age / DAY)} d ago`;
  return date(at, now);
}

function show(element) {
  const at = new Date(element.dateTime);
  if (Number.isNaN(at.valueOf())) return;
  const now = new Date();
  const style = element.dataset.time;
  const today = at.toDateString() === now.toDateString();
  const text = style === "ago" ? ago(at, now) : today ? (style === "minute" ? minute : clock).format(at) : date(at, now);
  if (element.textContent !== text) element.textContent = text;
  element.title = full.format(at);
}

attach("time[data-time]", show);
// Forms that mean the reader's clock say which that is.
attach("[data-zone]", (field) => (field.value = Intl.DateTimeFormat().resolvedOptions().timeZone));
setInterval(() => document.querySelectorAll("time[data-time=ago]").forEach(show), 20_000);
