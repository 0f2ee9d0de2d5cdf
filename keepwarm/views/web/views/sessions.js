/** Every session, the latest first. All are loaded, page by page, and only those in sight are drawn. */
import { get } from "../api.js";
import { legend } from "../bars.js";
import { fill, h, soonAndAgain } from "../dom.js";
import { empty } from "../empty.js";
import { learn } from "../filters.js";
import { filtersOf, matches, since } from "../route.js";
import { sessionTable } from "../rows.js";
import * as words from "../words.js";

const PAGE = 250;
const MOST = 10_000;

export function create(root, params, context) {
  let rows = [], run = 0, loading = true;
  const heading = h("span.muted", { role: "status" });
  const table = sessionTable({ label: "Sessions" });
  const panel = h("section.panel.tall", h("header", h("h1", "Sessions"), heading, h("span.grow"), legend("reused", "again", "fresh")), table.element);
  fill(root, panel);

  async function load() {
    const mine = ++run;
    let before, found = [];
    loading = true;
    do {
      const page = await get("sessions", { limit: PAGE, before, since: since(params) });
      if (mine !== run) return;
      found = [...found, ...page.sessions];
      before = page.older;
      learn(page.sessions);
      // What was there stays until the first page has come.
      if (found.length >= rows.length || before === null) rows = found;
      draw();
    } while (before !== null && found.length < MOST);
    loading = false;
    rows = found;
    if (!rows.length && !Object.keys(filtersOf(params)).length) return void fill(root, empty(context.live));
    draw();
  }

  function wanted(row) {
    if (params.client && row.client !== params.client) return false;
    if (params.model && row.model !== params.model) return false;
    if (params.cause && row.last_cause !== params.cause) return false;
    if (params.outcome && row.last_outcome !== params.outcome) return false;
    return matches([row.name, row.client, row.model, row.last_cause, row.last_outcome], params.q);
  }

  function draw() {
    if (!panel.isConnected) fill(root, panel);
    const shown = rows.filter(wanted);
    const all = shown.length === rows.length ? words.times(rows.length, "session") : `${words.count(shown.length)} of ${words.times(rows.length, "session")}`;
    heading.textContent = loading && !rows.length ? "loading" : all;
    table.show(shown);
  }

  // Only what changed: the newest page, over what is known.
  const soon = soonAndAgain(async () => {
    try {
      const page = await get("sessions", { limit: 20, since: since(params) });
      const fresh = new Set(page.sessions.map((row) => row.name));
      rows = [...page.sessions, ...rows.filter((row) => !fresh.has(row.name))];
      if (rows.length) draw();
    } catch (error) {
      context.failed(error);
    }
  });
  const restart = () => load().catch(context.failed);
  const clock = setInterval(() => table.refresh(), 15_000);
  restart();
  return {
    hear(kind) {
      if (kind === "back") restart();
      if (kind !== "record") return;
      soon();
    },
    update(now) {
      const timed = now.time !== params.time;
      params = now;
      timed ? restart() : draw();
    },
    move: (step) => table.move(step),
    close() {
      run++;
      soon.stop();
      clearInterval(clock);
      table.close();
    },
  };
}
