// Calls that open breakers kept back, a bar a step, each vendor a part of it.
import { axis, escape, inTheMiddle, sheet, timeAxis, times } from "./chart-parts.js";
import { wallClock } from "./local-time.js";

// `points` [{at, until, counts}], `series` [{name, tone}] (in the order of the counts), `step` "day" or
// "2 h", `finding`, as the page's JSON has them; `t` the tokens.
export function saved({ points, series, step, finding }, t, element) {
  const x = times(points);
  const width = points.map(({ at, until }) => Date.parse(until) - Date.parse(at));
  const traces = series.map(({ name, tone }, index) => ({
    x, y: points.map(({ counts }) => counts[index]), name: escape(name), type: "bar", offset: 0, width: width.map((ms) => ms * 0.84),
    marker: { color: t[`${tone}-fg`], line: { color: t["surface-1"], width: 1 } }, hovertemplate: "%{y:,.0f}<extra>%{fullData.name}</extra>",
  }));
  const ends = { from: x[0], until: wallClock(points[points.length - 1].until) };
  const layout = sheet(t, element, { right: 12, top: 12 }, {
    barmode: "stack", yaxis: axis(t, [0, 1], { tickformat: "~s", ticksuffix: " " }),
    xaxis: timeAxis(t, { ...ends, days: step === "day", narrow: element.clientWidth < 520 }),
    annotations: series.length ? [] : [inTheMiddle(t, finding)],
  });
  return { traces, layout };
}
