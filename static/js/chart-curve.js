// An incident's failures over time, with what was done about it as flags.
import { axis, endLabel, fade, flags, isNarrow, line, sheet, timeAxis, times } from "./chart-parts.js";

const LEFT = 38;
const A_DAY = 86_400_000;

// `points` [{at, failed}], `markers` [{at, label, tone}] and `until` as the page's JSON has them.
export function curve({ points, markers, until: end }, t, element) {
  const x = [...times(points), ...times([{ at: end }])];
  const y = points.map(({ failed }) => failed);
  const narrow = isNarrow(element);
  const right = narrow ? 12 : 74;
  const ends = { from: x[0], until: x[x.length - 1], narrow };
  const { shapes, annotations, top } = flags(t, markers, { ...ends, width: element.clientWidth - LEFT - right });
  const last = y[y.length - 1];
  if (!narrow) annotations.push(...endLabel(t, last, "y", last.toLocaleString("en"), "last step"));
  // The last step lasts to the end of the axis.
  const trace = line(t, x, [...y, last], "red", "Failures", {
    line: { color: t["red-fg"], width: 1.5, shape: "hv" }, fill: "tozeroy", fillcolor: fade(t["red-fg"], 0.14),
    hovertemplate: "%{y:,.0f}<extra>%{fullData.name}</extra>",
  });
  const long = Date.parse(ends.until) - Date.parse(ends.from) >= A_DAY;
  const short = Date.parse(ends.until) - Date.parse(ends.from) < A_DAY / 144;
  const layout = sheet(t, element, { left: LEFT, right, top }, {
    xaxis: timeAxis(t, { ...ends, tickformat: long ? "%-d %b %H:%M" : short ? "%H:%M:%S" : "%H:%M", hoverformat: "%-d %b %H:%M:%S" }),
    yaxis: axis(t, [0, 1], { nticks: 3, tickformat: "~s", ticksuffix: " " }), shapes, annotations,
  });
  return { traces: [trace], layout };
}
