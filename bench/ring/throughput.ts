/**
 * One way, frame after frame of two doubles, counted up; the far side adds them all. Every variant that
 * has no waiting of its own gets ours, so that what differs is the queue.
 */
import { once } from 'node:events';
import { RingConsumer, RingProducer } from '../../src/ring/ring.ts';
import { FAR_BELL, NEAR_BELL, type Pair, type Shared, type Suite } from './pair.ts';
import { Doorbell, spinThenSleep } from './waiting.ts';

/** Frames handed over at once where a variant hands over in bulk. */
const BULK = 1024;

/** Frames taken before their room is given back: each time may wake the other side. */
const TAKEN = 4096;

/** Messages of one by one that may be under way: enough to keep the other side busy. */
const WINDOW = 4096;

/** 0 + 1 + … + (2n − 1). */
function expected(frames: number): number {
  return frames * (2 * frames - 1);
}

function ringPair(label: string, bulk: number): Pair {
  return {
    label,
    expected,
    near({ there, bells }, count) {
      const ring = new RingProducer(there);
      const work = new Doorbell(bells, FAR_BELL);
      const room = new Doorbell(bells, NEAR_BELL);
      for (let i = 0; i < count; ) {
        const seen = room.read();
        const stop = Math.min(count, i + bulk);
        let at = 0;
        for (; i < stop; i++) {
          at = ring.reserve(16);
          if (at < 0) break;
          ring.f64[at >>> 3] = 2 * i;
          ring.f64[(at >>> 3) + 1] = 2 * i + 1;
        }
        if (ring.publish()) work.ring();
        if (at < 0) spinThenSleep(room, seen);
      }
      return undefined;
    },
    far({ there, bells }, count) {
      const ring = new RingConsumer(there);
      const work = new Doorbell(bells, FAR_BELL);
      const room = new Doorbell(bells, NEAR_BELL);
      let sum = 0;
      for (let i = 0; i < count; ) {
        const seen = work.read();
        let taken = 0;
        for (; taken < TAKEN && ring.next() >= 0; taken++) {
          const at = ring.offset >>> 3;
          sum += ring.f64[at] + ring.f64[at + 1];
        }
        i += taken;
        ring.release();
        if (taken > 0) room.ring();
        else spinThenSleep(work, seen);
      }
      return sum;
    },
  };
}

/** The part of ringbuf.js that is used here; its own declarations lack half of it. */
interface RingBuffer {
  push(elements: Float64Array, length: number): number;
  pop(elements: Float64Array, length: number): number;
  availableWrite(): number;
  writeCallbackWithOffset(
    amount: number,
    write: (
      storage: Float64Array,
      firstAt: number,
      first: number,
      secondAt: number,
      second: number,
    ) => number,
  ): number;
}

// Not a literal: the compiler must not insist on a package that only those who measure install.
const PEER: string = 'ringbuf.js';

async function peer({ there }: Shared): Promise<RingBuffer> {
  const { RingBuffer } = await import(PEER);
  return new RingBuffer(there, Float64Array);
}

/** Whether the package is there; what to do is said where it is printed. */
export async function isPeerInstalled(): Promise<boolean> {
  return import(PEER).then(
    () => true,
    () => false,
  );
}

/** It knows no frames: what crosses is a stream of doubles, which spares it the headers. */
const peerFar: Pair['far'] = async (shared, count) => {
  const ring = await peer(shared);
  const work = new Doorbell(shared.bells, FAR_BELL);
  const room = new Doorbell(shared.bells, NEAR_BELL);
  const batch = new Float64Array(2 * BULK);
  let sum = 0;
  for (let i = 0; i < 2 * count; ) {
    const seen = work.read();
    const taken = ring.pop(batch, batch.length);
    for (let k = 0; k < taken; k++) sum += batch[k];
    i += taken;
    if (taken > 0) room.ring();
    else spinThenSleep(work, seen);
  }
  return sum;
};

function peerPushing(label: string, bulk: number): Pair {
  return {
    label,
    expected,
    far: peerFar,
    async near(shared, count) {
      const ring = await peer(shared);
      const work = new Doorbell(shared.bells, FAR_BELL);
      const room = new Doorbell(shared.bells, NEAR_BELL);
      const batch = new Float64Array(2 * bulk);
      for (let i = 0; i < 2 * count; ) {
        const seen = room.read();
        const wanted = Math.min(batch.length, 2 * count - i, ring.availableWrite() & ~1);
        for (let k = 0; k < wanted; k++) batch[k] = i + k;
        i += ring.push(batch, wanted);
        if (wanted > 0) work.ring();
        else spinThenSleep(room, seen);
      }
      return undefined;
    },
  };
}

const peerInPlace: Pair = {
  label: `ringbuf.js, ${BULK} written in place`,
  expected,
  far: peerFar,
  async near(shared, count) {
    const ring = await peer(shared);
    const work = new Doorbell(shared.bells, FAR_BELL);
    const room = new Doorbell(shared.bells, NEAR_BELL);
    let i = 0;
    const write = (
      storage: Float64Array,
      firstAt: number,
      first: number,
      secondAt: number,
      second: number,
    ): number => {
      for (let k = 0; k < first; k++) storage[firstAt + k] = i + k;
      for (let k = 0; k < second; k++) storage[secondAt + k] = i + first + k;
      return first + second;
    };
    while (i < 2 * count) {
      const seen = room.read();
      const written = ring.writeCallbackWithOffset(Math.min(2 * BULK, 2 * count - i), write);
      i += written;
      if (written > 0) work.ring();
      else spinThenSleep(room, seen);
    }
    return undefined;
  },
};

/** A buffer per bulk, moved and not copied, and moved back empty: nothing is allocated in between. */
const transferring: Pair = {
  label: `postMessage, buffers of ${BULK} moved there and back`,
  expected,
  async near({ port }, count) {
    const free = Array.from({ length: 8 }, () => new Float64Array(2 * BULK));
    let wake: (() => void) | undefined;
    port.on('message', (batch: Float64Array<ArrayBuffer>) => {
      free.push(batch);
      wake?.();
    });
    for (let i = 0; i < 2 * count; ) {
      const batch = free.pop();
      if (batch === undefined) {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
        continue;
      }
      const wanted = Math.min(batch.length, 2 * count - i);
      for (let k = 0; k < wanted; k++) batch[k] = i + k;
      i += wanted;
      port.postMessage({ batch, wanted }, [batch.buffer]);
    }
    return undefined;
  },
  far({ port }, count) {
    let sum = 0;
    let taken = 0;
    return new Promise((resolve) => {
      port.on(
        'message',
        ({ batch, wanted }: { batch: Float64Array<ArrayBuffer>; wanted: number }) => {
          for (let k = 0; k < wanted; k++) sum += batch[k];
          port.postMessage(batch, [batch.buffer]);
          taken += wanted;
          if (taken === 2 * count) resolve(sum);
        },
      );
    });
  },
};

/** A typed array of two is what structured clone copies slowest; two numbers go fastest as an array. */
const posting: Pair = {
  label: 'postMessage, one by one',
  expected,
  async near({ port }, count) {
    for (let i = 0; i < count; i++) {
      port.postMessage([2 * i, 2 * i + 1]);
      if (i % WINDOW === WINDOW - 1) await once(port, 'message');
    }
    return undefined;
  },
  far({ port }, count) {
    let sum = 0;
    let taken = 0;
    return new Promise((resolve) => {
      port.on('message', ([a, b]: [number, number]) => {
        sum += a + b;
        taken++;
        if (taken % WINDOW === 0) port.postMessage(0);
        if (taken === count) resolve(sum);
      });
    });
  },
};

export const pairs: Suite = {
  ring: ringPair(`ring, ${BULK} published at once`, BULK),
  ringSingly: ringPair('ring, one by one', 1),
  peerInPlace,
  peer: peerPushing(`ringbuf.js, ${BULK} pushed at once`, BULK),
  peerSingly: peerPushing('ringbuf.js, one by one', 1),
  transferring,
  posting,
};
