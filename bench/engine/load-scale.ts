/**
 * What a bulk load of very many shuffled rows takes, by calculation from smaller ones, and how far the same
 * calculation is off at a size that can be measured: time, memory and disk are a constant and so much a row.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { shuffled, writeArrow } from './load-files.ts';
import { inProcess } from './load-process.ts';
import { count, megabytes, table } from './report.ts';

export interface ScaleOptions {
  /** The largest size measured; the calculation is from a sixteenth and a quarter of it. */
  readonly rows?: number;
  readonly shards?: number;
  readonly memory?: number;
  readonly onProgress?: (what: string) => void;
}

const FAR_ROWS = 1e9;
const FIGURES = ['seconds', 'peakBytes', 'fileBytes', 'spilledBytes'] as const;

type Figures = Readonly<Record<(typeof FIGURES)[number], number>>;
type Measured = Figures & { readonly rows: number };

/** Straight through two measurements. */
function predicted(a: Measured, b: Measured, rows: number): Measured {
  const at = (figure: keyof Figures) =>
    a[figure] + ((b[figure] - a[figure]) * (rows - a.rows)) / (b.rows - a.rows);
  const figures = Object.fromEntries(FIGURES.map((figure) => [figure, at(figure)]));
  return { rows, ...(figures as unknown as Figures) };
}

export async function run(options: ScaleOptions = {}) {
  const { rows = 2e8, shards = 2, memory = 512e6, onProgress = () => {} } = options;
  const directory = mkdtempSync(join(tmpdir(), 'omendb-bench-load-scale-'));
  const path = join(directory, 'data');
  const measure = async (size: number): Promise<Measured> => {
    onProgress(`${count(size)} rows`);
    const source = join(directory, 'rows.arrow');
    await writeArrow(source, size, shuffled(size));
    const loaded = await inProcess({ path, source, rows: size, shards, memory });
    rmSync(path, { recursive: true });
    rmSync(source);
    const { seconds, peakBytes, fileBytes, spilledBytes } = loaded;
    return { rows: size, seconds, peakBytes, fileBytes, spilledBytes };
  };
  const small = await measure(Math.ceil(rows / 16));
  const middle = await measure(Math.ceil(rows / 4));
  const large = await measure(rows);
  rmSync(directory, { recursive: true });
  return {
    ...{ memory, small, middle, large },
    expected: predicted(small, middle, rows),
    far: predicted(middle, large, FAR_ROWS),
  };
}

export function show(result: Awaited<ReturnType<typeof run>>): string {
  const { memory, small, middle, large, expected, far } = result;
  const row = (name: string, { rows, seconds, peakBytes, fileBytes, spilledBytes }: Measured) => [
    `${count(rows)} ${name}`,
    seconds.toFixed(1),
    Math.round(rows / seconds).toLocaleString('en'),
    megabytes(peakBytes),
    megabytes(fileBytes),
    megabytes(spilledBytes),
  ];
  const off = (figure: keyof Figures) =>
    expected[figure] === 0
      ? '–'
      : `${((100 * large[figure]) / expected[figure] - 100).toFixed(0)} %`;
  return [
    `Bulk loads of shuffled rows int64, float64 from Arrow, with a budget of ${megabytes(memory)}`,
    table(
      ['rows', 's', 'rows/s', 'peak memory', 'files', 'spilled'],
      [
        row('measured', small),
        row('measured', middle),
        row('calculated', expected),
        row('measured', large),
        ['  off by', off('seconds'), '', off('peakBytes'), off('fileBytes'), off('spilledBytes')],
        row('calculated', far),
      ],
    ),
  ].join('\n');
}
