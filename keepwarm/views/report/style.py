"""How the report's page looks: light, dark and on paper."""

from __future__ import annotations

from typing import Final

STYLE: Final = """
:root { color-scheme: light dark; --page: #ffffff; --ink: #1c2024; --quiet: #5a6270; --line: #d9dde3; --box: #f5f7f9;
  --reused: #2b6cb0; --again: #d9601a; --new: #a9b3c1; }
@media (prefers-color-scheme: dark) { :root { --page: #14171b; --ink: #e6e9ed; --quiet: #a0a9b5; --line: #343a42;
  --box: #1c2127; --reused: #5a9bdc; --again: #f08a4b; --new: #59626e; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 64rem; padding: 2rem 1.25rem 4rem; background: var(--page); color: var(--ink);
  font: 16px/1.5 system-ui, sans-serif; }
h1 { font-size: 1.7rem; margin: 0 0 .25rem; } h2 { font-size: 1.25rem; margin: 2.25rem 0 .5rem; }
h3 { font-size: 1.05rem; margin: 1.25rem 0 .25rem; }
.about, .note, .legend, figcaption { color: var(--quiet); }
.figures { display: flex; flex-wrap: wrap; gap: .75rem; padding: 0; margin: 1rem 0; }
.figures div { flex: 1 1 9rem; background: var(--box); border: 1px solid var(--line); border-radius: .5rem;
  padding: .6rem .8rem; }
.figures dt { color: var(--quiet); font-size: .85rem; }
.figures dd { margin: 0; font-size: 1.35rem; font-variant-numeric: tabular-nums; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: .92rem; font-variant-numeric: tabular-nums; }
th, td { text-align: left; padding: .3rem .6rem .3rem 0; border-bottom: 1px solid var(--line); vertical-align: top; }
th { color: var(--quiet); font-weight: 600; } .number { text-align: right; }
code, pre { font: .88em ui-monospace, monospace; background: var(--box); border-radius: .25rem; }
code { padding: .05rem .25rem; overflow-wrap: anywhere; }
pre { padding: .6rem .8rem; overflow-x: auto; white-space: pre-wrap; }
svg { display: block; } svg.chart { width: 100%; height: auto; } svg.small { width: 10rem; height: .75rem; }
rect.reused { fill: var(--reused); } rect.again { fill: var(--again); } rect.new { fill: var(--new); }
.grid { stroke: var(--line); } .tick { fill: var(--quiet); font-size: 12px; } .end { text-anchor: end; }
figure { margin: 1rem 0; }
.key { display: inline-block; width: .8em; height: .8em; border-radius: .15em; margin-left: .75em; }
.key.reused { background: var(--reused); margin-left: 0; } .key.again { background: var(--again); }
.key.new { background: var(--new); }
.claim { border-left: .25rem solid var(--line); padding: .25rem .75rem; }
.claim.better { border-color: var(--reused); } .claim.worse { border-color: var(--again); }
@media print { :root { --page: #fff; --ink: #000; --quiet: #444; --line: #bbb; --box: #fff; --reused: #2b6cb0;
  --again: #d9601a; --new: #a9b3c1; } body { max-width: none; padding: 0; font-size: 11pt; }
  table, figure, section.cause { break-inside: avoid; } h2, h3 { break-after: avoid; }
  rect, .key { print-color-adjust: exact; -webkit-print-color-adjust: exact; } }
"""
