/** The filter bar: what is set stands in the address, so that a filtered view can be linked to. */
import { fill, h } from "./dom.js";
import { changed, filtersOf, here, replace } from "./route.js";
import { named } from "./rule.js";
import { clientOf } from "./words.js";

const OUTCOMES = ["hit", "partial", "miss", "first", "unknown"];
const TIMES = { "15m": "15 minutes", "1h": "1 hour", "6h": "6 hours", "24h": "24 hours", "7d": "7 days", "30d": "30 days" };
const KINDS = { main: "main", subagent: "sub-agent", side: "side call" };

/** What has been seen, to choose from. */
const seen = { cause: new Map(), client: new Map(), model: new Map() };
let form, draw;

/** Learn the values of some requests or sessions. */
export function learn(rows) {
  let news = false;
  const note = (name, value, says = value) => {
    if (!value || seen[name].has(value)) return;
    seen[name].set(value, says);
    news = true;
  };
  for (const row of rows) {
    note("client", row.client, clientOf(row.client));
    note("model", row.model);
    note("cause", row.verdict?.causes[0] ?? row.last_cause);
  }
  if (news) draw?.();
}

export function mount(element) {
  form = element;
  form.addEventListener("submit", (event) => event.preventDefault());
  let typing;
  const words = h("input", { type: "search", name: "q", placeholder: "Filter: session, id, cause  ( / )", "aria-label": "Filter by words", autocomplete: "off", spellcheck: "false" });
  words.addEventListener("input", () => {
    clearTimeout(typing);
    typing = setTimeout(() => replace(changed({ q: words.value })), 120);
  });
  const selects = h("span.choices");
  const clear = h("button.plain", { type: "button", title: "Take every filter away" }, "clear");
  clear.addEventListener("click", () => replace(changed(Object.fromEntries(Object.keys(filtersOf(here().params)).map((name) => [name, ""])))));
  fill(form, words, selects, clear);
  draw = () => {
    const { params, view } = here();
    if (document.activeElement !== words) words.value = params.q ?? "";
    words.classList.toggle("set", Boolean(params.q));
    clear.hidden = !Object.keys(filtersOf(params)).length;
    const choices = {
      time: TIMES,
      outcome: Object.fromEntries(OUTCOMES.map((name) => [name, name])),
      cause: Object.fromEntries([...seen.cause.keys()].sort().map((code) => [code, named(code)])),
      kind: KINDS,
      client: Object.fromEntries([...seen.client].sort()),
      model: Object.fromEntries([...seen.model].sort()),
    };
    const any = { time: "any time", outcome: "any outcome", cause: "any cause", kind: "any kind", client: "any client", model: "any model" };
    const hidden = view === "trends" ? Object.keys(any) : [];
    form.hidden = view === "trends";
    const focused = document.activeElement?.name;
    fill(selects, Object.entries(choices).filter(([name]) => !hidden.includes(name)).map(([name, values]) => select(name, any[name], values, params[name])));
    if (focused && selects.querySelector(`[name="${focused}"]`)) selects.querySelector(`[name="${focused}"]`).focus();
  };
  draw();
}

export const update = () => draw?.();
export const focus = () => form.querySelector("input").select();

function select(name, any, values, chosen) {
  // A link may ask for something that was not seen yet.
  const all = chosen && !(chosen in values) ? { ...values, [chosen]: chosen } : values;
  const options = Object.entries(all).map(([value, says]) => h("option", { value, selected: value === chosen }, says));
  const element = h("select", { name, "aria-label": `Filter by ${name}`, class: chosen ? "set" : "" }, h("option", { value: "" }, any), options);
  element.addEventListener("change", () => replace(changed({ [name]: element.value })));
  return element;
}
