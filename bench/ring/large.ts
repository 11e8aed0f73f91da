/** One way, messages larger than a frame: in chunks through a ring, and as buffers by message. */
import { ChunkReceiver, ChunkSender } from '../../src/ring/chunks.ts';
import { RingConsumer, RingProducer } from '../../src/ring/ring.ts';
import { FAR_BELL, NEAR_BELL, type Pair, type Suite } from './pair.ts';
import { Doorbell, spinThenSleep } from './waiting.ts';

export const MESSAGE_BYTES = 2 ** 20;

/** Messages by message under way at once. */
const WINDOW = 8;

/** Each message ends in its number. */
function expected(messages: number): number {
  let sum = 0;
  for (let i = 0; i < messages; i++) sum += i & 255;
  return sum;
}

const chunks: Pair = {
  label: 'ring, in chunks',
  expected,
  near({ there, bells }, count) {
    const sender = new ChunkSender(new RingProducer(there), MESSAGE_BYTES);
    const work = new Doorbell(bells, FAR_BELL);
    const room = new Doorbell(bells, NEAR_BELL);
    const message = new Uint8Array(MESSAGE_BYTES);
    for (let i = 0; i < count; i++) {
      message[MESSAGE_BYTES - 1] = i;
      for (;;) {
        const seen = room.read();
        const done = sender.send(message);
        work.ring();
        if (done) break;
        spinThenSleep(room, seen);
      }
    }
    return undefined;
  },
  far({ there, bells }, count) {
    const ring = new RingConsumer(there);
    const receiver = new ChunkReceiver(ring, MESSAGE_BYTES);
    const work = new Doorbell(bells, FAR_BELL);
    const room = new Doorbell(bells, NEAR_BELL);
    let sum = 0;
    for (let i = 0; i < count; ) {
      const seen = work.read();
      const length = ring.next();
      if (length < 0) {
        spinThenSleep(work, seen);
        continue;
      }
      const message = receiver.accept(length);
      ring.release();
      room.ring();
      if (message === undefined) continue;
      sum += message[MESSAGE_BYTES - 1];
      i++;
    }
    return sum;
  },
};

/** `moved`: the buffer goes over whole; the near side pays for filling a new one, as it must. */
function posting(label: string, moved: boolean): Pair {
  return {
    label,
    expected,
    async near({ port }, count) {
      const source = new Uint8Array(MESSAGE_BYTES);
      let wake: (() => void) | undefined;
      let underWay = 0;
      port.on('message', () => {
        underWay--;
        wake?.();
      });
      for (let i = 0; i < count; i++) {
        while (underWay === WINDOW) {
          await new Promise<void>((resolve) => {
            wake = resolve;
          });
        }
        source[MESSAGE_BYTES - 1] = i;
        underWay++;
        if (moved) {
          const copy = source.slice();
          port.postMessage(copy, [copy.buffer]);
        } else port.postMessage(source);
      }
      return undefined;
    },
    far({ port }, count) {
      let sum = 0;
      let taken = 0;
      return new Promise((resolve) => {
        port.on('message', (message: Uint8Array) => {
          sum += message[MESSAGE_BYTES - 1];
          port.postMessage(0);
          if (++taken === count) resolve(sum);
        });
      });
    },
  };
}

export const pairs: Suite = {
  chunks,
  moved: posting('postMessage, copied once and moved', true),
  cloned: posting('postMessage, cloned', false),
};
