/** All requests, newest first, filtered; older ones come as the end of the list comes into sight. */
import { get } from "../api.js";
import { legend } from "../bars.js";
import { fill, h } from "../dom.js";
import { empty } from "../empty.js";
import { learn } from "../filters.js";
import { requestTable } from "../rows.js";
import { asked, filtersOf, joined, since } from "../route.js";
import * as words from "../words.js";

const PAGE = 200;

export function create(root, params, context) {
  let records = [], older = null, busy = false, run = 0, seen = 0;
  const heading = h("span.muted", { role: "status" });
  const table = requestTable({ label: "Requests", days: true, name: "requests days", more: () => more() });
  const panel = h("section.panel.tall", h("header", h("h1", "Requests"), heading, h("span.grow"), legend("reused", "again", "fresh")), table.element);
  fill(root, panel);

  async function load(first) {
    const mine = first ? ++run : run;
    busy = true;
    try {
      const { q, time, ...exact } = filtersOf(params);
      const page = await get("requests", { limit: PAGE, before: first ? undefined : older, ...exact });
      if (mine !== run) return;
      learn(page.records);
      const from = since(params);
      const past = from && page.records.length && page.records.at(-1).at < from;
      if (first) seen = 0;
      seen += page.records.length;
      const wanted = page.records.filter((record) => asked(record, params));
      records = first ? joined(wanted, records, params) : [...records, ...wanted];
      older = past ? null : page.older;
      if (first && !records.length && !seen && !Object.keys(filtersOf(params)).length) return void fill(root, empty(context.live));
      draw();
    } finally {
      if (mine === run) busy = false;
    }
    // Words are looked for here and not by the gateway: a page may have none of them.
    if (older !== null && records.length < 50 && seen < 20 * PAGE) more();
  }

  function more() {
    if (!busy && older !== null) load(false).catch(context.failed);
  }

  function draw() {
    if (!panel.isConnected) fill(root, panel);
    heading.textContent = records.length ? `${words.count(records.length)} shown${older === null ? "" : ", older ones as you scroll"}` : "none that the filters let through";
    table.show(records);
    table.choose(params.at);
  }

  const restart = () => load(true).catch(context.failed);
  restart();
  return {
    hear(kind, data) {
      if (kind === "record" && asked(data, params)) records = [data, ...records.filter((one) => one.id !== data.id)], draw();
      if (kind === "amended") records = records.map((one) => (one.id === data.id ? data : one)), draw();
      if (kind === "back") restart();
    },
    update(now) {
      const same = JSON.stringify(filtersOf(now)) === JSON.stringify(filtersOf(params));
      params = now;
      same ? table.choose(params.at) : restart();
    },
    move: (step) => table.move(step),
    close() {
      run++;
      table.close();
    },
  };
}
