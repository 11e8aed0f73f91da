/** One side of stress.ts. */
import assert from 'node:assert';
import { parentPort, workerData } from 'node:worker_threads';
import { Doorbell } from '../../src/ring/doorbell.ts';
import { frameBytes, RingConsumer, RingProducer } from '../../src/ring/ring.ts';
import { ROOM_BELL, type StressOrder, type StressReport, WORK_BELL } from './stress.ts';

const { role, ring, bells, frames, seed }: StressOrder = workerData;
const work = new Doorbell(bells, WORK_BELL);
const room = new Doorbell(bells, ROOM_BELL);

/** After this long asleep a side looks whether it was forgotten. */
const PATIENCE_MS = 20_000;

let sleeps = 0;
let state = (role === 'producer' ? seed : ~seed) | 1;

function draw(below: number): number {
  state ^= state << 13;
  state ^= state >>> 17;
  state ^= state << 5;
  return (state >>> 0) % below;
}

function mix(seq: number): number {
  const a = Math.imul(seq ^ seed, 0x9e3779b1);
  return Math.imul(a ^ (a >>> 15), 0x85ebca77);
}

/** Sleeps at once or after a short spin, by chance: the races differ. */
function sleep(bell: Doorbell, seen: number, isForgotten: () => boolean): void {
  if (bell.spin(seen, draw(4) * 64)) return;
  sleeps++;
  while (!bell.sleepSync(seen, PATIENCE_MS))
    assert(!isForgotten(), `a wake-up of the ${role} was lost, seed ${seed}`);
}

function produce(): number {
  const producer = new RingProducer(ring);
  const isThereRoom = () => producer.freeBytes() >= 2 * frameBytes(16);
  let checksum = 0;
  let batch = 1 + draw(256);
  for (let seq = 0; seq < frames; ) {
    const seen = room.read();
    const at = producer.reserve(16);
    if (at < 0) {
      if (producer.publish()) work.ring();
      sleep(room, seen, isThereRoom);
      continue;
    }
    const value = mix(seq);
    producer.u32[at >>> 2] = seq;
    producer.u32[(at >>> 2) + 1] = value;
    producer.f64[(at >>> 3) + 1] = seq * 0.5;
    checksum = (checksum + value) | 0;
    seq++;
    if (--batch > 0 && seq < frames) continue;
    if (producer.publish()) work.ring();
    batch = 1 + draw(256);
  }
  return checksum;
}

function consume(): number {
  const consumer = new RingConsumer(ring);
  // A second pair of eyes: what it takes is not released, so the first one still finds it.
  const isThereWork = () => new RingConsumer(ring).next() >= 0;
  let checksum = 0;
  let batch = 1 + draw(256);
  let isHolding = false;
  for (let seq = 0; seq < frames; ) {
    const seen = work.read();
    const length = consumer.next();
    if (length < 0) {
      // The producer rings for the first frame after a release only: release, then look again.
      if (isHolding) {
        consumer.release();
        room.ring();
        isHolding = false;
      } else sleep(work, seen, isThereWork);
      continue;
    }
    isHolding = true;
    const at = consumer.offset;
    const value = mix(seq) >>> 0;
    if (
      length !== 16 ||
      consumer.u32[at >>> 2] !== seq ||
      consumer.u32[(at >>> 2) + 1] !== value ||
      consumer.f64[(at >>> 3) + 1] !== seq * 0.5
    ) {
      assert.fail(`frame ${seq} is spoiled, seed ${seed}`);
    }
    checksum = (checksum + value) | 0;
    seq++;
    if (--batch > 0) continue;
    consumer.release();
    room.ring();
    isHolding = false;
    batch = 1 + draw(256);
  }
  consumer.release();
  return checksum;
}

const checksum = role === 'producer' ? produce() : consume();
parentPort?.postMessage({ role, checksum, sleeps } satisfies StressReport);
