/**
 * The entry of a shard thread. Control calls come in over Comlink; once `serve` was called, the host's
 * loop has the thread and lets the event loop turn when there is something for it.
 */
import { parentPort } from 'node:worker_threads';
import { expose } from 'comlink';
import nodeEndpoint from 'comlink/dist/esm/node-adapter.mjs';
import { OmenError } from '../errors.ts';
import { realStorage } from '../storage/real.ts';
import { Control } from '../view/control.ts';
import type { ClientIntroduction } from './client-link.ts';
import type { CrossedError, OpenShards, ShardThread } from './control-plane.ts';
import { Engine } from './engine.ts';
import { Host } from './host.ts';
import { JobPool } from './job-pool.ts';
import type { RecoveredShard } from './replay.ts';
import { ShardSalvage } from './salvage.ts';

if (parentPort === null) throw new Error('This is the entry of a worker thread.');

const pool = new JobPool();
let host: Host | null = null;
let running: Promise<void> = Promise.resolve();
/** One job of a bulk load at a time, so that flushes and merges have threads, too. */
let loading: Promise<unknown> = Promise.resolve();

function theHost(): Host {
  if (host === null) throw new OmenError('OMEN_CLOSED', 'The shard thread has not been opened.');
  return host;
}

function engineOf(shard: number): Engine {
  const engine = theHost().engines.find((one) => one.shard === shard);
  if (engine !== undefined) return engine;
  throw new OmenError('OMEN_SHARD_FAILED', `Shard ${shard} is not here.`);
}

/** Lets an error keep its code on its way through structured clone. */
function crossed(error: unknown): CrossedError {
  const code = error instanceof OmenError ? error.code : 'OMEN_SHARD_FAILED';
  const message = error instanceof Error ? error.message : String(error);
  return { code, message };
}

async function answer<T>(work: () => T | Promise<T>): Promise<T> {
  try {
    return await (host === null ? work() : host.call(work));
  } catch (error) {
    throw crossed(error);
  }
}

async function openShards(options: OpenShards): Promise<RecoveredShard[]> {
  const control = new Control(options.control);
  const opened = new Host(control, options.thread, options.durability);
  const found: RecoveredShard[] = [];
  for (const { shard, directory } of options.shards) {
    const recovered = await Engine.open({
      storage: realStorage,
      directory,
      shard,
      schema: options.schema,
      databaseId: options.databaseId,
      epoch: options.epoch,
      control,
      memtableShape: options.memtableShape,
      memoryBytes: options.memoryBytes,
      readOnly: options.readOnly,
      retain: options.retain,
      runJob: (job) => pool.run(job),
      onView: (view) => opened.postView(view),
      onNotice: (notice) => opened.postNotice(notice),
      onWork: (work) => opened.postWork(work),
      clients: () => opened.clients(),
    });
    opened.addEngine(recovered.engine);
    found.push(recovered.found);
  }
  host = opened;
  return found;
}

let salvages: ShardSalvage[] = [];

const thread: ShardThread = {
  salvage: ({ shards, schema, databaseId, memtableShape }) =>
    answer(() => {
      const storage = realStorage;
      salvages = shards.map(
        (shard) => new ShardSalvage({ storage, ...shard, schema, databaseId, memtableShape }),
      );
      return salvages.map(({ found }) => found);
    }),
  keep: (committed) =>
    answer(() => {
      for (const salvage of salvages) salvage.keep(new Set(committed));
    }),
  conclude: () =>
    answer(() => {
      for (const salvage of salvages) salvage.conclude();
    }),
  open: (options) => answer(() => openShards(options)),
  secure: () =>
    answer(() => {
      for (const engine of theHost().engines) engine.secure();
    }),
  start: (committed) =>
    answer(() => {
      const names = new Set(committed);
      for (const engine of theHost().engines) engine.start(names);
    }),
  addClient: (introduction: ClientIntroduction) => answer(() => theHost().addClient(introduction)),
  removeClient: (client) => answer(() => theHost().dropClient(client)),
  serve: () =>
    answer(() => {
      for (const engine of theHost().engines) engine.serve();
      running = theHost().run();
    }),
  flush: () =>
    answer(async () => {
      await Promise.all(theHost().engines.map((engine) => engine.flush()));
    }),
  compact: () =>
    answer(async () => {
      await Promise.all(theHost().engines.map((engine) => engine.compact()));
    }),
  writeLoad: (name, shard, slice) =>
    answer(() => {
      const turn = loading.then(() => engineOf(shard).writeLoad(name, slice));
      loading = turn.catch(() => {});
      return turn;
    }),
  settleLoads: () =>
    answer(() => {
      for (const engine of theHost().engines) engine.settleLoads();
    }),
  prepareLoad: ({ name, number, participants, shard, ids }) =>
    answer(() => engineOf(shard).prepareLoad(name, number, participants, ids)),
  settleLoad: (name, isPublished) =>
    answer(async () => {
      await Promise.all(theHost().engines.map((engine) => engine.settleLoad(name, isPublished)));
    }),
  close: () =>
    answer(async () => {
      const closing = theHost();
      closing.stop();
      await running;
      for (const engine of closing.engines) await engine.close();
      await pool.close();
    }),
};

expose(thread, nodeEndpoint(parentPort));
