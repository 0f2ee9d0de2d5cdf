/** Over time: hit rate, tokens, cost; and what the causes cost. */
import { get } from "../api.js";
import { fill, h } from "../dom.js";
import { empty } from "../empty.js";
import { address, changed, spanOf } from "../route.js";
import { named } from "../rule.js";
import * as words from "../words.js";
import { money, saved } from "./live.js";

const RANGES = { "1h": ["hour", 120], "6h": ["6 hours", 600], "24h": ["day", 3600], "7d": ["week", 21600], "30d": ["month", 86400] };

let chart, figures;

export function create(root, params, context) {
  let run = 0, timer;
  const theme = new MutationObserver(() => restart());
  theme.observe(document.documentElement, { attributes: true, attributeFilter: ["data-theme"] });
  const dark = matchMedia("(prefers-color-scheme: dark)");
  dark.addEventListener("change", restart);

  async function load() {
    const mine = ++run;
    // Only here: the other views need no charts, and stand without them.
    ({ chart, figures } = await import("../charts.js"));
    const time = RANGES[params.time] ? params.time : "24h";
    const step = RANGES[time][1];
    const until = Math.ceil(Date.now() / 1000 / step) * step;
    const since = until - spanOf(time);
    const [{ buckets }, totals, costs] = await Promise.all([get("series", { since, until, step }), get("totals", { since }), get("costs", { since })]);
    if (mine !== run) return;
    const tabs = h("nav.choices", { "aria-label": "Span" }, Object.entries(RANGES).map(([name, [says]]) => h("a.plain.choice", { href: changed({ time: name }), "aria-current": name === time ? "true" : null }, says)));
    const head = h("div.title", h("h1", "Trends"), tabs, h("span.muted", `${words.times(totals.requests, "request")}, ${words.hitRate(totals)} reused, ${money(costs)} ${costs.currency ? "" : "of server time"}, ${saved(costs)}`));
    if (!buckets.length) return void fill(root, head, context.live && totals.requests === 0 && time === "30d" ? empty(context.live) : h("p.note", "No requests in this span: choose a longer one above."));
    const full = filled(buckets, since, until, step);
    const spent = await spentIn(full, costs);
    if (mine !== run) return;
    fill(root, head, h("div.plots", hits(full, until), tokens(full, until), spending(full, until, spent, costs), causes(totals)), costs.basis && h("p.muted.small", costs.basis));
  }

  function restart() {
    load().catch(context.failed);
  }
  restart();
  return {
    hear(kind) {
      if (kind === "record" || kind === "back") timer ??= setTimeout(() => ((timer = undefined), restart()), 2000);
    },
    update(now) {
      const same = now.time === params.time;
      params = now;
      if (!same) restart();
    },
    move: () => false,
    close() {
      run++;
      clearTimeout(timer);
      theme.disconnect();
      dark.removeEventListener("change", restart);
    },
  };
}

/**
 * What each step cost, by the moment it begins, where the model has a price: the difference of what was spent since then
 * and since the next one. Null where there is no price.
 */
async function spentIn(rows, costs) {
  if (!costs.currency) return null;
  const until = await Promise.all(rows.map(({ at, sums }, index) => (sums || rows[index - 1]?.sums ? get("costs", { since: at }) : null)));
  return rows.map(({ sums }, index) => {
    if (!sums) return null;
    return until[index].amount - (until[index + 1]?.amount ?? 0);
  });
}

/** A step without requests is a gap in a line and no bar. */
function filled(buckets, since, until, step) {
  const known = new Map(buckets.map((bucket) => [Math.round(bucket.at / step), bucket.sums]));
  const rows = [];
  for (let at = Math.floor(since / step); at < until / step; at++) rows.push({ at: at * step, sums: known.get(at) ?? null });
  return rows;
}

const reported = (sums) => sums && sums.cached_tokens + sums.processed_tokens > 0;
const panel = (title, says, ...inside) => h("section.panel", h("header", h("h2", title), h("span.muted", says)), h("div.pad", inside));
const clockOf = (row) => words.moment(row.at).slice(5, 16);

function hits(rows, ends) {
  const values = rows.map(({ sums }) => (reported(sums) ? (sums.cached_tokens / (sums.cached_tokens + sums.processed_tokens)) * 100 : null));
  const says = (value) => `${value.toFixed(0)}%`;
  const plot = chart({ label: "Hit rate over time", times: rows.map((row) => row.at), ends, says, range: () => [0, 105], series: [{ label: "hit rate", values, colour: "reused", kind: "line" }] });
  return panel("Hit rate", "share of the prompts' tokens that was reused", plot, figures(["from", "hit rate", "requests"], rows.filter(({ sums }) => sums).map((row) => [clockOf(row), words.hitRate(row.sums), words.count(row.sums.requests)])));
}

function tokens(rows, ends) {
  const part = (pick) => rows.map(({ sums }) => (reported(sums) ? pick(sums) : null));
  const again = (sums) => Math.min(sums.processed_tokens, sums.lost_tokens);
  const plot = chart({
    label: "Prompt tokens over time: reused, processed again, new",
    times: rows.map((row) => row.at),
    ends,
    says: words.short,
    series: [
      { label: "new", values: part((sums) => sums.cached_tokens + sums.processed_tokens), told: part((sums) => sums.processed_tokens - again(sums)), colour: "fresh-line", kind: "bars" },
      { label: "again", values: part((sums) => sums.cached_tokens + again(sums)), told: part(again), colour: "again", kind: "bars", pattern: true },
      { label: "reused", values: part((sums) => sums.cached_tokens), colour: "reused", kind: "bars" },
    ],
  });
  return panel("Tokens", "of prompts: reused, processed again, new", plot, figures(["from", "reused", "again", "new"], rows.filter(({ sums }) => reported(sums)).map((row) => [clockOf(row), words.count(row.sums.cached_tokens), words.count(again(row.sums)), words.count(row.sums.processed_tokens - again(row.sums))])));
}

function spending(rows, ends, prices, costs) {
  const priced = Boolean(prices);
  const spent = prices ?? rows.map(({ sums }) => (sums && sums.prompt_ms + sums.output_ms > 0 ? (sums.prompt_ms + sums.output_ms) / 1000 : null));
  const lost = rows.map(({ sums }) => (!priced && sums && sums.lost_ms ? sums.lost_ms / 1000 : null));
  const says = priced ? (value) => money({ amount: value, currency: costs.currency }) : (value) => (value ? words.span(value * 1000) : "0");
  const series = [{ label: priced ? "cost" : "server time", values: spent, colour: "output", kind: "bars" }];
  if (!priced) series.push({ label: "of it lost", values: lost, colour: "again", kind: "bars", pattern: true });
  const plot = chart({ label: "Cost over time", times: rows.map((row) => row.at), ends, says, series });
  return panel("Cost", priced ? "by the model's price" : "server time: prefill and generation", plot, figures(["from", priced ? "cost" : "server time", "lost"], rows.map((row, index) => [clockOf(row), spent[index], lost[index]]).filter((row) => row[1] !== null).map(([at, one, two]) => [at, says(one), two === null ? "-" : says(two)])));
}

function causes(totals) {
  const misses = new Map(totals.misses_by_cause ?? []);
  const most = Math.max(1, ...totals.lost_by_cause.map(([, lost]) => lost));
  const rows = totals.lost_by_cause.map(([code, lost]) => [
    h("dt", code ? h("a.cause", { href: address("requests", "", { cause: code }) }, named(code)) : h("span.cause", "no rule")),
    h("dd.in", h("span.meter", { "aria-hidden": "true" }, h("i.again", { style: { "flex-grow": String(lost) } }), h("i.rest", { style: { "flex-grow": String(most - lost) } }))),
    h("dd.in.num", `${words.times(lost, "token")}${misses.has(code) ? `, ${words.times(misses.get(code), "request")}` : ""}`)]);
  return panel("What cost the cache", "tokens processed again, by cause", rows.length ? h("dl.tally", rows) : h("p.note", "Nothing was lost."));
}
