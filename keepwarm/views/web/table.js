/**
 * A table of any length: only the rows in sight are in the document. Each row's first cell holds a link that covers
 * the row, so that Tab, Enter, middle click and copying the address work as everywhere.
 */
import { eachFrame, fill, h } from "./dom.js";

const AROUND = 8;

export class Table {
  /**
   * label    what it is, for assistive technology
   * columns  [{name, title, cell(row) -> node or text, class}]
   * link     row -> its address
   * key      row -> its identity; version(row) tells whether its cells must be made anew
   * more     called when the end comes near
   */
  constructor({ label, columns, link, key, version = (row) => row, words = () => "", more = () => {}, name = "" }) {
    Object.assign(this, { columns, link, key, version, words, more });
    this.rows = [];
    this.made = new Map();
    this.space = h("div.rows", { role: "rowgroup" });
    const titles = columns.map((column) => h("span", { role: "columnheader", class: column.class }, column.title));
    this.head = h("div.head", { role: "rowgroup" }, h("div.row", { role: "row" }, titles));
    this.scroller = h("div.scroller", { role: "presentation" }, this.space);
    this.element = h("div.table", { role: "table", "aria-label": label, class: name }, this.head, this.scroller);
    this.draw = eachFrame(() => this.drawNow());
    this.scroller.addEventListener("scroll", this.draw, { passive: true });
    this.sight = new ResizeObserver(this.draw);
    this.sight.observe(this.scroller);
  }

  /** The rows, newest state; what is focused stays so. */
  show(rows) {
    this.rows = rows;
    this.element.setAttribute("aria-rowcount", String(rows.length + 1));
    this.draw();
  }

  /** Make every row anew that is in sight: how long ago something was changes by itself. */
  refresh() {
    for (const made of this.made.values()) made.version = undefined;
    this.draw();
  }

  height() {
    return parseFloat(getComputedStyle(this.element).getPropertyValue("--row")) || 30;
  }

  drawNow() {
    const height = this.height(), total = this.rows.length;
    this.space.style.height = `${total * height}px`;
    const top = this.scroller.scrollTop, tall = this.scroller.clientHeight;
    const from = Math.max(0, Math.floor(top / height) - AROUND);
    const to = Math.min(total, Math.ceil((top + tall) / height) + AROUND);
    const seen = new Set();
    for (let index = from; index < to; index++) {
      const row = this.rows[index], key = this.key(row);
      seen.add(key);
      const element = this.row(key, row);
      element.style.transform = `translateY(${index * height}px)`;
      element.setAttribute("aria-rowindex", String(index + 2));
      element.dataset.index = String(index);
      this.mark(key);
    }
    for (const [key, { element }] of this.made) {
      // A row that has the focus stays, or the keyboard would lose its place by scrolling.
      if (seen.has(key) || element.contains(document.activeElement)) continue;
      element.remove();
      this.made.delete(key);
    }
    if (to + 20 >= total) this.more();
  }

  row(key, row) {
    let made = this.made.get(key);
    const version = this.version(row);
    if (made && made.version === version) return made.element;
    const [first, ...others] = this.columns;
    if (!made) {
      const link = h("a.cover");
      const element = h("div.row", { role: "row", data: { key } });
      made = { element, link };
      this.made.set(key, made);
      this.space.append(element);
    }
    made.version = version;
    made.link.setAttribute("href", this.link(row));
    fill(made.link, first.cell(row));
    // What is to be seen stands in front: a person who speaks to the page says what they see.
    made.link.setAttribute("aria-label", `${made.link.textContent}: ${this.words(row)}`);
    // The link stays where it is, or it would lose the focus.
    if (!made.link.isConnected) made.element.append(h("span", { role: "cell", class: first.class }, made.link));
    while (made.element.children.length > 1) made.element.lastChild.remove();
    for (const column of others) made.element.append(h("span", { role: "cell", class: column.class }, column.cell(row)));
    return made.element;
  }

  /** The focus `step` rows on (0: the first in sight). */
  move(step) {
    const focused = document.activeElement?.closest?.(".row");
    const inside = focused && this.space.contains(focused);
    const start = inside ? Number(focused.dataset.index) + step : Math.floor(this.scroller.scrollTop / this.height());
    const index = Math.max(0, Math.min(this.rows.length - 1, start));
    if (!this.rows.length) return false;
    const height = this.height(), top = index * height;
    if (top < this.scroller.scrollTop) this.scroller.scrollTop = top;
    if (top + height > this.scroller.scrollTop + this.scroller.clientHeight) this.scroller.scrollTop = top + height - this.scroller.clientHeight;
    this.drawNow();
    this.made.get(this.key(this.rows[index]))?.link.focus({ preventScroll: true });
    return true;
  }

  /** Mark the row of `key` as the one that is open. */
  choose(key) {
    this.chosen = key === undefined ? undefined : String(key);
    for (const name of this.made.keys()) this.mark(name);
  }

  mark(key) {
    const { element, link } = this.made.get(key);
    const on = String(key) === this.chosen;
    element.classList.toggle("chosen", on);
    if (on) link.setAttribute("aria-current", "true");
    else link.removeAttribute("aria-current");
  }

  close() {
    this.sight.disconnect();
  }
}
