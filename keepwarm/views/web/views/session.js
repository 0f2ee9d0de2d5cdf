/** A session's life: its turns as a timeline, its conversations as a tree, its requests as a list. */
import { get } from "../api.js";
import { bar, legend, partsOfSums } from "../bars.js";
import { eachFrame, fill, h, soonAndAgain } from "../dom.js";
import { learn } from "../filters.js";
import { requestTable } from "../rows.js";
import { asked, filtersOf, joined } from "../route.js";
import * as timeline from "../timeline.js";
import { tree } from "../tree.js";
import * as words from "../words.js";
import { money, saved } from "./live.js";

const PAGE = 200;
const MOST = 1000;

export function create(root, params, context, name) {
  let records = [], session = null, conversations = [], costs = null, older = null, closed = false;
  const title = h("div.title"), numbers = h("dl.figures", { "aria-label": "Figures" });
  const life = h("section.panel", { "aria-label": "Timeline" }), shape = h("section.panel", { "aria-label": "Conversations" });
  const table = requestTable({ label: "Requests of this session" });
  const heading = h("span.muted");
  const list = h("section.panel.low", h("header", h("h2", "Requests"), heading), table.element);
  fill(root, title, numbers, life, shape, list);

  async function load() {
    const [about, spent] = await Promise.all([get(`sessions/${encodeURIComponent(name)}`), get("costs", { session: name })]);
    let found = [], before;
    do {
      const page = await get("requests", { session: about.session.session || undefined, lineage: about.session.session ? undefined : about.session.name, limit: PAGE, before });
      found = [...found, ...page.records];
      before = page.older;
    } while (before !== null && found.length < MOST);
    if (closed) return;
    ({ session, conversations } = about);
    costs = spent;
    older = before;
    records = joined(found, records.slice().reverse(), {}).sort((one, two) => one.at - two.at);
    learn(records);
    draw();
  }

  const draw = eachFrame(() => {
    if (closed || !session) return;
    const { sums } = session;
    const parts = partsOfSums(sums);
    fill(title, h("h1", "Session ", h("span.mono", words.brief(name))), h("span.muted", [words.clientOf(session.client), session.model, `${words.moment(session.first_at)} to ${words.clock(session.last_at)}`].filter(Boolean).join(" · ")), h("span.muted.mono.clip", name));
    const figure = (said, value, says = "") => h("div", h("dt", said), h("dd", value, h("small", { title: says }, says)));
    fill(numbers, figure("hit rate", words.hitRate(sums), sums.unreported ? `${words.count(sums.unreported)} not reported` : "of its prompts' tokens"), figure("requests", words.count(sums.requests), words.times(conversations.length, "conversation")), figure("reused", words.short(parts.reused), "tokens from the cache"), figure("processed", words.short(parts.reused === null ? null : sums.processed_tokens), "tokens prefilled"), figure("lost", words.short(sums.lost_tokens), sums.lost_ms ? `${words.span(sums.lost_ms)} once more` : "processed again"), figure("output", words.short(sums.output_tokens), "tokens"), costs && figure(costs.currency ? "cost" : "server time", money(costs), saved(costs)));
    drawLife();
    fill(shape, h("header", h("h2", "Conversations"), h("span.muted", "the prefix tree: what shares a beginning hangs together")), h("div.pad", tree(conversations, records)));
    const shown = records.filter((record) => asked(record, { ...params, time: params.time })).reverse();
    heading.textContent = older === null ? words.times(shown.length, "request") : `the newest ${words.count(records.length)}`;
    table.show(shown);
    list.style.setProperty("--rows", String(Math.min(12, shown.length)));
    choose();
  });

  function drawLife() {
    const focused = document.activeElement?.dataset?.turn !== undefined ? document.activeElement.dataset.key : "";
    const scrolled = life.querySelector(".life-scroll")?.scrollLeft;
    const lanes = timeline.lanesOf(conversations, records);
    fill(life, h("header", h("h2", "Its life, turn by turn"), h("span.grow"), legend("reused", "again", "fresh", "output")), timeline.timeline(records, lanes, life.clientWidth - 176));
    if (focused) life.querySelector(`[data-key="${CSS.escape(focused)}"]`)?.focus();
    const scroller = life.querySelector(".life-scroll");
    // The newest turns first, and where a person has scrolled to from then on.
    scroller.scrollLeft = scrolled ?? scroller.scrollWidth;
  }

  function choose() {
    table.choose(params.at);
    timeline.choose(life, params.at);
  }

  const restart = () => load().catch(context.failed);
  const soon = soonAndAgain(restart);
  restart();
  return {
    hear(kind, data) {
      const mine = data && kind === "record" && (data.session || data.lineage) === name;
      if (mine) records = [...records, data], draw();
      if (kind === "amended") records = records.map((one) => (one.id === data.id ? data : one)), draw();
      if (mine || kind === "back") soon();
    },
    update(now) {
      const same = JSON.stringify(filtersOf(now)) === JSON.stringify(filtersOf(params));
      params = now;
      same ? choose() : draw();
    },
    move: (step) => (table.element.contains(document.activeElement) ? table.move(step) : timeline.move(life, step)),
    close() {
      closed = true;
      soon.stop();
      table.close();
    },
  };
}
