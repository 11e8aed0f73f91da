/**
 * Bugs for the soak to find: each is planted into a copy of the sources, and the soak run there. One that
 * ends in a verdict that all is well has escaped.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { mutate } from '../mutants.ts';

const ROOT = join(import.meta.dirname, '../..');

interface Planted {
  readonly what: string;
  readonly file: string;
  readonly find: string;
  readonly replace: string;
  /** Of the soak's first line that tells of it. */
  readonly told: RegExp;
}

export const PLANTED: Readonly<Record<string, Planted>> = {
  leak: {
    what: 'a client keeps every view that it ever had',
    file: 'src/coordinator/reader.ts',
    find: 'if (previous !== null) this.#countRetired(previous, view);',
    replace: `if (previous !== null) {
      const all = globalThis as { keptViews?: unknown[] };
      all.keptViews ??= [];
      all.keptViews.push(previous);
      this.#countRetired(previous, view);
    }`,
    told: /BROKEN +no growth: (resident|heap|external)/,
  },
  'lost-write': {
    what: 'a group now and then is not written to the log',
    file: 'src/wal/writer.ts',
    find: 'this.#file.write(views.u8.subarray(0, paddedBytes), this.#position);',
    replace:
      'if (this.#lastLsn % 97 !== 3) this.#file.write(views.u8.subarray(0, paddedBytes), this.#position);',
    told: /\S/,
  },
  'stale-read': {
    what: 'readers ignore the watermark of what they read',
    file: 'src/view/memtable.ts',
    find: 'if (entry < visible.watermark) {',
    replace: 'if (entry < 2 ** 32) {',
    told: /snapshot/,
  },
  'old-view': {
    what: 'readers go by the view that they happen to have',
    file: 'src/coordinator/reader.ts',
    find: 'return this.signed[this.#control.versionIndex(shard)] === view.version;',
    replace: 'return view.version > 0;',
    told: /\S/,
  },
};

/** A copy of the sources that has the bug. @throws TypeError where there is no such */
export function plant(name: string): string {
  const planted = PLANTED[name];
  if (planted === undefined) {
    throw new TypeError(`--planted is one of ${Object.keys(PLANTED).join(', ')}, not ${name}`);
  }
  const directory = mkdtempSync(join(tmpdir(), 'omendb-planted-'));
  const filter = (path: string): boolean => basename(path) !== 'node_modules';
  for (const part of ['src', 'stress', 'package.json', 'tsconfig.json']) {
    cpSync(join(ROOT, part), join(directory, part), { recursive: true, filter });
  }
  symlinkSync(join(ROOT, 'node_modules'), join(directory, 'node_modules'));
  writeFileSync(join(directory, planted.file), mutate({ ...planted, by: 'histories' }));
  return directory;
}

export interface Caught {
  readonly caught: boolean;
  readonly seconds: number;
  /** The first line that tells of something broken. */
  readonly told: string;
}

/** Runs the soak over a planted bug. @param args of the soak, without `--planted` */
export async function soakPlanted(name: string, args: readonly string[]): Promise<Caught> {
  const directory = plant(name);
  try {
    const begun = performance.now();
    const main = join(directory, 'stress/soak/main.ts');
    const child = spawn(process.execPath, [main, ...args, '--dir', join(directory, 'soak')], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let text = '';
    child.stdout.on('data', (chunk) => {
      text += chunk;
    });
    const [code] = await once(child, 'close');
    const seconds = Math.round((performance.now() - begun) / 1000);
    const lines = text
      .split('\n')
      .filter((line) => line !== '' && !/^(holds|not shown| )/.test(line));
    const told = lines.filter((line) => PLANTED[name].told.test(line));
    const broken = told.filter((line) => !line.startsWith('BROKEN'));
    return { caught: code === 1 && told.length > 0, seconds, told: broken[0] ?? told[0] ?? '' };
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}
