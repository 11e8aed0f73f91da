/** The threads that use the databases under soak, one a lane: hired, told what to do, killed, replaced. */
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import type { ClientData, Order, Saying } from './client.ts';

interface Hand {
  readonly worker: Worker;
  /** Answers that are waited for. */
  readonly waiting: Map<number, (result: number) => void>;
}

export class Staff {
  readonly #data: Omit<ClientData, 'lane' | 'seed'>;
  readonly #hands: Hand[];
  readonly #onFault: (what: string) => void;
  #seed: number;
  #orders = 0;

  constructor(
    data: Omit<ClientData, 'lane' | 'seed'>,
    seed: number,
    onFault: (what: string) => void,
  ) {
    this.#data = data;
    this.#seed = seed;
    this.#onFault = onFault;
    this.#hands = Array.from({ length: data.layout.lanes }, (_, lane) => this.#start(lane));
  }

  #start(lane: number): Hand {
    const workerData: ClientData = { ...this.#data, lane, seed: this.#seed++ };
    const worker = new Worker(new URL('./client.ts', import.meta.url), {
      workerData,
      name: `soak-client-${lane}`,
    });
    const hand: Hand = { worker, waiting: new Map() };
    worker.on('message', (saying: Saying) => {
      if ('fault' in saying) this.#onFault(saying.fault);
      else {
        hand.waiting.get(saying.id)?.(saying.result);
        hand.waiting.delete(saying.id);
      }
    });
    worker.on('error', (error) => {
      this.#onFault(
        `the thread of lane ${lane} ended: ${error instanceof Error ? error.stack : error}`,
      );
    });
    worker.once('exit', () => {
      for (const answer of hand.waiting.values()) answer(-1);
    });
    return hand;
  }

  tell(lane: number, order: Order): Promise<number> {
    const { worker, waiting } = this.#hands[lane];
    const id = ++this.#orders;
    return new Promise((resolve) => {
      waiting.set(id, resolve);
      worker.postMessage({ id, order });
    });
  }

  async each(order: (lane: number) => Order): Promise<void> {
    await Promise.all(this.#hands.map((_, lane) => this.tell(lane, order(lane))));
  }

  async kill(lane: number): Promise<void> {
    const { worker } = this.#hands[lane];
    const gone = once(worker, 'exit');
    await worker.terminate();
    await gone;
  }

  /** In place of one that was killed. */
  async hire(lane: number, order: Order): Promise<void> {
    this.#hands[lane] = this.#start(lane);
    await this.tell(lane, order);
  }

  async end(): Promise<void> {
    await Promise.all(this.#hands.map(({ worker }) => worker.terminate()));
  }
}
