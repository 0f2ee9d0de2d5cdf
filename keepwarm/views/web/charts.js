/** Charts over time, by uPlot. A chart has its figures in a table too: a picture alone says nothing to many. */
import { h } from "./dom.js";
import { moment } from "./words.js";
import uPlot from "./vendor/uplot/uPlot.esm.js";

const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();

/** Stripes for what must not be told by its colour alone. */
function hatched(name) {
  const tile = document.createElement("canvas");
  tile.width = tile.height = 6;
  const pen = tile.getContext("2d");
  pen.fillStyle = colour(`${name}-pale`);
  pen.fillRect(0, 0, 6, 6);
  pen.strokeStyle = colour(name);
  pen.lineWidth = 2;
  pen.beginPath();
  for (const start of [-6, 0, 6]) pen.moveTo(start, 6), pen.lineTo(start + 6, 0);
  pen.stroke();
  return pen.createPattern(tile, "repeat");
}

const axis = (values, size) => ({ stroke: colour("muted"), grid: { stroke: colour("line"), width: 1 }, ticks: { stroke: colour("line"), width: 1 }, font: "11px system-ui, sans-serif", values, size });

/** The time of day, or the day where it begins. */
function when(at) {
  const said = moment(at);
  return said.slice(11, 16) === "00:00" ? said.slice(5, 10) : said.slice(11, 16);
}

const said = (value, says) => (value === null || value === undefined ? "-" : says(value));

/**
 * A chart that follows the width of where it stands.
 *
 * times    Unix seconds
 * ends     where the span ends, Unix seconds
 * series   [{label, values, told, colour, kind: "line"|"bars", dash, pattern}]
 * says     value -> text for the axis and the legend
 */
export function chart({ label, times, series, says, range, ends, sync = "time" }) {
  const place = h("div.chart", { role: "img", "aria-label": label });
  const bars = uPlot.paths.bars({ size: [0.7, 26], align: 1 });
  const options = {
    width: 400,
    height: 200,
    cursor: { sync: { key: sync }, points: { size: 6 } },
    scales: { x: { range: (_, low, high) => [low, ends ?? high] }, y: { range: range ?? ((_, low, high) => [0, high > 0 ? high * 1.1 : 1]) } },
    axes: [axis((_, ticks) => ticks.map(when), 30), axis((_, ticks) => ticks.map((tick) => says(tick)), 52)],
    series: [
      { value: (_, at) => (at === null ? "-" : moment(at).slice(0, 16)) },
      ...series.map((one) => ({
        label: one.label,
        // What stands on another is drawn with it and told without it.
        value: (_, value, __, index) => said(one.told ? one.told[index] : value, says),
        stroke: colour(one.colour),
        width: one.kind === "bars" ? 1 : 2,
        dash: one.dash,
        fill: one.pattern ? hatched(one.colour) : one.kind === "bars" ? colour(one.colour) : undefined,
        paths: one.kind === "bars" ? bars : undefined,
        points: { show: one.kind !== "bars" && times.length < 60, size: 5 },
        spanGaps: false,
      })),
    ],
  };
  const plot = new uPlot(options, [times, ...series.map((one) => one.values)], place);
  const fit = new ResizeObserver(() => {
    if (!place.isConnected) return fit.disconnect();
    const legend = place.querySelector(".u-legend")?.offsetHeight ?? 26;
    plot.setSize({ width: place.clientWidth, height: Math.max(90, place.clientHeight - legend) });
  });
  fit.observe(place);
  return place;
}

/** The same figures as a table, folded. */
export function figures(columns, rows) {
  return h("details.figures-table", h("summary", "as a table"), h("div.scroll", { tabindex: 0, role: "region", "aria-label": "Figures" }, h("table", h("thead", h("tr", columns.map((name) => h("th", { scope: "col" }, name)))), h("tbody", rows.map((row) => h("tr", row.map((cell) => h("td", cell))))))));
}
