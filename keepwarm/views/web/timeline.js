/**
 * A session's life: each request a bar, in the order in which they came, each conversation on a lane of its own. From
 * the ground up a bar is what was reused, what was processed again, what was new, and the answer on top.
 */
import { partsOf, told } from "./bars.js";
import { h } from "./dom.js";
import { changed } from "./route.js";
import { titleOf } from "./tree.js";
import * as words from "./words.js";
import { short } from "./words.js";

const NARROW = 20;
const WIDE = 34;
const LABEL = 46;
const OWN_LANES = 5;
const HEIGHT = { main: 132, subagent: 62, side: 44 };

/**
 * records  of the session, oldest first
 * lanes    as lanesOf makes them
 * room     pixels of width: bars are wider where few of them are to be seen
 */
export function timeline(records, lanes, room) {
  const pitch = Math.max(NARROW, Math.min(WIDE, Math.floor((room - 32) / Math.max(1, records.length))));
  const most = Math.max(1, ...records.map((record) => (record.usage.prompt_tokens ?? 0) + (record.usage.output_tokens ?? 0)));
  const column = new Map(records.map((record, index) => [record.id, index]));
  const width = Math.max(1, records.length) * pitch + 24;
  const area = h("div.life-area", { style: { width: `${width}px`, "--pitch": `${pitch}px` } });
  for (const lane of lanes) area.append(drawLane(lane, records.filter((record) => lane.lineages.has(record.lineage)), column, most, pitch));
  area.append(hours(records, width, pitch));
  const names = h("div.life-names", lanes.map((lane) => h("div", { style: { height: `${HEIGHT[lane.kind] ?? 62}px` } }, h("b", lane.title), h("small.muted", lane.says))));
  const scroller = h("div.life-scroll", { role: "group", "aria-label": "Turns in the order in which they came", tabindex: -1 }, area);
  return h("div.life", names, scroller);
}

/**
 * [{kind, title, says, lineages}]: a lane for each conversation; side calls share one, and so do sub-agents where there
 * are many.
 */
export function lanesOf(conversations, records) {
  const own = (one) => ({ kind: one.kind, title: titleOf(one), says: `${words.times(one.sums.requests, "turn")}, ${words.hitRate(one.sums)}`, lineages: new Set([one.lineage]) });
  const shared = (kind, title, some) => ({ kind, title, says: words.times(some.length, "conversation"), lineages: new Set(some.map((one) => one.lineage)) });
  const of = (kind) => conversations.filter((one) => one.kind === kind);
  const helpers = of("subagent"), sides = of("side");
  const lanes = of("main").map(own);
  lanes.push(...(helpers.length > OWN_LANES ? [shared("subagent", "sub-agents", helpers)] : helpers.map(own)));
  lanes.push(...(sides.length > 1 ? [shared("side", "side calls", sides)] : sides.map(own)));
  const placed = new Set(conversations.map((one) => one.lineage));
  const others = records.filter((record) => !placed.has(record.lineage));
  if (others.length) lanes.push({ kind: "side", title: "no conversation", says: words.times(others.length, "request"), lineages: new Set(others.map((record) => record.lineage)) });
  return lanes;
}

function drawLane(lane, records, column, most, pitch) {
  const height = HEIGHT[lane.kind] ?? 62;
  const element = h("div.lane", { style: { height: `${height}px` } });
  // Room above the bars for a sign and a cause.
  const room = height - (lane.kind === "side" ? 18 : 32);
  const scale = lane.kind === "main" && h("span.scale", { style: { bottom: `${room}px` }, "aria-hidden": "true" }, h("span", short(most)));
  if (scale) element.append(scale);
  let free = -LABEL;
  for (const record of records) {
    const left = column.get(record.id) * pitch + 8;
    const broken = ["miss", "partial", "failed"].includes(words.outcomeOf(record));
    const code = record.verdict?.causes[0] ?? (words.outcomeOf(record) === "failed" ? "failed" : "");
    const named = broken && left - free >= LABEL;
    if (named) free = left;
    element.append(drawTurn(record, left, room, most, broken, named ? code : ""));
  }
  return element;
}

function drawTurn(record, left, room, most, broken, code) {
  const parts = partsOf(record);
  const outcome = words.outcomeOf(record);
  const label = `Turn ${record.turn}, ${words.clock(record.at)}, ${outcome}: ${told(parts)}${record.verdict?.causes.length ? `, ${record.verdict.causes.join(", ")}` : ""}`;
  const tall = (tokens) => `${tokens ? Math.max(2, (tokens / most) * room) : 0}px`;
  const pieces = parts.reused === null
    ? [h("i.output", { style: { height: tall(parts.output) } }), h("i.unknown", { style: { height: tall(parts.prompt ?? most / 8) } })]
    : ["output", "fresh", "again", "reused"].filter((name) => parts[name]).map((name) => h(`i.${name}`, { style: { height: tall(parts[name]) } }));
  return h("a.turn", { href: changed({ at: record.id }), style: { left: `${left}px` }, data: { key: record.id, turn: "" }, "aria-label": label, title: label, class: outcome },
    broken && h("span.mark", { "aria-hidden": "true" }, "▾"), code && h("span.code", { "aria-hidden": "true" }, code), h("span.column", pieces));
}

function hours(records, width, pitch) {
  const axis = h("div.axis", { style: { width: `${width}px` }, "aria-hidden": "true" });
  let last = "", free = -60;
  records.forEach((record, index) => {
    const at = words.clock(record.at, false), left = index * pitch + 8;
    if (at === last || left - free < 60) return;
    axis.append(h("span", { style: { left: `${left}px` } }, at));
    last = at;
    free = left;
  });
  return axis;
}

/** The focus on the next or previous turn. */
export function move(area, step) {
  const turns = [...area.querySelectorAll("[data-turn]")].sort((one, two) => parseFloat(one.style.left) - parseFloat(two.style.left));
  if (!turns.length) return false;
  const now = turns.indexOf(document.activeElement);
  const chosen = turns.findIndex((turn) => turn.getAttribute("aria-current"));
  const from = now >= 0 ? now : chosen >= 0 ? chosen - step : step > 0 ? -1 : turns.length;
  const next = turns[Math.max(0, Math.min(turns.length - 1, from + step))];
  next.focus();
  next.scrollIntoView({ block: "nearest", inline: "nearest" });
  return true;
}

/** Mark the turn that is open, and have it in sight with its neighbours. */
export function choose(area, id) {
  const scroller = area.querySelector(".life-scroll");
  for (const turn of area.querySelectorAll("[data-turn]")) {
    if (turn.dataset.key !== id) {
      turn.removeAttribute("aria-current");
      continue;
    }
    turn.setAttribute("aria-current", "true");
    const left = parseFloat(turn.style.left), wide = scroller.clientWidth;
    if (left < scroller.scrollLeft + 60 || left > scroller.scrollLeft + wide - 60) scroller.scrollLeft = left - wide / 2;
  }
}
