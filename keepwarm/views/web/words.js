/** Numbers and times as a person reads them, in the same words as keepwarm/views/words.py. Unknown is "-". */
const UNITS = [[1e9, "G"], [1e6, "M"], [1e3, "k"]];
const known = (value) => value !== null && value !== undefined;

/** Exactly: "20,431". */
export const count = (number) => (known(number) ? number.toLocaleString("en-US") : "-");

/** "1 token", "2 tokens". */
export const times = (number, thing) => `${count(number)} ${thing}${number === 1 ? "" : "s"}`;

/** In at most five characters: "431", "20.4k", "204k". Cut, not rounded. */
export function short(number) {
  if (!known(number)) return "-";
  for (const [size, unit] of UNITS) {
    if (number < size) continue;
    const scaled = number / size;
    return scaled >= 100 ? `${Math.floor(scaled)}${unit}` : `${(Math.floor(scaled * 10) / 10).toFixed(1)}${unit}`;
  }
  return String(Math.round(number));
}

/** Milliseconds: "310ms", "3.1s", "142s", "75m". */
export function span(ms) {
  if (!known(ms)) return "-";
  if (ms < 9.95) return `${ms.toFixed(1)}ms`;
  if (ms < 999.5) return `${ms.toFixed(0)}ms`;
  const seconds = ms / 1000;
  if (seconds < 99.95) return `${seconds.toFixed(1)}s`;
  return seconds < 3600 ? `${seconds.toFixed(0)}s` : `${(seconds / 60).toFixed(0)}m`;
}

/** Of a hundred: all is only all, nothing only nothing, and what was not reported is no number. */
export function share(part, whole) {
  if (!known(part) || !known(whole) || whole <= 0) return "-";
  if (part <= 0) return "0%";
  if (part >= whole) return "100%";
  const tenths = Math.floor((part * 1000) / whole);
  return tenths ? `${(tenths / 10).toFixed(1)}%` : "<0.1%";
}

/** The share reused, of sums or of an object that has them. */
export function hitRate(sums) {
  if (!sums) return "-";
  return share(sums.cached_tokens, sums.cached_tokens + sums.processed_tokens);
}

const two = (number) => String(number).padStart(2, "0");

/** "12:03:06", with the day before it where it is not today. */
export function clock(at, seconds = true) {
  const then = new Date(at * 1000);
  return `${two(then.getHours())}:${two(then.getMinutes())}${seconds ? `:${two(then.getSeconds())}` : ""}`;
}

/** "2026-10-06 12:03:06". */
export function moment(at) {
  const then = new Date(at * 1000);
  return `${then.getFullYear()}-${two(then.getMonth() + 1)}-${two(then.getDate())} ${clock(at)}`;
}

/** How long ago: "now", "12 s", "5 min", "3 h", "2 d". */
export function ago(at, now = Date.now() / 1000) {
  const past = now - at;
  if (past < 2) return "now";
  if (past < 60) return `${Math.floor(past)} s`;
  if (past < 3600) return `${Math.floor(past / 60)} min`;
  return past < 86400 ? `${Math.floor(past / 3600)} h` : `${Math.floor(past / 86400)} d`;
}

/** Tokens a second; null where the server does not time its answer. */
export function rate(usage) {
  return known(usage.output_tokens) && usage.output_ms ? (usage.output_tokens / usage.output_ms) * 1000 : null;
}

export const perSecond = (value) => (known(value) ? (value < 10 ? value.toFixed(1) : value.toFixed(0)) : "-");

/** A session's name, short enough for a column. */
export const brief = (name) => (name ? (name.length > 10 ? name.slice(0, 8) : name) : "-");

const KINDS = { main: "main", subagent: "sub-agent", side: "side call" };
export const kindOf = (record) => KINDS[record.kind] ?? record.kind;

/** "claude-cli 2.1.114" of a User-Agent's first word. */
export const clientOf = (client) => (client || "-").split(" ")[0].replace("/", " ");

export const OUTCOMES = {
  hit: ["✓", "All that could be reused was"],
  partial: ["◐", "Only a part of what could be reused was"],
  miss: ["✕", "Nothing was reused although it could have been"],
  first: ["•", "First request: nothing could be cached yet"],
  unknown: ["–", "The server reports no cached tokens"],
  failed: ["!", "The request failed"],
};

/** The outcome as it is shown: a failed request is one whatever its verdict. */
export function outcomeOf(record) {
  if (record.ending === "failed" || record.status >= 400) return "failed";
  return record.verdict ? record.verdict.outcome : "unknown";
}

const BLAMES = { client: "the client", gateway: "keepwarm itself", seat: "the seat", server: "the server", provider: "the provider" };

/** The last verdict in a few words. */
export function verdictWords(record) {
  if (outcomeOf(record) === "failed") return record.error || `status ${record.status}`;
  if (record.ending === "hung_up") return "the client hung up";
  const verdict = record.verdict;
  if (!verdict) return "-";
  const said = [...verdict.causes.slice(0, 2), BLAMES[verdict.blame]].filter(Boolean);
  return said.length ? said.join(" · ") : verdict.outcome === "unknown" ? "not reported" : "";
}
export const faultOf = (verdict) => BLAMES[verdict.blame] ?? "nobody";
