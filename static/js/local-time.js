// Times in the zone the person chose (Settings), else in the browser's, where the server's are UTC:
// `clock` 20:03:41 (`minute` 20:03) today and `14 Nov` before, `moment` both
// always, `ago` 4 min ago, kept current. The full instant is the title.
import { attach } from "./attach.js";

const MINUTE = 60;
const HOUR = 3600;
const DAY = 86_400;
const timeZone = document.documentElement.dataset.zone || undefined;

function format(parts) {
  try {
    return new Intl.DateTimeFormat("en-GB", { timeZone, ...parts });
  } catch {
    return new Intl.DateTimeFormat("en-GB", parts); // a zone that this browser does not know
  }
}

const clock = format({ hour: "2-digit", minute: "2-digit", second: "2-digit" });
const minute = format({ hour: "2-digit", minute: "2-digit" });
const day = format({ day: "numeric", month: "short" });
const dayYear = format({ day: "numeric", month: "short", year: "numeric" });
const year = format({ year: "numeric" });
const full = format({ dateStyle: "medium", timeStyle: "long" });
const fields = format({ year: "numeric", month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit", second: "2-digit" });

// What a chart's axis, which knows no zones, is to write for an instant.
export function wallClock(instant) {
  const part = Object.fromEntries(fields.formatToParts(new Date(instant)).map(({ type, value }) => [type, value]));
  return `${part.year}-${part.month}-${part.day} ${part.hour}:${part.minute}:${part.second}`;
}

function date(at, now) {
  return (year.format(at) === year.format(now) ? day : dayYear).format(at);
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
  const today = dayYear.format(at) === dayYear.format(now);
  const text = style === "ago" ? ago(at, now) : style === "moment" ? `${date(at, now)} ${clock.format(at)}` : today ? (style === "minute" ? minute : clock).format(at) : date(at, now);
  if (element.textContent !== text) element.textContent = text;
  element.title = full.format(at);
}

attach("time[data-time]", show);
// Forms that mean the reader's clock say which that is.
attach("[data-zone]", (field) => (field.value = Intl.DateTimeFormat().resolvedOptions().timeZone));
setInterval(() => document.querySelectorAll("time[data-time=ago]").forEach(show), 20_000);
