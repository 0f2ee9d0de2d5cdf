/** A rule's page: the little Markdown that rules are written in, as elements. */
import { get } from "./api.js";
import { copyable, fill, h } from "./dom.js";

const names = new Map();

/** Learn what the rules are called. */
export async function learnNames() {
  for (const { code, name } of await get("rules")) names.set(code, name);
}

/** "VOL001 billing-header". */
export const named = (code) => (names.has(code) ? `${code} ${names.get(code)}` : code);

/** Fill `place` with the page of a rule. */
export async function showRule(code, place) {
  try {
    const told = await get(`rules/${encodeURIComponent(code)}`);
    fill(place, page(told.page ?? ""), copyable(`keepwarm rule ${code}`));
  } catch (error) {
    fill(place, h("p.muted", error.message));
  }
}

/** Headings, paragraphs and indented examples. */
export function page(text) {
  return text.split(/\n{2,}(?=#)|\n{2,}/).flatMap((part) => {
    const [first, ...rest] = part.split("\n");
    if (!first.startsWith("#")) return block(part);
    const title = first.replace(/^#+\s*/, "");
    return [first.startsWith("##") ? h("h3", title) : h("p", h("b", title)), ...(rest.length ? block(rest.join("\n")) : [])];
  });
}

function block(text) {
  if (/^( {4}|\t)/.test(text)) return [h("pre.words", { tabindex: 0 }, text.replace(/^ {4}/gm, ""))];
  return text.trim() ? [h("p", inline(text.trim()))] : [];
}

/** `code` within a sentence. */
export const inline = (text) => text.split("`").map((piece, index) => (index % 2 ? h("code", piece) : piece));
