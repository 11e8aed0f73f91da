/** Run with the shim of the soak in front of Node: does what the storage does, and says what came of it. */
import { join } from 'node:path';
import { realStorage } from '../../../src/storage/real.ts';
import {
  FAULT_KINDS,
  injected,
  latestMs,
  setClock,
  WORDS,
  words,
} from '../../../stress/soak/shim.ts';
import { codeOf } from '../../storage/support.ts';

const root = process.env.OMENDB_SOAK_DATA ?? '';
const BYTES = new Uint8Array(1000).fill(7);

function set(word: keyof typeof WORDS, value: number): void {
  Atomics.store(words, WORDS[word], value);
}

const log = realStorage.open(join(root, 'wal-1.log'), 'create-new');
const other = realStorage.open(join(root, 'segment-1.arrow'), 'create-new');
const said: Record<string, unknown> = {};

log.write(BYTES, 0);
set('syncFailures', 1);
said.otherSync = codeOf(() => other.datasync());
said.failedSync = codeOf(() => log.datasync());
said.nextSync = codeOf(() => log.datasync());

set('shortWrites', 1);
log.write(BYTES, 1000);
set('shortWrites', 0);
const read = new Uint8Array(2000);
said.read = log.read(read, 0);
said.whole = read.every((byte) => byte === 7);

set('roomBytes', 600);
set('full', 1);
said.overwritten = codeOf(() => log.write(BYTES, 500));
said.fits = codeOf(() => log.write(BYTES.subarray(0, 400), 2000));
said.noRoom = codeOf(() => log.write(BYTES, 2400));
said.cutAt = log.size();
other.close();
set('roomBytes', 0);
realStorage.remove(join(root, 'segment-1.arrow'));
said.roomOfNothing = words[WORDS.roomBytes];
set('full', 0);
said.roomAgain = codeOf(() => log.write(BYTES, 2400));

set('readFailures', 2);
said.firstRead = codeOf(() => log.read(read, 0));
said.secondRead = codeOf(() => log.read(read, 0));
said.thirdRead = codeOf(() => log.read(read, 0));
set('readFailures', 0);
said.lastRead = codeOf(() => log.read(read, 0));

const before = Date.now();
setClock(3_600_000);
said.later = Date.now() - before >= 3_600_000;
setClock(0);
said.back = Date.now() - before < 3_600_000;
said.latest = latestMs() - before >= 3_600_000;
said.sets = words[WORDS.clockSets];
said.injected = Object.fromEntries(FAULT_KINDS.map((kind) => [kind, injected(kind) > 0]));
process.stdout.write(JSON.stringify(said));
