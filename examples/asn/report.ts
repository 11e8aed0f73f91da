/** What the main job found out, and how it reads on a terminal. */
import { bold, bytes, count, dim, green, seconds, table } from '../terminal.ts';
import type { Findings } from '../time-series/crash.ts';
import type { Reading } from '../time-series/measure.ts';
import type { Answer } from './ranges.ts';

export interface Stored {
  readonly rows: number;
  readonly segmentBytes: number;
  readonly indexBytes: number;
  /** The widest error window of a learned index: how many positions a look-up may have to search. */
  readonly windowMax: number;
}

export interface RangesReport extends Stored {
  readonly csvBytes: number;
  readonly seconds: number;
  readonly answers: readonly Answer[];
  readonly credit: string;
}

export interface SeriesReport extends Stored {
  /** How many threads wrote. */
  readonly writers: number;
  readonly crash: Findings & {
    /** From the start of the process to its end. */
    readonly seconds: number;
    readonly openSeconds: number;
    readonly verifySeconds: number;
  };
  /** What was written afterwards. */
  readonly rest: { readonly rows: number; readonly seconds: number };
  readonly compactSeconds: number;
  readonly reads: readonly Reading[];
}

export interface Report {
  readonly machine: { readonly node: string; readonly cores: number };
  readonly ranges: RangesReport;
  readonly series: SeriesReport;
  /** Resident memory of the process, with both the rows it holds and all of its threads. */
  readonly memoryBytes: number;
  readonly seconds: number;
}

function answerLine({ address, asn, name, first, last }: Answer): string[] {
  const owner = asn === null ? dim('nobody') : `${bold(`AS${asn}`)} ${name}`;
  return [address.padEnd(15), `${first} – ${last}`.padEnd(33), owner];
}

function speed(what: string, rows: number, time: number): string[] {
  return [what, count(rows), seconds(time), count(rows / time)];
}

function size(what: string, stored: Stored): string[] {
  const { rows, segmentBytes, indexBytes, windowMax } = stored;
  return [what, count(rows), bytes(segmentBytes), bytes(indexBytes), count(windowMax)];
}

/** The report as text for stdout. */
export function show({ machine, ranges, series, memoryBytes, seconds: total }: Report): string {
  const { crash } = series;
  const writers = `put, durable, ${series.writers} threads`;
  const speeds = [
    ['', 'rows', 'time', 'rows/s'],
    speed('put, durable, from CSV', ranges.rows, ranges.seconds),
    speed(`${writers}, until killed`, crash.acknowledged, crash.seconds),
    speed(`${writers}, the rest`, series.rest.rows, series.rest.seconds),
    speed('compaction', series.rows, series.compactSeconds),
    ...series.reads.map(({ what, rows, seconds: time }) => speed(what, rows, time)),
  ];
  const sizes = [
    ['', 'rows', 'segments', 'index', 'error window'],
    size('address ranges', ranges),
    size('time series', series),
  ];
  return [
    '',
    bold('Who announces it?'),
    ...ranges.answers.map((answer) => `  ${answerLine(answer).join(' ')}`),
    dim(`  Data: ${ranges.credit}`),
    '',
    bold('Killed with SIGKILL while writing'),
    `  ${count(crash.acknowledged)} rows were acknowledged, ${count(crash.found)} were found after reopening in ${seconds(crash.openSeconds)}.`,
    `  ${green(`${count(crash.lost)} lost, ${count(crash.wrong)} wrong.`)} Each acknowledged row was looked up, each row found was checked.`,
    '',
    bold('Speed'),
    table(speeds),
    '',
    bold('Size'),
    table(sizes),
    '',
    `  ${bytes(memoryBytes)} resident memory, ${seconds(total)} in all, ${machine.cores} cores, Node ${machine.node}`,
  ].join('\n');
}
