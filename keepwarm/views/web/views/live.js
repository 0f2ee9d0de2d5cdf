/** What happens now: the figures, what runs, the newest requests; the server's slots, alerts and sessions beside them. */
import { get } from "../api.js";
import { bar, legend, partsOfSums, progressBar } from "../bars.js";
import { fill, h, soonAndAgain } from "../dom.js";
import { empty } from "../empty.js";
import { learn } from "../filters.js";
import { requestTable } from "../rows.js";
import { address, asked, changed, filtersOf, joined, since } from "../route.js";
import * as words from "../words.js";

const KEPT = 200;
const PHASES = { waiting: "waits for a slot", prefill: "the server processes the prompt", generating: "the answer comes" };

export function create(root, params, context) {
  let records = [], rows = [], closed = false, last = null;
  const numbers = h("dl.figures", { "aria-label": "Figures" });
  const running = h("section.panel", { hidden: true, "aria-label": "Running" });
  const table = requestTable({ label: "The newest requests" });
  const list = h("section.panel.tall", h("header", h("h2", "Requests"), h("span.grow"), legend("reused", "again", "fresh")), table.element);
  const slots = h("section.panel", { "aria-label": "Server" }), alerts = h("section.panel", { "aria-label": "Alerts" }), sessions = h("section.panel", { "aria-label": "Sessions" });
  const side = h("div.side", { tabindex: 0, role: "region", "aria-label": "Server, alerts and sessions" }, slots, alerts, sessions);
  const columns = h("div.columns", h("div.wide", running, list), side);
  fill(root, h("h1.sr", "Live"), numbers, columns);
  root.classList.add("flow");

  async function load() {
    const filters = filtersOf(params);
    const { q, time, ...exact } = filters;
    const page = await get("requests", { limit: 100, ...exact });
    if (closed) return;
    learn(page.records);
    records = joined(page.records.filter((record) => asked(record, params)), records, params);
    last = records[0] ?? last;
    if (!records.length && !Object.keys(filters).length) return void fill(root, empty(context.live));
    draw();
    await figures();
  }

  async function figures() {
    const from = since(params);
    const [totals, costs, page] = await Promise.all([get("totals", { since: from }), get("costs", { since: from }), get("sessions", { limit: 8 })]);
    if (closed) return;
    drawFigures(totals, costs);
    learn(page.sessions);
    rows = page.sessions;
    drawSessions();
  }

  const soon = soonAndAgain(() => figures().catch(context.failed));

  function draw() {
    table.show(records);
    table.choose(params.at);
  }

  function drawFigures(totals, costs) {
    const parts = partsOfSums(totals);
    const span = params.time ? `last ${params.time}` : "all requests kept";
    const figure = (name, value, says = "") => h("div", h("dt", name), h("dd", value, h("small", { title: says }, says)));
    fill(numbers,
      figure("hit rate", words.hitRate(totals), totals.unreported ? `${words.count(totals.unreported)} not reported` : span),
      figure("requests", words.count(totals.requests), totals.failed ? `${totals.failed} failed` : span),
      figure("reused", words.short(parts.reused), "tokens from the cache"),
      figure("processed", words.short(totals.unreported < totals.requests ? totals.processed_tokens : null), "tokens prefilled"),
      figure("lost", words.short(totals.lost_tokens), totals.lost_ms ? `${words.span(totals.lost_ms)} once more` : "processed again"),
      figure("first token", words.span(last?.first_token_ms), "of the newest request"),
      figure("tokens/s", last ? words.perSecond(words.rate(last.usage)) : "-", "of the newest answer"),
      figure(costs.currency ? "cost" : "server time", money(costs), saved(costs)));
  }

  function drawSessions() {
    const focused = sessions.contains(document.activeElement) ? document.activeElement.getAttribute("href") : "";
    fill(sessions, h("header", h("h2", "Sessions and agents"), h("span.grow"), h("a", { href: address("sessions") }, "all")),
      rows.length ? h("ul.brief", rows.map((row) => h("li", h("a", { href: address("session", row.name) }, h("span.mono", words.brief(row.name)), h("span.muted", words.clientOf(row.client)), h("span.grow"), h("span.muted", words.ago(row.last_at)), h("b.num", words.hitRate(row.sums))), bar(partsOfSums(row.sums)), h("small.muted", `${words.times(row.conversations, "conversation")}, ${words.times(row.sums.requests, "request")}, prompt ${words.short(row.last_prompt_tokens)}${row.last_outcome ? `, last ${row.last_outcome}` : ""}`)))) : h("p.note", "None yet."));
    if (focused) sessions.querySelector(`a[href="${CSS.escape(focused)}"]`)?.focus();
  }

  function drawLive() {
    const { live } = context;
    if (!live) return;
    const runs = live.running ?? [];
    running.hidden = !runs.length;
    fill(running, h("header", h("h2", "Running"), h("span.muted", words.times(runs.length, "request"))), h("div.running", runs.map(run)));
    drawSlots(live);
    const found = live.alerts ?? [];
    fill(alerts, h("header", h("h2", "Alerts")), found.length ? h("ul.alerts", found.slice(-8).reverse().map((one) => h("li", h("b", { "aria-hidden": "true" }, "▲"), h("a", { href: changed({ at: one.request }) }, one.words)))) : h("p.note", "None: no hit rate under 80 %, no new cause."));
  }

  function run(one) {
    const who = h("span", h("span.mono", words.brief(one.session)), " ", h("span.muted", words.kindOf(one)));
    const took = Math.max(0, Date.now() / 1000 - one.since) * 1000;
    if (!one.progress || one.phase === "generating") return h("div.run", who, h("span.muted", PHASES[one.phase] ?? "at work"), h("span.num.mono", words.span(took)));
    const { processed, total } = one.progress;
    return h("div.run", who, progressBar(one.progress), h("span.num.mono", `${words.share(processed, total)} · ${words.short(processed)}/${words.short(total)}`));
  }

  function drawSlots({ upstream, slots: map }) {
    const known = map ?? [];
    const about = [upstream?.kind, upstream?.model?.split("/").at(-1), upstream?.context && `${words.short(upstream.context)} tokens a slot`].filter(Boolean).join(" · ");
    fill(slots, h("header", h("h2", "Server"), h("span.muted.clip", { title: upstream?.url }, about || "not known yet")),
      known.length ? h("ul.slots", known.map((slot) => h("li", { class: slot.busy ? "busy" : "" },
        h("div.top", h("b", `slot ${slot.slot}`), h("span", slot.busy ? "● busy" : slot.lineage || slot.session ? "○ warm" : "○ empty")),
        slotMeter(slot, upstream),
        h("small", slot.session || slot.lineage ? `${words.brief(slot.session || slot.lineage)} ${slot.kind ? words.kindOf(slot) : ""}` : "-"),
        h("small", slot.tokens === null || slot.tokens === undefined ? "-" : `${words.short(slot.tokens)} tokens`)))) : h("p.note", upstream?.kind ? "This server does not tell its slots." : `Its slots show here when it has answered a request. It is looked for at ${upstream?.url ?? "-"}.`));
  }

  function slotMeter(slot, upstream) {
    const of = upstream?.context || slot.tokens || 1;
    return h("span.meter", { "aria-hidden": "true" }, slot.tokens ? h("i.reused", { style: { "flex-grow": String(slot.tokens) } }) : null, h("i.rest", { style: { "flex-grow": String(Math.max(0, of - (slot.tokens ?? 0))) } }));
  }

  function hear(kind, data) {
    if (kind === "record") {
      if (!table.element.isConnected) fill(root, h("h1.sr", "Live"), numbers, columns);
      last = data;
      if (asked(data, params)) records = [data, ...records.filter((one) => one.id !== data.id)].slice(0, KEPT);
      draw();
      soon();
    } else if (kind === "amended") {
      records = records.map((one) => (one.id === data.id ? data : one));
      draw();
      soon();
    } else if (kind === "back") restart();
    if (["live", "progress", "alert"].includes(kind)) drawLive();
  }

  const restart = () => load().catch(context.failed);
  const clock = setInterval(() => rows.length && drawSessions(), 15_000);
  drawLive();
  restart();
  return {
    hear,
    update(now) {
      const same = JSON.stringify(filtersOf(now)) === JSON.stringify(filtersOf(params));
      params = now;
      same ? table.choose(params.at) : restart();
    },
    move: (step) => table.move(step),
    close() {
      closed = true;
      soon.stop();
      clearInterval(clock);
      table.close();
      root.classList.remove("flow");
    },
  };
}

/** What requests cost: money where the model has a price, else seconds of the server. */
export function money({ amount, currency, gpu_seconds: seconds }) {
  if (currency) return `${currency === "USD" ? "$" : `${currency} `}${amount < 0.01 && amount > 0 ? amount.toFixed(4) : amount.toFixed(2)}`;
  return seconds === null || seconds === undefined ? "-" : words.span(seconds * 1000);
}

/** What reuse spared. */
export function saved(costs) {
  const { saved: spared, gpu_seconds_saved: seconds } = costs;
  if (costs.currency) return `${money({ ...costs, amount: spared })} saved by reuse`;
  return seconds === null || seconds === undefined ? "saved: -" : `${words.span(seconds * 1000)} saved by reuse`;
}
