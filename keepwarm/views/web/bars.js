/** A prompt as a bar, with its parts told by pattern as well as by colour. */
import { h } from "./dom.js";
import { count, share } from "./words.js";

/** {reused, again, fresh, output, prompt} of a record; reused is null where the server did not report it. */
export function partsOf(record) {
  const { prompt_tokens: prompt, cached_tokens: reused, output_tokens: output } = record.usage;
  if (prompt === null || reused === null) return { prompt, reused: null, again: null, fresh: null, output };
  const rest = Math.max(0, prompt - reused);
  const again = Math.min(rest, record.verdict?.lost ?? 0);
  return { prompt, reused, again, fresh: rest - again, output };
}

/** The same of sums: what was lost is the part processed again. */
export function partsOfSums(sums) {
  const reused = sums.cached_tokens, processed = sums.processed_tokens;
  const none = sums.requests > 0 && sums.unreported >= sums.requests;
  if (none || reused + processed === 0) return { prompt: sums.prompt_tokens, reused: null, again: null, fresh: null };
  const again = Math.min(processed, sums.lost_tokens);
  return { prompt: reused + processed, reused, again, fresh: processed - again };
}

/** In words, for whoever does not see the bar. */
export function told(parts) {
  if (parts.reused === null) return "reuse not reported";
  const said = [`${share(parts.reused, parts.prompt)} reused`];
  if (parts.again) said.push(`${count(parts.again)} tokens processed again`);
  if (parts.fresh) said.push(`${count(parts.fresh)} new`);
  return said.join(", ");
}

/** The bar; `of` scales it, so that a longer prompt has a longer bar. */
export function bar(parts, { of = parts.prompt, tall = false } = {}) {
  const element = h("span.meter", { role: "img", "aria-label": told(parts), title: told(parts), class: tall ? "tall" : "" });
  if (parts.reused === null) {
    element.append(h("i.unknown"));
    return element;
  }
  for (const name of ["reused", "again", "fresh"]) {
    if (!parts[name]) continue;
    element.append(h(`i.${name}`, { style: { "flex-grow": String(parts[name]) } }));
  }
  const rest = of - parts.prompt;
  if (rest > 0) element.append(h("i.rest", { style: { "flex-grow": String(rest) } }));
  return element;
}

/** What the patterns mean. */
export function legend(...names) {
  const words = { reused: "reused from the cache", again: "processed again (lost)", fresh: "new, processed", output: "output", unknown: "not reported" };
  return h("ul.legend", names.map((name) => h("li", h(`i.${name}`, { "aria-hidden": "true" }), words[name])));
}

/** How far a prefill has come. */
export function progressBar(progress) {
  const { processed, total, cached } = progress;
  const done = Math.max(0, processed - cached), left = Math.max(0, total - Math.max(processed, cached));
  const said = `prefill ${share(processed, total)}: ${count(processed)} of ${count(total)} tokens, ${count(cached)} of them from the cache`;
  const part = (name, size) => size > 0 && h(`i.${name}`, { style: { "flex-grow": String(size) } });
  return h("span.meter.tall", { role: "progressbar", "aria-label": said, "aria-valuemin": 0, "aria-valuemax": total, "aria-valuenow": processed, title: said },
    part("reused", cached), part("done", done), part("rest", left));
}
