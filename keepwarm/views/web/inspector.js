/** One request's verdict, beside whatever view it was opened from: the words of explain, the edits, the break. */
import { get } from "./api.js";
import { bar, legend, partsOf } from "./bars.js";
import { diff } from "./diff.js";
import { copyable, fill, h } from "./dom.js";
import { chip } from "./rows.js";
import { inline, named, showRule } from "./rule.js";
import { address, changed, here, replace } from "./route.js";
import { stack } from "./segments.js";
import * as words from "./words.js";

let element, fresh, shown = "", opener = "", neighbours = [];

export function mount(aside) {
  element = aside;
}

/** The request that the address asks for, or none. */
export function update() {
  const id = here().params.at ?? "";
  if (id === shown) return;
  if (id && !shown) opener = document.activeElement?.closest?.("[data-key]")?.dataset.key ?? "";
  shown = id;
  element.hidden = !id;
  if (!id) return back();
  fresh?.abort();
  fresh = new AbortController();
  show(id, fresh.signal);
}

/** Show it again: its verdict is a better one now. */
export function amended(record) {
  if (record.id !== shown) return;
  shown = "";
  update();
}

/** The turn before or after in its conversation. */
export function turn(step) {
  const place = neighbours.findIndex((record) => record.id === shown);
  const next = neighbours[place + step];
  if (place >= 0 && next) replace(changed({ at: next.id }));
}

function back() {
  neighbours = [];
  if (element.contains(document.activeElement) || document.activeElement === document.body) {
    const row = opener ? document.querySelector(`[data-key="${CSS.escape(opener)}"]`) : null;
    const link = row?.matches("a") ? row : row?.querySelector("a");
    (link ?? document.querySelector("#main")).focus();
  }
}

async function show(id, signal) {
  try {
    const answer = await get(`requests/${encodeURIComponent(id)}`, {}, signal);
    const first = !element.querySelector(".verdict");
    fill(element, page(answer));
    element.scrollTop = 0;
    if (first && innerWidth <= 900) element.querySelector("h1").focus();
    const { request } = answer;
    const later = request.lineage ? get("requests", { lineage: request.lineage, limit: 200 }, signal) : Promise.resolve({ records: [request] });
    const [parts, around] = await Promise.all([get(`requests/${encodeURIComponent(id)}/segments`, {}, signal), later]);
    fill(element.querySelector(".v-stack"), h("h2", "The prompt, as the model reads it"), stack(parts));
    neighbours = around.records.slice().reverse();
    steps();
    if (request.verdict?.place) await showDiff(id, signal);
  } catch (error) {
    if (error.name === "AbortError") return;
    fill(element, head("Request", null), h("p.oops", error.message));
  }
}

async function showDiff(id, signal) {
  const found = await get(`requests/${encodeURIComponent(id)}/diff`, {}, signal);
  const place = element.querySelector(".v-diff");
  if (!found || (!found.before && !found.after) || !place) return;
  const hint = found.recorded ? "" : "Letters and figures are hidden: `keepwarm serve --record` keeps the words.";
  fill(place, h("h2", "The first place that differs"), found.path && h("p.mono.muted", found.path), diff(found.before ?? "", found.after ?? ""), hint && h("p.muted.small", inline(hint)));
}

function steps() {
  const place = neighbours.findIndex((record) => record.id === shown);
  const link = (step, says, key) => {
    const to = neighbours[place + step];
    return to && place >= 0 ? h("a.plain.step", { href: changed({ at: to.id }), title: `${says} turn (${key})`, "aria-label": `${says} turn`, onclick: (event) => (event.preventDefault(), turn(step)) }, key) : null;
  };
  fill(element.querySelector(".steps"), link(-1, "previous", "["), link(1, "next", "]"));
}

function head(title, outcome) {
  return h("header.v-head", h("h1", { tabindex: -1 }, title), outcome && chip(outcome), h("span.grow"), h("span.steps"),
    h("button.plain", { type: "button", title: "Close (Esc)", "aria-label": "Close the verdict", onclick: () => replace(changed({ at: "" })) }, h("span", { "aria-hidden": "true" }, "✕")));
}

function page({ request, previous, recorded, page: text }) {
  const verdict = request.verdict;
  const sessionName = request.session || request.lineage;
  return h("article.verdict",
    head(request.turn ? `Turn ${request.turn}, ${words.kindOf(request)}` : "Request", words.outcomeOf(request)),
    h("div.v-body",
      h("p.muted", words.moment(request.at), " · ", words.clientOf(request.client), " · ", sessionName ? h("a", { href: address("session", sessionName, { at: request.id }) }, `session ${words.brief(sessionName)}`) : "no session"),
      request.error && h("p.oops", request.error),
      verdict?.sentence && h("p.sentence", verdict.sentence),
      reuse(request),
      verdict && causes(verdict, previous),
      h("section.v-diff"),
      h("section.v-stack"),
      edits(request),
      h("section", h("h2", "Where and how long"), facts(request)),
      h("details", h("summary", "In the words of keepwarm explain"), h("pre.words", { tabindex: 0, "aria-label": "keepwarm explain" }, text ?? ""), copyable(`keepwarm explain ${request.id}`)),
      !recorded && h("p.muted.small", "Its texts are not recorded.")));
}

function reuse(request) {
  const parts = partsOf(request);
  if (parts.reused === null) {
    return h("section", bar(parts, { tall: true }), h("p.muted", `The server reported no cached tokens for this request${parts.prompt === null ? "" : `, whose prompt had ${words.times(parts.prompt, "token")}`}.`));
  }
  return h("section", bar(parts, { tall: true }),
    h("dl.parts",
      h("div", h("dt", h("i.reused", { "aria-hidden": "true" }), "reused"), h("dd", words.count(parts.reused), h("small", words.share(parts.reused, parts.prompt)))),
      h("div", h("dt", h("i.again", { "aria-hidden": "true" }), "again"), h("dd", words.count(parts.again), h("small", words.share(parts.again, parts.prompt)))),
      h("div", h("dt", h("i.fresh", { "aria-hidden": "true" }), "new"), h("dd", words.count(parts.fresh), h("small", words.share(parts.fresh, parts.prompt)))),
      h("div", h("dt", "prompt"), h("dd", words.count(parts.prompt), h("small", "tokens")))));
}

const GRADES = {
  exact: "by the server's own token ids",
  counted: "by the token counts that the server reports",
  estimated: "estimated from bytes",
  unknown: "the server does not report enough to tell",
};

function causes(verdict, previous) {
  const places = new Map((verdict.places.length ? verdict.places : verdict.place ? [verdict.place] : []).map((place) => [place.code, place]));
  const codes = [...verdict.causes, ...(places.has("") ? [""] : [])];
  const lost = verdict.lost ? `${words.times(verdict.lost, "token")}${verdict.lost_ms === null ? "" : ` (${words.span(verdict.lost_ms)})`} had been processed before and were processed again.` : "";
  return h("section", h("h2", "Verdict"),
    h("dl.facts",
      verdict.had !== null && [h("dt", "had"), h("dd", `${words.times(verdict.had, "token")} stood in the cache after ${previous ? `turn ${previous.turn}` : "the request before it"}`)],
      verdict.expected !== null && [h("dt", "expected"), h("dd", `${words.times(verdict.expected, "token")} could have been reused`)],
      verdict.actual !== null && [h("dt", "actual"), h("dd", `${words.count(verdict.actual)} were reused`)],
      lost && [h("dt", "lost"), h("dd", lost)],
      h("dt", "fault"), h("dd", words.faultOf(verdict)),
      h("dt", "rests on"), h("dd", `${verdict.grade}: ${GRADES[verdict.grade]}`)),
    codes.map((code) => causeOf(code, places.get(code))));
}

function causeOf(code, place) {
  const where = place && `in ${place.what}${place.offset ? `, after ${words.times(place.offset, "character")}` : ""}`;
  const about = h("div.rule");
  const details = h("details.causing", h("summary", h("b.cause", named(code) || "known to no rule"), where && ` ${where}`), place?.path && h("p.mono.muted", place.path), about);
  details.addEventListener("toggle", () => details.open && !about.firstChild && code && showRule(code, about));
  return details;
}

function edits(request) {
  if (!request.edits.length) return request.sent_bytes ? h("p.muted", "keepwarm changed nothing: it sent what the client said.") : null;
  return h("section", h("h2", "What keepwarm changed"), h("ul.edits", request.edits.map((edit) => h("li",
    h("b.cause", edit.code), ` ×${edit.count} `, h("span.muted", `${edit.safety}; ${words.times(edit.removed, "character")} out, ${words.count(edit.added)} in${edit.standing ? "; stands since an earlier request" : ""}`),
    edit.path && h("div.mono.muted", edit.path), edit.note && h("div", edit.note)))));
}

function facts(request) {
  const { usage, seat } = request;
  const processed = usage.prompt_tokens === null || usage.cached_tokens === null ? null : usage.prompt_tokens - usage.cached_tokens;
  const rows = [
    ["sent to", seat ? `${seat.slot === null ? "a slot that the server chose" : `slot ${seat.slot}`}${seat.reason ? `: ${seat.reason}` : ""}` : request.upstream || "nowhere"],
    ["model", `${request.model || "-"} on ${request.upstream || "-"}`],
    ["first token", words.span(request.first_token_ms)],
    ["whole", words.span(request.total_ms)],
    ["prefill", usage.prompt_ms === null ? "-" : `${words.span(usage.prompt_ms)}${processed && usage.prompt_ms ? `, ${words.count(Math.round((processed / usage.prompt_ms) * 1000))} tokens/s` : ""}`],
    ["output", `${words.times(usage.output_tokens, "token")}${words.rate(usage) === null ? "" : `, ${words.perSecond(words.rate(usage))} tokens/s`}`],
    ["keepwarm's work", words.span(request.overhead_ms)],
    ["bytes", `${words.count(request.received_bytes)} received, ${words.count(request.sent_bytes)} sent on, ${words.count(request.answered_bytes)} answered`],
    ["id", request.id],
  ];
  return h("dl.facts", rows.map(([name, value]) => [h("dt", name), h("dd", value)]));
}
