/** The tables of requests and of sessions: their columns. */
import { bar, partsOf, partsOfSums, told } from "./bars.js";
import { h } from "./dom.js";
import { address, changed } from "./route.js";
import { named } from "./rule.js";
import { Table } from "./table.js";
import * as words from "./words.js";

/** An outcome as a sign and a word. */
export function chip(outcome) {
  const [sign, says] = words.OUTCOMES[outcome] ?? ["–", ""];
  return h(`span.chip.${outcome}`, { title: says }, h("b", { "aria-hidden": "true" }, sign), outcome);
}

/** A rule's code, which narrows the list down to it. */
export const cause = (code) => (code ? h("span.cause", code) : "");

function agent(record) {
  const kind = words.kindOf(record);
  return [h("span.mono", words.brief(record.session || record.lineage)), " ", h("span.muted", record.agent ? `${kind} ${words.brief(record.agent)}` : kind)];
}

function inWords(record) {
  const parts = [words.kindOf(record), `turn ${record.turn}`, words.outcomeOf(record), told(partsOf(record)), words.verdictWords(record)];
  return parts.filter(Boolean).join(", ");
}

/** A table of requests; a row opens its verdict. */
export function requestTable({ label, more, days = false, name = "requests" }) {
  return new Table({
    label,
    more,
    name,
    key: (record) => record.id,
    link: (record) => changed({ at: record.id }),
    words: inWords,
    columns: [
      { title: "time", class: "c-time mono", cell: (record) => (days ? words.moment(record.at).slice(5) : words.clock(record.at)) },
      { title: "session", class: "c-agent", cell: agent },
      { title: "turn", class: "c-turn num", cell: (record) => String(record.turn || "-") },
      { title: "prompt", class: "c-bar", cell: (record) => bar(partsOf(record)) },
      { title: "reused / all", class: "c-tokens num mono", cell: (record) => `${words.short(record.usage.cached_tokens)} / ${words.short(record.usage.prompt_tokens)}` },
      { title: "first token", class: "c-first num mono", cell: (record) => words.span(record.first_token_ms) },
      { title: "tok/s", class: "c-rate num mono", cell: (record) => words.perSecond(words.rate(record.usage)) },
      { title: "verdict", class: "c-verdict", cell: (record) => [chip(words.outcomeOf(record)), h("span.why", { title: (record.verdict?.causes ?? []).map(named).join(", ") }, words.verdictWords(record))] },
    ],
  });
}

/** A table of sessions; a row opens the session. */
export function sessionTable({ label, more, name = "sessions", params = {} }) {
  return new Table({
    label,
    more,
    name,
    key: (row) => row.name,
    link: (row) => address("session", row.name, params),
    words: (row) => `session, ${words.clientOf(row.client)}, ${words.times(row.sums.requests, "request")}, hit rate ${words.hitRate(row.sums)}`,
    columns: [
      { title: "session", class: "c-agent mono", cell: (row) => words.brief(row.name) },
      { title: "client", class: "c-client", cell: (row) => words.clientOf(row.client) },
      { title: "model", class: "c-model muted", cell: (row) => row.model || "-" },
      { title: "conv.", class: "c-conv num", cell: (row) => words.count(row.conversations) },
      { title: "requests", class: "c-turn num", cell: (row) => words.count(row.sums.requests) },
      { title: "reused / processed", class: "c-bar", cell: (row) => bar(partsOfSums(row.sums)) },
      { title: "hit rate", class: "c-rate num mono", cell: (row) => words.hitRate(row.sums) },
      { title: "lost", class: "c-first num mono", cell: (row) => words.short(row.sums.lost_tokens) },
      { title: "prompt", class: "c-tokens num mono", cell: (row) => words.short(row.last_prompt_tokens) },
      { title: "last verdict", class: "c-verdict", cell: (row) => [row.last_outcome ? chip(row.last_outcome) : "-", cause(row.last_cause)] },
      { title: "active", class: "c-ago num muted", cell: (row) => words.ago(row.last_at) },
    ],
  });
}
