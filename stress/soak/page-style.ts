/** How the page of a soak looks, by day and by night. */
export const PAGE_STYLE = `
:root { color-scheme: light dark; --back: #fbfbfa; --text: #1b1c1e; --faint: #6b6f76; --line: #d9dbdf;
  --good: #17803d; --bad: #c02626; --open: #94650a; }
@media (prefers-color-scheme: dark) {
  :root { --back: #16181b; --text: #e6e7e9; --faint: #9aa0a8; --line: #33373d;
    --good: #4cc27a; --bad: #ff6b6b; --open: #e0a940; }
}
body { margin: 0; background: var(--back); color: var(--text); font: 15px/1.5 system-ui, sans-serif; }
main { max-width: 1180px; margin: 0 auto; padding: 24px 20px 60px; }
h1 { font-size: 26px; margin: 0 0 4px; font-weight: 650; }
h2 { font-size: 17px; margin: 32px 0 8px; font-weight: 600; }
p { margin: 0 0 6px; color: var(--faint); }
#now { color: var(--text); font-variant-numeric: tabular-nums; min-height: 1.5em; }
table { border-collapse: collapse; width: 100%; font-size: 14px; }
th, td { text-align: left; vertical-align: top; padding: 6px 14px 6px 0; border-bottom: 1px solid var(--line); }
th { color: var(--faint); font-weight: 500; }
td.number { text-align: right; font-variant-numeric: tabular-nums; }
.holds { color: var(--good); } .broken { color: var(--bad); font-weight: 650; } .open { color: var(--open); }
.mark { white-space: nowrap; }
#charts { display: grid; grid-template-columns: repeat(auto-fill, minmax(520px, 1fr)); gap: 22px 28px; margin-top: 28px; }
@media (max-width: 600px) { #charts { grid-template-columns: 1fr; } }
figure { margin: 0; min-width: 0; }
figcaption { font-weight: 600; margin-bottom: 2px; }
figcaption span { font-weight: 400; color: var(--faint); }
.u-legend { font-size: 12px; text-align: left; }
details { margin-top: 10px; } summary { cursor: pointer; color: var(--faint); }
`;
