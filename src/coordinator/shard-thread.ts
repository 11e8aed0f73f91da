/**
 * The coordinator's end of one shard thread: the worker, control calls to it, and its death. A call
 * never hangs: it is rejected when the thread ends first.
 */
import { extname } from 'node:path';
import { Worker } from 'node:worker_threads';
import { type Remote, releaseProxy, transfer, wrap } from 'comlink';
import nodeEndpoint from 'comlink/dist/esm/node-adapter.mjs';
import { ERRORS, type ErrorCode, OmenError } from '../errors.ts';
import { Doorbell } from '../ring/doorbell.ts';
import type { ClientIntroduction } from '../shard-worker/client-link.ts';
import type {
  ShardThread as Calls,
  OpenShards,
  PreparedLoad,
} from '../shard-worker/control-plane.ts';
import type { WrittenLoad } from '../shard-worker/engine.ts';
import { COMPLETED } from '../shard-worker/protocol.ts';
import type { RecoveredShard } from '../shard-worker/replay.ts';
import type { Control } from '../view/control.ts';
import type { RunSlice } from '../view/run-slice.ts';

/** V8 would let the young generation of every thread grow to some 100 MB, for garbage of none. */
const YOUNG_MB = 8;

/** Gives an error that crossed a thread its class back. */
export function revive(error: unknown): OmenError {
  if (error instanceof OmenError) return error;
  const { code, message } = error as { code?: unknown; message?: unknown };
  const known = typeof code === 'string' && code in ERRORS;
  return new OmenError(known ? (code as ErrorCode) : 'OMEN_SHARD_FAILED', String(message), {
    cause: error,
  });
}

export class ShardThread {
  readonly thread: number;
  readonly #worker: Worker;
  readonly #calls: Remote<Calls>;
  readonly #control: Control;
  readonly #doorbell: Doorbell;
  readonly #death: Promise<never>;
  /** Where the thread tells each of its clients how many messages it has completed. */
  readonly #completed: Int32Array[] = [];
  #isClosing = false;
  #underWay = 0;

  /** @param onDeath called once, unless the thread ends because it was closed */
  constructor(thread: number, control: Control, onDeath: (reason: string) => void) {
    this.thread = thread;
    this.#control = control;
    this.#doorbell = new Doorbell(control.memory, control.threadDoorbellAt(thread));
    const entry = new URL(`../shard-worker/main${extname(import.meta.url)}`, import.meta.url);
    this.#worker = new Worker(entry, {
      name: `omendb-shards-${thread}`,
      resourceLimits: { maxYoungGenerationSizeMb: YOUNG_MB },
    });
    this.#calls = wrap<Calls>(nodeEndpoint(this.#worker));
    let reason = 'The thread exited.';
    this.#worker.on('error', (error) => {
      reason = error instanceof Error ? error.message : String(error);
    });
    this.#death = new Promise((_, reject) => {
      this.#worker.once('exit', () => {
        reject(new OmenError('OMEN_SHARD_FAILED', `Shard thread ${thread} ended: ${reason}`));
        if (!this.#isClosing) onDeath(reason);
      });
    });
    // Whoever waits for a call hears of it; without one there is nobody to tell.
    this.#death.catch(() => {});
  }

  async #call<T>(invoke: (calls: Remote<Calls>) => Promise<T>, isServing = true): Promise<T> {
    if (this.#underWay++ === 0) this.#worker.ref();
    try {
      const answer = invoke(this.#calls);
      if (isServing) {
        this.#control.addRequest(this.thread);
        this.#doorbell.ring();
      }
      return await Promise.race([answer, this.#death]);
    } catch (error) {
      throw revive(error);
    } finally {
      if (--this.#underWay === 0) this.#worker.unref();
    }
  }

  open(options: OpenShards): Promise<RecoveredShard[]> {
    return this.#call((calls) => calls.open(options) as Promise<RecoveredShard[]>, false);
  }

  salvage(options: OpenShards): Promise<RecoveredShard[]> {
    return this.#call((calls) => calls.salvage(options) as Promise<RecoveredShard[]>, false);
  }

  keep(committed: readonly string[]): Promise<void> {
    return this.#call((calls) => calls.keep(committed), false);
  }

  conclude(): Promise<void> {
    return this.#call((calls) => calls.conclude(), false);
  }

  secure(): Promise<void> {
    return this.#call((calls) => calls.secure());
  }

  start(committed: readonly string[]): Promise<void> {
    return this.#call((calls) => calls.start(committed));
  }

  /** Whether the thread ever completed a client's message. */
  get hasServed(): boolean {
    return this.#completed.some((words) => Atomics.load(words, COMPLETED) !== 0);
  }

  addClient(introduction: ClientIntroduction): Promise<void> {
    this.#completed.push(new Int32Array(introduction.memory.completed));
    return this.#call((calls) => calls.addClient(transfer(introduction, [introduction.views])));
  }

  removeClient(client: number): Promise<void> {
    return this.#call((calls) => calls.removeClient(client));
  }

  serve(): Promise<void> {
    return this.#call((calls) => calls.serve());
  }

  flush(): Promise<void> {
    return this.#call((calls) => calls.flush());
  }

  compact(): Promise<void> {
    return this.#call((calls) => calls.compact());
  }

  writeLoad(name: string, shard: number, slice: RunSlice): Promise<WrittenLoad> {
    return this.#call((calls) => calls.writeLoad(name, shard, slice) as Promise<WrittenLoad>);
  }

  settleLoads(): Promise<void> {
    return this.#call((calls) => calls.settleLoads());
  }

  prepareLoad(load: PreparedLoad): Promise<void> {
    return this.#call((calls) => calls.prepareLoad(load));
  }

  settleLoad(name: string, isPublished: boolean): Promise<void> {
    return this.#call((calls) => calls.settleLoad(name, isPublished));
  }

  /** Shuts the thread down by request, then ends it. */
  async close(): Promise<void> {
    this.#isClosing = true;
    try {
      await this.#call((calls) => calls.close());
    } finally {
      await this.terminate();
    }
  }

  async terminate(): Promise<void> {
    this.#isClosing = true;
    this.#calls[releaseProxy]();
    await this.#worker.terminate();
  }
}
