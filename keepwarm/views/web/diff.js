/** Two texts around a break, told apart word by word. */
import { h } from "./dom.js";

const MOST = 400;
const HEAD = 180;
const TAIL = 240;

/** [["same"|"gone"|"come", text]]: the longest common row of words; beyond MOST words only head and tail are compared. */
export function compare(before, after) {
  const one = before.match(/\s+|\w+|[^\s\w]/g) ?? [], two = after.match(/\s+|\w+|[^\s\w]/g) ?? [];
  let head = 0;
  while (head < one.length && head < two.length && one[head] === two[head]) head++;
  let tail = 0;
  while (tail < one.length - head && tail < two.length - head && one.at(-1 - tail) === two.at(-1 - tail)) tail++;
  const a = one.slice(head, one.length - tail), b = two.slice(head, two.length - tail);
  const middle = a.length > MOST || b.length > MOST ? [["gone", a.join("")], ["come", b.join("")]] : walk(a, b);
  const all = [["same", one.slice(0, head).join("")], ...middle, ["same", one.slice(one.length - tail).join("")]];
  return all.filter(([, text]) => text);
}

function walk(a, b) {
  const best = Array.from({ length: a.length + 1 }, () => new Uint16Array(b.length + 1));
  for (let i = a.length - 1; i >= 0; i--) {
    for (let j = b.length - 1; j >= 0; j--) best[i][j] = a[i] === b[j] ? best[i + 1][j + 1] + 1 : Math.max(best[i + 1][j], best[i][j + 1]);
  }
  const parts = [];
  const put = (kind, text) => (parts.at(-1)?.[0] === kind ? (parts.at(-1)[1] += text) : parts.push([kind, text]));
  let i = 0, j = 0;
  while (i < a.length || j < b.length) {
    if (i < a.length && j < b.length && a[i] === b[j]) put("same", a[i++]), j++;
    else if (i < a.length && (j === b.length || best[i + 1][j] >= best[i][j + 1])) put("gone", a[i++]);
    else put("come", b[j++]);
  }
  return parts;
}

/** What stands around the difference cut to what tells where it is. */
function around(parts) {
  return parts.map(([kind, text], index) => {
    if (kind !== "same") return [kind, text];
    if (index === 0 && text.length > HEAD) return [kind, `… ${text.slice(-HEAD)}`];
    return index === parts.length - 1 && text.length > TAIL ? [kind, `${text.slice(0, TAIL)} …`] : [kind, text];
  });
}

/** Both texts, one above the other, with what differs marked by strike and underline as well as by colour. */
export function diff(before, after) {
  const parts = around(compare(before, after));
  const side = (skip, name, tag) => h("div.diff-side", h("span.muted", name), h("pre.words", { tabindex: 0, "aria-label": name }, parts.filter(([kind]) => kind !== skip).map(([kind, text]) => (kind === "same" ? text : h(tag, text)))));
  if (!before && !after) return h("p.muted", "(nothing)");
  return h("div.diff", side("come", "before", "del"), side("gone", "now", "ins"));
}
