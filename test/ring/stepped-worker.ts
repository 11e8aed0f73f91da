/**
 * A thread that runs the real ring and doorbell, one access to shared memory at a time: the functions
 * of `Atomics` are replaced, here only, by ones that park before they touch a word under test until
 * stepping.ts lets this thread go on. Nothing in src/ knows of it.
 */
import { parentPort, workerData } from 'node:worker_threads';
import { Doorbell } from '../../src/ring/doorbell.ts';
import { RingConsumer, RingProducer } from '../../src/ring/ring.ts';
import {
  BELL_OFFSET,
  EVENT_WORD,
  EXPECTED_WORD,
  OPERATION_WORD,
  OPERATIONS,
  PHASE_WORD,
  Phase,
  type StepOrder,
  slotOf,
  WATCHED,
} from './stepping.ts';

const { gate, queues, bell, index, role, rings, total }: StepOrder = workerData;
const words = new Int32Array(gate);
const slot = slotOf(index);
const wait = Atomics.wait;
const store = Atomics.store;
const add = Atomics.add;
const notify = Atomics.notify;
const load = Atomics.load;
let gated = false;

function enter(phase: number): void {
  store(words, slot + PHASE_WORD, phase);
  add(words, EVENT_WORD, 1);
  notify(words, EVENT_WORD);
}

function park(phase: number): void {
  enter(phase);
  while (load(words, slot + PHASE_WORD) === phase) wait(words, slot + PHASE_WORD, phase);
}

for (const [code, name] of OPERATIONS.entries()) {
  const original: CallableFunction = Reflect.get(Atomics, name);
  Reflect.set(Atomics, name, (array: Int32Array, at: number, ...values: unknown[]): unknown => {
    const inQueue = queues.some((queue) => queue === array.buffer);
    const watched = WATCHED.some(
      (word) =>
        (word.bell ? array.buffer === bell : inQueue) &&
        array.byteOffset + at * 4 === word.byteOffset,
    );
    if (gated && watched) {
      words[slot + OPERATION_WORD] = code;
      words[slot + EXPECTED_WORD] = Number(values[0] ?? 0);
      park(Phase.parked);
    }
    return original(array, at, ...values);
  });
}

function ringAll(): void {
  const producer = new RingProducer(queues[0]);
  const doorbell = new Doorbell(bell, BELL_OFFSET);
  gated = true;
  for (let i = 0; i < rings; i++) {
    producer.reserve(8);
    const isFirst = producer.publish();
    if (isFirst || role === 'ringer') doorbell.ring();
  }
}

/** Takes every frame there is; returns how many. */
function takeAll(consumers: readonly RingConsumer[]): number {
  let frames = 0;
  for (const consumer of consumers) {
    while (consumer.next() >= 0) frames++;
    consumer.release();
  }
  return frames;
}

async function takeTotal(): Promise<void> {
  const consumers = queues.map((queue) => new RingConsumer(queue));
  const doorbell = new Doorbell(bell, BELL_OFFSET);
  gated = true;
  for (let taken = 0; ; ) {
    let seen = doorbell.read();
    const frames = takeAll(consumers);
    taken += frames;
    if (taken === total) return;
    if (frames > 0 && role !== 'sleeper-no-second-look') continue;
    if (role === 'sleeper-too-late') seen = doorbell.read();
    if (role !== 'sleeper-async') {
      doorbell.sleepSync(seen);
      continue;
    }
    const rung = doorbell.sleepAsync(seen);
    if (rung === undefined) continue;
    enter(Phase.resting);
    await rung;
  }
}

// A pending asynchronous wait alone would let the thread end.
parentPort?.on('message', () => {});

for (;;) {
  gated = false;
  park(Phase.done);
  if (role.startsWith('ringer')) ringAll();
  else await takeTotal();
}
