// Two panes on one time axis: events per minute above, the share that failed below. The last values
// are written at the right end; incidents and changes are dotted verticals with a worded flag.
import { axis, endLabel, fade, flags, inTheMiddle, isNarrow, line, sheet, timeAxis, times } from "./chart-parts.js";

const LEFT = 38;
const A_DAY_OR_TWO = 172_800;

// `points` [{at, events, failed, recovered}] and `markers` as the page's JSON has them; `t` the tokens.
export function rate({ points: all, markers, finding, step_seconds: step }, t, element) {
  // A step that is not over yet would show as a fall.
  const whole = all.filter(({ at }) => Date.parse(at) + step * 1000 <= Date.now());
  const points = whole.length > 1 ? whole : all;
  const x = times(points);
  const minutes = step / 60;
  const perMinute = points.map(({ events }) => events / minutes);
  const share = points.map(({ events, failed }) => (events ? (100 * failed) / events : 0));
  const recovered = points.map(({ events, recovered: own }) => (events ? (100 * own) / events : 0));
  const narrow = isNarrow(element);
  const right = narrow ? 12 : 74;
  const last = points.length - 1;
  const ends = { from: x[0], until: x[last], narrow };
  const { shapes, annotations, top } = flags(t, markers, { ...ends, width: element.clientWidth - LEFT - right });
  if (!narrow) {
    annotations.push(...endLabel(t, perMinute[last], "y", Math.round(perMinute[last]).toLocaleString("en"), "events"));
    annotations.push(...endLabel(t, share[last], "y2", `${share[last].toFixed(1)}%`, "failing"));
  }
  if (!perMinute.some(Boolean)) annotations.push(inTheMiddle(t, finding));
  const hover = { hovertemplate: "%{y:,.0f} a minute<extra>%{fullData.name}</extra>" };
  const percent = { yaxis: "y2", hovertemplate: "%{y:.1f}%<extra>%{fullData.name}</extra>" };
  const traces = [
    line(t, x, perMinute, "blue", "Events", { ...hover, fill: "tozeroy", fillcolor: fade(t["blue-fg"], 0.1) }),
    line(t, x, share, "red", "Share failing", { ...percent, fill: "tozeroy", fillcolor: fade(t["red-fg"], 0.2) }),
    line(t, x, recovered, "green", "Recovered by itself", { ...percent, line: { color: t["green-fg"], width: 1.5, dash: "1px,3.5px" } }),
  ];
  const layout = sheet(t, element, { left: LEFT, right, top }, {
    xaxis: timeAxis(t, { ...ends, days: step * points.length > A_DAY_OR_TWO, anchor: "y2" }),
    yaxis: axis(t, [0.42, 1], { tickformat: "~s", ticksuffix: " " }),
    yaxis2: axis(t, [0, 0.3], { ticksuffix: "% ", nticks: 3, range: [0, Math.max(5, ...share) * 1.1] }),
    shapes, annotations,
  });
  return { traces, layout };
}
