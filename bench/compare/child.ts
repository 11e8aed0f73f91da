/**
 * The process of one engine. It has nothing but that engine and its rows, so that its memory, its garbage
 * collector and what V8 has compiled are its own.
 */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { type EngineKind, engineKind } from './engine.ts';
import type { Answer, Command, Commands, Prepare, Request } from './protocol.ts';
import { keyOf, rowsOf } from './rows.ts';
import { Session } from './session.ts';
import { TASKS } from './tasks.ts';

let engine: EngineKind;
let session: Session;
let memoryBefore = residentBytes();

const HANDLERS: {
  readonly [C in Command]: (asks: Commands[C]['asks']) => Promise<Commands[C]['gives']>;
} = {
  async prepare({ engine: name, kind, rows, directory }: Prepare) {
    engine = await engineKind(name);
    session = new Session(engine, kind, rows, directory);
    const scratch = await openScratch();
    const able = Object.entries(TASKS).filter(
      ([, { needs, durable }]) =>
        !(durable && engine.inMemory) && needs.every((part) => scratch.has(part)),
    );
    memoryBefore = residentBytes();
    return able.map(([task]) => task);
  },
  async load({ order }) {
    const cost = await session.load(order);
    await session.verifySample();
    // Some go on tidying up in the background, where it would be in the way of the next one.
    if (!engine.inMemory) await session.close();
    return cost;
  },
  async settle() {
    await session.close();
    const loaded = allocatedBytes(session.directory);
    await (await session.engine(false)).compact?.();
    await session.close();
    return { loaded, compacted: allocatedBytes(session.directory) };
  },
  async memory() {
    await session.engine(false);
    await session.verifySample();
    await session.verifyContents();
    const after = residentBytes();
    return {
      resident: after.resident - memoryBefore.resident,
      mapped: after.mapped - memoryBefore.mapped,
    };
  },
  async run({ task, seed, scale }) {
    const { durable, run } = TASKS[task];
    const opened = await session.engine(durable);
    globalThis.gc?.();
    return run({ session, engine: opened, seed, scale });
  },
  async verify() {
    await session.verifyContents();
    return null;
  },
  async close() {
    await session.close();
    return null;
  },
  async open({ verify }) {
    const { kind } = session;
    const number = Math.floor(session.model.count / 2);
    const key = keyOf(kind, number);
    const start = performance.now();
    const opened = await session.engine(false);
    // Whoever cannot get one row adds up a range of one.
    if (opened.get !== undefined) opened.get(key);
    else await opened.range?.(key, 1);
    const nanoseconds = (performance.now() - start) * 1e6;
    await (verify === 'all' ? session.verifyContents() : session.verifySample());
    return nanoseconds;
  },
  async write() {
    const opened = await session.engine(false);
    const numbers = Uint32Array.from({ length: session.model.count }, (_, i) => i);
    await opened.putInFlight?.(rowsOf(session.kind, numbers, () => 0));
    return null;
  },
};

/** Opens an empty database and closes it: what is loaded and compiled for that is no part of any figure. */
async function openScratch(): Promise<ReadonlySet<string>> {
  const { kind, directory } = session;
  mkdirSync(directory, { recursive: true });
  const scratch = mkdtempSync(`${directory}-scratch-`);
  const opened = await engine.open({ directory: scratch, kind, rows: 1, durable: false });
  const parts = new Set(Object.keys(opened));
  await opened.close();
  rmSync(scratch, { recursive: true });
  return parts;
}

/** What files take on the disk: some engines make large ones with holes. */
function allocatedBytes(directory: string): number {
  return readdirSync(directory, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile())
    .reduce((sum, { parentPath, name }) => sum + 512 * statSync(join(parentPath, name)).blocks, 0);
}

/**
 * After a collection of the kind that gives memory back: others keep what the loaded rows took, for later.
 * Where the system tells, also how much of it are pages of files.
 */
function residentBytes(): { resident: number; mapped: number } {
  globalThis.gc?.({ type: 'major', execution: 'sync', flavor: 'last-resort' });
  const resident = process.memoryUsage.rss();
  try {
    const status = readFileSync('/proc/self/status', 'utf8');
    return { resident, mapped: 1024 * Number(/^RssFile:\s+(\d+) kB$/m.exec(status)?.[1] ?? 0) };
  } catch {
    return { resident, mapped: 0 };
  }
}

async function answer({ command, asks }: Request): Promise<Answer> {
  try {
    const handler = HANDLERS[command] as (asks: unknown) => Promise<Commands[Command]['gives']>;
    return { gives: await handler(asks) };
  } catch (error) {
    return { failed: error instanceof Error ? (error.stack ?? error.message) : String(error) };
  }
}

process.on('message', async (request: Request) => {
  process.send?.(await answer(request));
});
// An interrupt is for whoever started this process, and ends it by that.
process.on('SIGINT', () => {});
process.on('disconnect', () => process.exit());
