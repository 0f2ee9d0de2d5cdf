// Loaded into a node client with --require: its Date goes by the machine's clock plus as many seconds as stand in the
// file that KEEPWARM_CLOCK names. The file may change at any time: so a day can end in the middle of a session.
"use strict";

const { readFileSync } = require("node:fs");

const RealDate = Date;
const LOOK_AGAIN_MS = 20; // a client asks for the time thousands of times in a second
let shift = 0;
let looked = -Infinity;

function now() {
  const at = performance.now();
  if (at - looked >= LOOK_AGAIN_MS) {
    looked = at;
    shift = Number(readFileSync(process.env.KEEPWARM_CLOCK, "utf8")) * 1000;
  }
  return RealDate.now() + shift;
}

globalThis.Date = new Proxy(RealDate, {
  apply: () => new RealDate(now()).toString(),
  construct: (target, given, made) => Reflect.construct(target, given.length ? given : [now()], made),
  get: (target, name) => (name === "now" ? now : Reflect.get(target, name)),
});
