/** The prefix tree: a session, its conversations, and the forks in them where an older prompt was gone on from. */
import { h } from "./dom.js";
import { changed } from "./route.js";
import { chip } from "./rows.js";
import * as words from "./words.js";

const UNFOLDED = 3;

/**
 * Branches of one conversation's requests, oldest first: a request whose parent is not the one before it in its branch
 * starts a branch where that parent stands. {records, children: [branch]} of the root.
 */
export function branches(records) {
  const root = { records: [], children: [], from: null };
  const home = new Map();
  for (const record of records) {
    let branch = record.parent ? home.get(record.parent) : root;
    if (!branch) branch = root;
    const tip = branch.records.at(-1);
    if (record.parent && tip && tip.id !== record.parent) {
      const fork = { records: [], children: [], from: branch.records.find((one) => one.id === record.parent) };
      branch.children.push(fork);
      branch = fork;
    }
    branch.records.push(record);
    home.set(record.id, branch);
  }
  return root;
}

export function tree(conversations, records) {
  const byLineage = Map.groupBy ? Map.groupBy(records, (record) => record.lineage) : grouped(records);
  const children = new Map();
  const known = new Set(conversations.map((one) => one.lineage));
  for (const one of conversations) {
    const parent = known.has(one.parent) ? one.parent : "";
    children.set(parent, [...(children.get(parent) ?? []), one]);
  }
  const draw = (parent) => {
    const own = children.get(parent) ?? [];
    if (!own.length) return null;
    const item = (one) => h("li", node(one), branch(branches(byLineage.get(one.lineage) ?? [])), draw(one.lineage));
    const sides = own.filter((one) => one.kind === "side"), others = own.filter((one) => one.kind !== "side");
    const fold = sides.length > UNFOLDED ? h("li", h("details", h("summary.node", words.times(sides.length, "side call")), h("ul", sides.map(item)))) : sides.map(item);
    return h("ul", others.map(item), fold);
  };
  return h("div.tree", draw(""));
}

function grouped(records) {
  const groups = new Map();
  for (const record of records) groups.set(record.lineage, [...(groups.get(record.lineage) ?? []), record]);
  return groups;
}

/** What a conversation is called. */
export function titleOf(one) {
  const kind = words.kindOf(one);
  return one.agent ? `${kind} ${words.brief(one.agent)}` : kind;
}

function node(one) {
  return h("div.node", h("b", titleOf(one)), h("span.mono.muted", one.lineage.slice(0, 8)), h("span", words.times(one.sums.requests, "turn")),
    h("span", `${words.hitRate(one.sums)} reused`), one.sums.lost_tokens ? h("span", `${words.short(one.sums.lost_tokens)} lost`) : null,
    one.last_outcome && chip(one.last_outcome), one.last_cause && h("span.cause", one.last_cause));
}

function branch(of) {
  if (!of.children.length) return null;
  return h("ul", of.children.map((fork) => {
    const first = fork.records[0];
    return h("li.fork", h("div.node", h("a", { href: changed({ at: first.id }) }, `fork behind turn ${fork.from?.turn ?? "-"}`), h("span", words.times(fork.records.length, "turn")), chip(words.outcomeOf(first)), h("span.cause", first.verdict?.causes[0] ?? "")), branch(fork));
  }));
}
