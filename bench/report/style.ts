/** How the page looks, by day and by night, on a desk and on a phone. */
export const STYLE = `
:root {
  color-scheme: light dark;
  --paper: #fbfaf7; --card: #ffffff; --ink: #1d1c1a; --soft: #6b6862; --rule: #e4e0d8; --band: #f1ede4;
  --ours: #6d28d9; --meter: #e9dffb; --missed: #b42318;
  --linear: #c2570c; --cubic: #a16207; --radix: #15803d; --pgm: #0369a1; --pink: #be185d; --other: #a8a29a;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #14130f; --card: #1c1b17; --ink: #ece8df; --soft: #a19c91; --rule: #33312b; --band: #26241f;
    --ours: #b794f6; --meter: #3a2a5c; --missed: #f9776c;
    --linear: #fb923c; --cubic: #facc15; --radix: #4ade80; --pgm: #38bdf8; --pink: #f472b6; --other: #6f6a60;
  }
}
* { box-sizing: border-box; }
html { scroll-behavior: smooth; scroll-padding-top: 1rem; }
body {
  margin: 0 auto; padding: 2.5rem 1.25rem 5rem; max-width: 80rem;
  background: var(--paper); color: var(--ink);
  font: 16px/1.55 ui-sans-serif, system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", sans-serif;
}
h1 { font-size: clamp(1.7rem, 5vw, 2.6rem); line-height: 1.1; letter-spacing: -.02em; margin: 0 0 .6rem; text-wrap: balance; }
h2 { font-size: 1.5rem; letter-spacing: -.01em; margin: 0; }
h3 { font-size: .95rem; margin: 1.4rem 0 .5rem; }
p { margin: .4rem 0 1rem; max-width: 46rem; text-wrap: pretty; }
.lead { font-size: 1.1rem; color: var(--soft); }
.soft { color: var(--soft); }
h3 .soft { font-weight: 400; }
a { color: inherit; text-decoration-color: var(--ours); text-underline-offset: .2em; }
code { font: .88em ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; background: var(--band); border-radius: .3rem; padding: .15em .4em; overflow-wrap: anywhere; }
dl.facts { display: flex; flex-wrap: wrap; gap: .3rem 1.6rem; margin: 1rem 0 1.2rem; }
dl.facts div { display: flex; flex-direction: column-reverse; }
dl.facts dt { color: var(--soft); font-size: .78rem; }
dl.facts dd { margin: 0; font-weight: 600; font-variant-numeric: tabular-nums; }
section { margin-top: 3.5rem; padding-top: 2rem; border-top: 1px solid var(--rule); }
section > p { margin-top: .2rem; }
.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 19rem), 1fr)); gap: 1rem; }
figure { margin: 0; padding: .9rem .9rem .5rem; background: var(--card); border: 1px solid var(--rule); border-radius: .7rem; display: flex; flex-direction: column; justify-content: space-between; }
figcaption { font-size: .82rem; line-height: 1.4; color: var(--soft); margin-bottom: .5rem; }
figcaption b { color: var(--ink); }
svg { width: 100%; height: auto; display: block; }
svg text { font-size: 11px; fill: var(--soft); font-variant-numeric: tabular-nums; }
svg .grid { stroke: var(--rule); stroke-width: 1; }
svg .line { fill: none; stroke: var(--ours); stroke-width: 2; stroke-linejoin: round; }
svg .area { fill: var(--ours); opacity: .1; }
svg .level, svg .bar { fill: var(--ours); }
svg .band { fill: var(--band); }
svg .leaf { stroke: var(--ours); stroke-width: 2; stroke-linecap: round; }
svg .key { fill: var(--ink); }
svg .binary { stroke: var(--soft); stroke-width: 1.5; stroke-dasharray: 5 4; }
svg .design { fill: var(--tone); stroke: var(--card); stroke-width: 1; }
svg .design path { fill: none; stroke: var(--tone); stroke-width: 1.5; opacity: .7; }
.omendb { --tone: var(--ours); } .rmi-linear { --tone: var(--linear); } .rmi-cubic { --tone: var(--cubic); }
.radix { --tone: var(--radix); } .pgm { --tone: var(--pgm); }
.lmdb { --tone: var(--linear); } .leveldb { --tone: var(--cubic); } .sqlite { --tone: var(--radix); }
.duckdb { --tone: var(--pgm); } .btree { --tone: var(--pink); } .map { --tone: var(--other); }
svg .even { stroke: var(--ours); stroke-width: 1.5; }
svg .stripe { fill: var(--band); }
svg .name { fill: var(--ink); }
svg .unsure { stroke: var(--tone); stroke-width: 1.5; opacity: .6; }
.wide { min-width: 44rem; }
.word { white-space: nowrap; }
td small { display: block; color: var(--soft); font-size: .78em; }
td.best { font-weight: 650; color: var(--ours); }
dl.setup { font-size: .88rem; max-width: 60rem; } dl.setup dt { font-weight: 600; margin-top: .7rem; } dl.setup dd { margin: 0; color: var(--soft); }
.legend { display: flex; flex-wrap: wrap; gap: .3rem 1.1rem; font-size: .85rem; color: var(--soft); max-width: none; margin: .8rem 0; }
.legend span { display: inline-flex; align-items: center; gap: .4rem; }
svg.mark { width: 14px; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-size: .85rem; font-variant-numeric: tabular-nums; min-width: 100%; }
th, td { padding: .34rem .7rem; text-align: right; white-space: nowrap; border-bottom: 1px solid var(--rule); }
th { font-weight: 500; color: var(--soft); vertical-align: bottom; }
th:first-child, td:first-child { text-align: left; padding-left: 0; }
tbody tr:hover { background: var(--band); }
td.meter { background: linear-gradient(var(--meter), var(--meter)) left center / var(--share) 62% no-repeat; min-width: 7rem; }
.missed { color: var(--missed); font-weight: 600; }
.bars { list-style: none; margin: 0; padding: 0; font-size: .85rem; font-variant-numeric: tabular-nums; }
.bars li { display: grid; grid-template-columns: 12.5rem 1fr 5rem 4rem; gap: .7rem; align-items: center; padding: .28rem 0; }
.bars i { height: .8rem; width: var(--share); border-radius: .2rem; background: var(--other); }
.bars .ours i { background: var(--ours); }
.bars .faint i { opacity: .45; } .bars .faint span { color: var(--soft); }
.bars .ours span { font-weight: 600; }
.bars b { text-align: right; font-weight: 500; } .bars em { text-align: right; font-style: normal; color: var(--soft); }
figure .bars { margin: auto 0; padding: .4rem 0 .8rem; font-size: .8rem; }
figure .bars li { grid-template-columns: 1fr auto 3.4rem; gap: .15rem .6rem; padding: .3rem 0; }
figure .bars i { grid-column: 1 / -1; grid-row: 2; }
details > summary { cursor: pointer; font-size: .95rem; font-weight: 700; margin: 1.4rem 0 .5rem; }
nav { font-size: .9rem; }
@media (max-width: 36rem) {
  body { padding: 1.5rem 1rem 4rem; }
  .bars li { grid-template-columns: 1fr auto 3.6rem; gap: .2rem .7rem; padding: .4rem 0; }
  .bars i { grid-column: 1 / -1; grid-row: 2; }
}
@media print { section { break-inside: avoid; } details { display: block; } }
`;
