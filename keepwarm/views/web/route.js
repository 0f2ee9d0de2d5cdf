/** Where the page is, in its address: "#/session/NAME?at=ID&cause=VOL001". A link is a view with its filters. */
const VIEWS = ["live", "sessions", "requests", "trends", "session"];
export const FILTERS = ["q", "outcome", "cause", "kind", "client", "model", "time"];

/** {view, name, params} of the address. */
export function here() {
  const [path, query = ""] = location.hash.replace(/^#\/?/, "").split("?");
  const [view, ...rest] = path.split("/");
  const params = Object.fromEntries(new URLSearchParams(query));
  return { view: VIEWS.includes(view) ? view : "live", name: decoded(rest.join("/")), params };
}

function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** The address of a place. */
export function address(view, name = "", params = {}) {
  const said = Object.entries(params).filter(([, value]) => value !== "" && value !== undefined && value !== null);
  const query = String(new URLSearchParams(said));
  return `#/${view}${name ? `/${encodeURIComponent(name)}` : ""}${query ? `?${query}` : ""}`;
}

/** This place with other parameters: {at: "id"} opens a verdict, {at: ""} closes it. */
export function changed(params) {
  const now = here();
  return address(now.view, now.name, { ...now.params, ...params });
}

/** Go there without a step in the history: filters and selections are no pages. */
export function replace(where) {
  history.replaceState(null, "", where);
  dispatchEvent(new HashChangeEvent("hashchange"));
}

/** The filters that are set. */
export function filtersOf(params) {
  return Object.fromEntries(FILTERS.filter((name) => params[name]).map((name) => [name, params[name]]));
}

const SPANS = { "15m": 900, "1h": 3600, "6h": 21600, "24h": 86400, "7d": 604800, "30d": 2592000 };

/** Unix seconds since when requests count; undefined for all. */
export const since = (params) => (SPANS[params.time] ? Math.floor(Date.now() / 1000) - SPANS[params.time] : undefined);
export const spanOf = (time) => SPANS[time];

/** Whether a record is one that the filters ask for: the same questions that /api/requests answers. */
export function asked(record, params) {
  const from = since(params);
  if (from && record.at < from) return false;
  if (params.outcome === "failed" ? record.ending !== "failed" : params.outcome && record.verdict?.outcome !== params.outcome) return false;
  if (params.cause && record.verdict?.causes[0] !== params.cause) return false;
  if (params.kind && record.kind !== params.kind) return false;
  if (params.client && record.client !== params.client) return false;
  if (params.model && record.model !== params.model) return false;
  return matches([record.session, record.lineage, record.id, record.client, record.model, record.agent, ...(record.verdict?.causes ?? [])], params.q);
}

/** A page of requests with those in front that were told of meanwhile and are not in it yet. */
export function joined(page, known, params) {
  const there = new Set(page.map((record) => record.id));
  const newest = page[0]?.at ?? 0;
  return [...known.filter((record) => !there.has(record.id) && record.at >= newest && asked(record, params)), ...page];
}

/** Whether each word of `q` begins or is within one of the texts. */
export function matches(texts, q) {
  if (!q) return true;
  const all = texts.join("\n").toLowerCase();
  return q.toLowerCase().split(/\s+/).every((word) => all.includes(word));
}
