/** There and back: one frame of 16 bytes goes to the far side, which answers with one. */
import { once } from 'node:events';
import { receiveMessageOnPort } from 'node:worker_threads';
import { RingConsumer, RingProducer } from '../../src/ring/ring.ts';
import { FAR_BELL, NEAR_BELL, type Pair, type Shared, type Suite } from './pair.ts';
import { Doorbell, sleep, spin, spinThenSleep } from './waiting.ts';

type Wait = (bell: Doorbell, seen: number) => void;

const expected = (count: number): number => count;

interface End {
  readonly out: RingProducer;
  readonly inn: RingConsumer;
  readonly other: Doorbell;
  readonly own: Doorbell;
}

function nearEnd({ there, back, bells }: Shared): End {
  return {
    out: new RingProducer(there),
    inn: new RingConsumer(back),
    other: new Doorbell(bells, FAR_BELL),
    own: new Doorbell(bells, NEAR_BELL),
  };
}

function farEnd({ there, back, bells }: Shared): End {
  return {
    out: new RingProducer(back),
    inn: new RingConsumer(there),
    other: new Doorbell(bells, NEAR_BELL),
    own: new Doorbell(bells, FAR_BELL),
  };
}

function put({ out, other }: End, value: number): void {
  const at = out.reserve(16);
  out.f64[at >>> 3] = value;
  if (out.publish()) other.ring();
}

/** The next frame's number, or −1. */
function take({ inn }: End): number {
  if (inn.next() < 0) return -1;
  const value = inn.f64[inn.offset >>> 3];
  inn.release();
  return value;
}

function blocking(wait: Wait): Pick<Pair, 'near' | 'far'> {
  return {
    near(shared, count) {
      const end = nearEnd(shared);
      const samples = new Float64Array(count);
      for (let i = 0; i < count; i++) {
        const start = performance.now();
        put(end, i);
        for (;;) {
          const seen = end.own.read();
          if (take(end) >= 0) break;
          wait(end.own, seen);
        }
        samples[i] = (performance.now() - start) * 1000;
      }
      return samples;
    },
    far(shared, count) {
      const end = farEnd(shared);
      for (let i = 0; i < count; ) {
        const seen = end.own.read();
        const value = take(end);
        if (value < 0) wait(end.own, seen);
        else {
          put(end, value);
          i++;
        }
      }
      return count;
    },
  };
}

/** Each side in its event loop while it waits, as a main thread has to be. */
const awaiting: Pick<Pair, 'near' | 'far'> = {
  async near(shared, count) {
    const end = nearEnd(shared);
    const samples = new Float64Array(count);
    for (let i = 0; i < count; i++) {
      const start = performance.now();
      put(end, i);
      for (;;) {
        const seen = end.own.read();
        if (take(end) >= 0) break;
        await end.own.sleepAsync(seen);
      }
      samples[i] = (performance.now() - start) * 1000;
    }
    return samples;
  },
  async far(shared, count) {
    const end = farEnd(shared);
    for (let i = 0; i < count; ) {
      const seen = end.own.read();
      const value = take(end);
      if (value < 0) await end.own.sleepAsync(seen);
      else {
        put(end, value);
        i++;
      }
    }
    return count;
  },
};

const message: Pair = {
  label: 'postMessage, both in their event loops',
  expected,
  async near({ port }, count) {
    const samples = new Float64Array(count);
    for (let i = 0; i < count; i++) {
      const start = performance.now();
      const answer = once(port, 'message');
      port.postMessage([i, 0]);
      await answer;
      samples[i] = (performance.now() - start) * 1000;
    }
    return samples;
  },
  far({ port }, count) {
    let answered = 0;
    return new Promise((resolve) => {
      port.on('message', (value: number[]) => {
        port.postMessage(value);
        if (++answered === count) resolve(count);
      });
    });
  },
};

/** The fastest that messages go: no event loop, the port is read where a doorbell wakes the thread. */
const messageBlocking: Pair = {
  label: 'postMessage read with receiveMessageOnPort, both block',
  expected,
  near({ port, bells }, count) {
    const own = new Doorbell(bells, NEAR_BELL);
    const other = new Doorbell(bells, FAR_BELL);
    const samples = new Float64Array(count);
    for (let i = 0; i < count; i++) {
      const start = performance.now();
      port.postMessage([i, 0]);
      other.ring();
      for (;;) {
        const seen = own.read();
        if (receiveMessageOnPort(port) !== undefined) break;
        spinThenSleep(own, seen);
      }
      samples[i] = (performance.now() - start) * 1000;
    }
    return samples;
  },
  far({ port, bells }, count) {
    const own = new Doorbell(bells, FAR_BELL);
    const other = new Doorbell(bells, NEAR_BELL);
    for (let i = 0; i < count; ) {
      const seen = own.read();
      const received = receiveMessageOnPort(port);
      if (received === undefined) spinThenSleep(own, seen);
      else {
        port.postMessage(received.message);
        other.ring();
        i++;
      }
    }
    return count;
  },
};

export const pairs: Suite = {
  spinning: { label: 'ring, both spin', expected, ...blocking(spin) },
  spinSleeping: {
    label: 'ring, both spin briefly, then block',
    expected,
    ...blocking(spinThenSleep),
  },
  sleeping: { label: 'ring, both block', expected, ...blocking(sleep) },
  mixed: {
    label: 'ring, near awaits, far spins briefly, then blocks',
    expected,
    near: awaiting.near,
    far: blocking(spinThenSleep).far,
  },
  awaiting: { label: 'ring, both await', expected, ...awaiting },
  messageBlocking,
  message,
};
