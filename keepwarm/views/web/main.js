/** The page: which view is shown, what comes over the wire, and the keys. */
import { listen, get } from "./api.js";
import { h } from "./dom.js";
import * as filters from "./filters.js";
import * as inspector from "./inspector.js";
import * as keys from "./keys.js";
import { learnNames } from "./rule.js";
import { address, filtersOf, here } from "./route.js";
import * as live from "./views/live.js";
import * as requests from "./views/requests.js";
import * as session from "./views/session.js";
import * as sessions from "./views/sessions.js";
import * as trends from "./views/trends.js";
import { brief } from "./words.js";

const VIEWS = { live, sessions, requests, trends, session };
const main = document.querySelector("#main");
const wire = document.querySelector("#wire");
const context = { live: null, failed };
let view = null, place = "";

function failed(error) {
  if (error.name === "AbortError") return;
  console.warn(error);
  main.querySelector(".oops")?.remove();
  main.prepend(h("p.oops", { role: "alert" }, error.message));
}

function show() {
  const { view: name, name: of, params } = here();
  // First: it takes room from the view, which fits itself into what is left.
  inspector.update();
  const wanted = `${name}/${of}`;
  if (wanted !== place) {
    view?.close();
    place = wanted;
    main.scrollTop = 0;
    main.className = name;
    view = VIEWS[name].create(main, params, context, of);
    document.title = name === "session" ? `session ${brief(of)} · keepwarm` : `${name} · keepwarm`;
  } else {
    main.querySelector(".oops")?.remove();
    view.update(params);
  }
  for (const link of document.querySelectorAll("nav [data-view]")) {
    const on = link.dataset.view === name || (name === "session" && link.dataset.view === "sessions");
    on ? link.setAttribute("aria-current", "page") : link.removeAttribute("aria-current");
    link.setAttribute("href", address(link.dataset.view, "", filtersOf(params)));
  }
  filters.update();
}

function hear(kind, data) {
  if (kind === "live") context.live = data;
  if (kind === "progress" && context.live) {
    const run = context.live.running?.find((one) => one.call === data.call);
    if (run) run.progress = data.progress ?? data;
  }
  if (kind === "alert" && context.live) context.live.alerts = [...(context.live.alerts ?? []), ...(Array.isArray(data) ? data : [data])];
  if (kind === "back") refresh();
  if (kind === "record") filters.learn([data]);
  if (kind === "amended") inspector.amended(data);
  if (kind === "live") drawServer();
  view?.hear(kind, data);
}

function drawServer() {
  const { upstream, gateway } = context.live;
  document.querySelector("#server").textContent = upstream?.kind ? `${upstream.kind} at ${upstream.url}` : `model server at ${upstream?.url ?? "-"}`;
  document.querySelector(".brand").title = `keepwarm ${gateway?.version ?? ""}`;
}

async function refresh() {
  try {
    hear("live", await get("live"));
  } catch (error) {
    failed(error);
  }
}

let ticking;
function tell(state, seconds) {
  clearInterval(ticking);
  wire.dataset.state = state;
  const text = wire.querySelector("span");
  if (state !== "lost") return void (text.textContent = state);
  const said = () => (text.textContent = seconds > 0 ? `reconnecting in ${seconds--} s` : "reconnecting");
  said();
  ticking = setInterval(said, 1000);
}

function toggleTheme() {
  const root = document.documentElement;
  const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = dark ? "light" : "dark";
  try {
    localStorage.setItem("keepwarm.theme", root.dataset.theme);
  } catch {
    // It holds for this page only then.
  }
}

filters.mount(document.querySelector("#filters"));
inspector.mount(document.querySelector("#inspector"));
keys.mount({ move: (step) => view?.move(step), turn: inspector.turn, toggleTheme });
document.querySelector("#theme").addEventListener("click", toggleTheme);
document.querySelector("[data-skip]").addEventListener("click", (event) => {
  event.preventDefault();
  main.focus();
});
addEventListener("hashchange", show);
await Promise.all([refresh(), learnNames().catch(failed)]);
show();
listen(hear, tell);
