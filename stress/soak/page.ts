/**
 * The page of a soak, whole in one file, with the charts of uPlot: as a report it has its data in it, live
 * it is sent them as server-sent events.
 */
import { readFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { type Columns, columnsOf } from './columns.ts';
import type { Verdict } from './judge.ts';
import { PAGE_SCRIPT } from './page-script.ts';
import { PAGE_STYLE } from './page-style.ts';
import type { Broken, FaultSeen, Sampled, Soaked } from './record.ts';
import { clock } from './status.ts';

/** What the script of the page shows. */
export interface PageData {
  readonly title: string;
  readonly about: string;
  readonly verdicts: readonly Verdict[];
  readonly broken: readonly Broken[];
  readonly faults: readonly FaultSeen[];
  readonly columns: Columns;
}

function packaged(name: string): string {
  return readFileSync(new URL(import.meta.resolve(`uplot/dist/${name}`)), 'utf8');
}

export function pageData(
  { state, broken, faults }: Soaked,
  samples: readonly Sampled[],
  verdicts: readonly Verdict[],
): PageData {
  const { keys, lanes, seed, durationMs } = state.options;
  const whole = new Intl.NumberFormat('en-US');
  const [cpu] = cpus();
  return {
    title: `Soak of ${clock(durationMs)}`,
    about:
      `${whole.format(keys)} keys, ${lanes} threads, seed ${seed}; ${clock(state.elapsedMs)} done. ` +
      `Node ${process.versions.node} on ${cpus().length} × ${cpu?.model ?? 'an unknown processor'}.`,
    verdicts,
    broken,
    faults,
    columns: columnsOf(samples),
  };
}

/** Text of JSON that may stand in a script of a page. */
function inScript(value: unknown): string {
  return JSON.stringify(value).replaceAll('<', '\\u003c');
}

/** @param data null: it comes as events */
export function pageOf(data: PageData | null): string {
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="icon" href="data:,">
<title>${data?.title ?? 'Soak'} · OmenDB</title>
<style>${packaged('uPlot.min.css')}${PAGE_STYLE}</style>
<main>
<h1 id="title"></h1>
<p id="about"></p>
<p id="now"></p>
<section id="broken"></section>
<section id="verdicts"></section>
<section id="charts"></section>
<section id="faults"></section>
</main>
<script>${packaged('uPlot.iife.min.js')}</script>
<script>const given = ${inScript(data)};${PAGE_SCRIPT}</script>
</html>
`;
}
