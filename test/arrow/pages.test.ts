import { crc32 } from 'node:zlib';
import test from 'ava';
import { countPages, findDamagedPage, PAGE_BYTES, summarizePages } from '../../src/arrow/pages.ts';
import { seededRandom } from './helpers.ts';

const LENGTHS = [0, 1, PAGE_BYTES - 1, PAGE_BYTES, PAGE_BYTES + 1, 5 * PAGE_BYTES, 333_333];

function noise(bytes: number): Uint8Array {
  const random = seededRandom(bytes);
  return Uint8Array.from({ length: bytes }, () => random() * 256);
}

test('every page has the CRC-32 of its bytes, in whatever pieces they came', (t) => {
  for (const length of LENGTHS) {
    const bytes = noise(length);
    const expected = Array.from({ length: countPages(length) }, (_, i) =>
      crc32(bytes.subarray(i * PAGE_BYTES, (i + 1) * PAGE_BYTES)),
    );
    for (const piece of [7001, 64, PAGE_BYTES, 3 * PAGE_BYTES + 1]) {
      const pages = summarizePages(length);
      for (let at = 0; at < length; at += piece) pages.add(bytes.subarray(at, at + piece));
      t.deepEqual([...pages.finish()], expected);
    }
  }
});

test('a file is summarized whole or not at all', (t) => {
  const pages = summarizePages(10);
  pages.add(new Uint8Array(9));
  t.throws(() => pages.finish(), { code: 'ERR_ASSERTION' });
});

test('the damaged page is found, also from the middle of the file on', (t) => {
  const bytes = noise(333_333);
  const pages = summarizePages(bytes.length);
  pages.add(bytes);
  const crcs = pages.finish();
  t.is(findDamagedPage(bytes, 0, crcs), -1);
  const from = 2;
  t.is(findDamagedPage(bytes.subarray(from * PAGE_BYTES), from, crcs), -1);
  for (const at of [0, PAGE_BYTES - 1, 3 * PAGE_BYTES, bytes.length - 1]) {
    bytes[at] ^= 1;
    t.is(findDamagedPage(bytes, 0, crcs), Math.floor(at / PAGE_BYTES));
    bytes[at] ^= 1;
  }
});
