// Two panes on one time axis: how long recovering and answering took above, the share of incidents
// that recovered without a person below. A step in which nothing ended has no point.
import { axis, endLabel, inTheMiddle, isNarrow, line, sheet, timeAxis, times } from "./chart-parts.js";

const STEPS = [1, 5, 15, 30, 60, 300, 900, 1800, 3600, 7200, 14_400, 21_600, 43_200, 86_400, 172_800, 604_800, 2_592_000];
const UNITS = [[86_400, "d"], [3600, "h"], [60, "m"], [1, "s"]];

function words(seconds) {
  const [size, unit] = UNITS.find(([length]) => seconds >= length && seconds % length === 0) ?? [1, "s"];
  return `${seconds / size} ${unit} `;
}

// Round durations up to the highest, about four of them.
function ticks(most) {
  const step = STEPS.find((one) => most / one <= 4) ?? Math.ceil(most / 4 / 2_592_000) * 2_592_000;
  const values = Array.from({ length: Math.floor(most / step) + 1 }, (_, index) => index * step);
  return { tickvals: values, ticktext: values.map((value) => (value ? words(value) : "0 ")) };
}

// What stands alone between gaps is no line; it gets a dot.
function dots(values, colour) {
  const alone = (index) => values[index] !== null && (values[index - 1] ?? null) === null && (values[index + 1] ?? null) === null;
  return { mode: "lines+markers", connectgaps: false, marker: { color: colour, size: values.map((_, index) => (alone(index) ? 5 : 0)), line: { width: 0 } } };
}

function lastOf(values) {
  return values.findLast((value) => value !== null) ?? null;
}

// `points` [{at, share, recover, recover_words, answer, answer_words}] (seconds, or null), `step`
// "day" or "2 h", `finding`, as the page's JSON has them; `t` the tokens.
export function recovery({ points, step, finding }, t, element) {
  const x = times(points);
  const of = (key) => points.map((point) => point[key]);
  const [share, recover, answer] = [of("share"), of("recover"), of("answer")];
  const narrow = isNarrow(element);
  const most = Math.max(1, ...recover, ...answer);
  const annotations = [];
  const label = (values, ref, figure, word) => {
    const value = lastOf(values);
    if (value !== null && !narrow) annotations.push(...endLabel(t, value, ref, figure(value), word));
  };
  // Two ends at one height would be read as one; the longer time is what counts.
  label(recover, "y", () => points.findLast((one) => one.recover !== null).recover_words, "to recover");
  if (Math.abs((lastOf(recover) ?? -most) - (lastOf(answer) ?? 0)) > most / 4)
    label(answer, "y", () => points.findLast((one) => one.answer !== null).answer_words, "to answer");
  label(share, "y2", (value) => `${value.toFixed(1)}%`, "alone");
  if (![...share, ...answer].some((value) => value !== null)) annotations.push(inTheMiddle(t, finding));
  const spoken = (key) => ({ customdata: of(`${key}_words`), hovertemplate: "%{customdata}<extra>%{fullData.name}</extra>" });
  const violet = { color: t["violet-fg"], width: 1.5, dash: "5px,3px" };
  const traces = [
    line(t, x, recover, "blue", "To recover", { ...dots(recover, t["blue-fg"]), ...spoken("recover") }),
    line(t, x, answer, "violet", "To answer", { ...dots(answer, t["violet-fg"]), ...spoken("answer"), line: violet }),
    line(t, x, share, "green", "Without a person", { ...dots(share, t["green-fg"]), yaxis: "y2", hovertemplate: "%{y:.1f}%<extra>%{fullData.name}</extra>" }),
  ];
  const layout = sheet(t, element, { left: 46, right: narrow ? 12 : 82, top: 20 }, {
    xaxis: timeAxis(t, { from: x[0], until: x[x.length - 1], days: step === "day", narrow, anchor: "y2" }),
    yaxis: axis(t, [0.46, 1], { ...ticks(most), range: [0, most * 1.08] }),
    yaxis2: axis(t, [0, 0.34], { ticksuffix: "% ", nticks: 3, range: [0, 105] }), annotations,
  });
  return { traces, layout };
}
