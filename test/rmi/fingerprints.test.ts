import test from 'ava';
import fc from 'fast-check';
import {
  fingerprintBytes,
  fingerprintsOf,
  matchesOf,
  positionOf,
  WINDOW,
  windowAt,
  windowsBeside,
} from '../../src/rmi/fingerprints.ts';
import { hashBytes, keyMemory } from '../../src/schema/key-bytes.ts';

function wordsOf(prints: Uint8Array): Int32Array {
  return new Int32Array(prints.buffer, prints.byteOffset, prints.length >>> 2);
}

/** The positions at which a window says that the fingerprint may be. */
function positionsIn(words: Int32Array, window: number, hash: number): number[] {
  const positions: number[] = [];
  for (let found = matchesOf(words, window, hash); found !== 0; found &= found - 1) {
    positions.push(positionOf(window, found));
  }
  return positions;
}

test('a window finds every fingerprint that is in it, and few that are not', (t) => {
  const prints = fc.uint8Array({ minLength: WINDOW, maxLength: 3 * WINDOW });
  let wrong = 0;
  fc.assert(
    fc.property(prints, fc.nat({ max: 255 }), fc.nat(), (some, print, from) => {
      const words = wordsOf(Uint8Array.from(some).subarray(0, some.length & ~3));
      const window = from % (words.length - WINDOW / 4 + 1);
      const found = positionsIn(words, window, 0xabcdef00 + print);
      const bytes = new Uint8Array(words.buffer);
      for (let at = 4 * window; at < 4 * window + WINDOW; at++) {
        if (bytes[at] === print) t.true(found.includes(at), `${at}`);
      }
      for (const at of found) {
        t.true(at >= 4 * window && at < 4 * window + WINDOW);
        if (bytes[at] !== print) wrong++;
      }
      t.is(new Set(found).size, found.length);
    }),
    { numRuns: 1000 },
  );
  // One that is wrong stands above one that is right, and differs in its lowest bit.
  t.true(wrong < 100, `${wrong}`);
});

test('a fingerprint is the lowest byte of the hash of the key', (t) => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 20 }), { maxLength: 100 }), (keys) => {
      const memory = keyMemory(Uint8Array.from(Buffer.concat(keys)).buffer);
      const offsets = new Int32Array(keys.length + 1);
      for (const [i, key] of keys.entries()) offsets[i + 1] = offsets[i] + key.length;
      const prints = fingerprintsOf(memory, offsets, keys.length);
      t.is(prints.length, fingerprintBytes(keys.length));
      for (let i = 0; i < keys.length; i++) {
        t.is(prints[i], hashBytes(memory, offsets[i], offsets[i + 1]) & 0xff);
      }
    }),
  );
});

test('windows lie within the fingerprints, around what was predicted and beside it', (t) => {
  for (const count of [0, 1, 31, 32, 33, 100, 1000]) {
    const words = wordsOf(new Uint8Array(fingerprintBytes(count)));
    for (let predicted = 0; predicted <= count; predicted++) {
      const window = windowAt(words, predicted);
      const all = [window, ...windowsBeside(words, window)];
      t.true(all.every((each) => each >= 0 && 4 * each + WINDOW <= fingerprintBytes(count)));
      const covered = (at: number) => all.some((each) => at >= 4 * each && at < 4 * each + WINDOW);
      for (let at = Math.max(0, predicted - 32); at < Math.min(count, predicted + 32); at++) {
        t.true(covered(at), `${at} of ${count}, predicted ${predicted}`);
      }
    }
  }
});
