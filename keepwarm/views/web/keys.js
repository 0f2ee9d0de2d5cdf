/** The keyboard: everything that the mouse can do. */
import { fill, h } from "./dom.js";
import * as filters from "./filters.js";
import { address, changed, filtersOf, here, replace } from "./route.js";

const HELP = [
  ["j  k", "next, previous row or turn"],
  ["Enter", "open it: the session, or the verdict"],
  ["[  ]", "the verdict of the turn before, after"],
  ["Esc", "close the verdict, leave the filter, go back"],
  ["/", "filter"],
  ["g l", "live"],
  ["g s", "sessions"],
  ["g r", "requests"],
  ["g t", "trends"],
  ["t", "dark or light"],
  ["?", "these keys"],
];
const PLACES = { l: "live", s: "sessions", r: "requests", t: "trends" };

export function mount({ move, turn, toggleTheme }) {
  const dialog = document.querySelector("#keys");
  fill(dialog,
    h("header", h("h2", { id: "keys-title" }, "Keys"), h("span.grow"), h("button.plain", { type: "button", onclick: () => dialog.close(), "aria-label": "Close" }, "Esc")),
    h("dl", HELP.map(([key, says]) => [h("dt", key.split("  ").map((one) => [h("kbd", one), " "])), h("dd", says)])));
  document.querySelector("#help").addEventListener("click", () => dialog.showModal());
  let going = 0;
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const typing = event.target.matches("input, textarea, select");
    if (event.key === "Escape") return dialog.open ? undefined : escape(event, typing);
    if (typing || dialog.open) return;
    if (Date.now() - going < 1200 && PLACES[event.key]) {
      going = 0;
      location.hash = address(PLACES[event.key], "", filtersOf(here().params));
      return event.preventDefault();
    }
    const done = {
      j: () => move(1),
      k: () => move(-1),
      "]": () => turn(1),
      "[": () => turn(-1),
      "/": () => filters.focus(),
      "?": () => dialog.showModal(),
      t: () => toggleTheme(),
      g: () => (going = Date.now()),
    }[event.key];
    if (!done) return;
    event.preventDefault();
    done();
  });
}

function escape(event, typing) {
  const { view, params } = here();
  if (typing) return event.target.blur();
  if (params.at) return replace(changed({ at: "" }));
  if (view === "session") location.hash = address("sessions", "", filtersOf(params));
}
