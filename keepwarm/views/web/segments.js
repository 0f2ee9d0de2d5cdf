/** The prompt as a stack of segments, top to bottom as the model reads it: what stood, what is new, what changed. */
import { h } from "./dom.js";
import { inline } from "./rule.js";
import { count, short, times } from "./words.js";

const STATES = {
  stable: ["reused", "stands as before"],
  changed: ["again", "changed here"],
  again: ["again", "processed again, behind the change"],
  new: ["fresh", "new"],
};
const sizeOf = (segment) => segment.tokens ?? Math.ceil((segment.chars ?? 0) / 3.6);

/** Segments with what stands in a row folded into one. */
export function folded(segments) {
  const rows = [];
  for (const segment of segments) {
    const last = rows.at(-1);
    if (last && last.state === segment.state && segment.state !== "changed") last.of.push(segment);
    else rows.push({ state: segment.state, of: [segment] });
  }
  return rows;
}

export function stack({ segments, grade }) {
  if (!segments.length) return h("p.muted", "The ledger does not know of what this prompt was made.");
  const whole = segments.reduce((sum, segment) => sum + sizeOf(segment), 0) || 1;
  const tower = h("div.tower", { role: "img", "aria-label": summary(segments) });
  for (const segment of segments) {
    const [kind] = STATES[segment.state] ?? STATES.new;
    const share = (sizeOf(segment) / whole) * 100;
    tower.append(h(`i.${kind}`, { style: { "flex-grow": String(Math.max(share, 0.6)) }, class: segment.state === "changed" ? "break" : "", title: `${segment.what}: ${size(segment)}` }));
  }
  const list = h("ol.segments", folded(segments).map(row));
  const from = grade === "recorded" ? "" : "Texts are not recorded: the parts follow from the counts of the verdict. `keepwarm serve --record` keeps the segments.";
  return h("div", h("div.stack", tower, list), from && h("p.muted.small", inline(from)));
}

const size = (segment) => (segment.tokens === null || segment.tokens === undefined ? times(segment.chars, "character") : times(segment.tokens, "token"));

function summary(segments) {
  const sums = {};
  for (const segment of segments) sums[segment.state] = (sums[segment.state] ?? 0) + sizeOf(segment);
  return `The prompt, ${segments.length} segments: ${Object.entries(sums).map(([state, sum]) => `${short(sum)} tokens ${STATES[state]?.[1] ?? state}`).join(", ")}`;
}

function row({ state, of }) {
  const [kind, says] = STATES[state] ?? STATES.new;
  const mark = h(`i.${kind}`, { "aria-hidden": "true" });
  if (of.length === 1) return h("li", { class: state }, mark, h("div", segment(of[0], says)));
  const tokens = of.reduce((sum, one) => sum + sizeOf(one), 0);
  const names = `${of[0].what} to ${of.at(-1).what}`;
  return h("li", { class: state }, mark,
    h("details", h("summary", h("b", names), h("span.muted", ` ${of.length} segments, ${count(tokens)} tokens, ${says}`)), h("ol", of.map((one) => h("li", segment(one, ""))))));
}

function segment(one, says) {
  return [
    h("b", one.what || one.path || "prompt"), h("span.muted", ` ${[size(one), says].filter(Boolean).join(", ")}`),
    one.text ? h("details", h("summary.muted", "its words"), h("pre.words", { tabindex: 0 }, one.text)) : null,
  ];
}
