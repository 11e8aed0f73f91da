import test from 'ava';
import { allocateShared, checkSize, corruptFile, readExactly } from '../../src/arrow/read-file.ts';
import { storageOf } from './helpers.ts';

test('damage is reported with the file, the byte and what to do', (t) => {
  const error = corruptFile('shard-0000/segment-000007.arrow', 4096, 'it burned');
  t.is(error.code, 'OMEN_CORRUPT');
  t.regex(
    error.message,
    /^shard-0000\/segment-000007\.arrow is damaged at byte 4096: it burned\. \w/,
  );
});

test('a length is compared where one is expected', (t) => {
  const file = storageOf('s', new Uint8Array(10)).open('s', 'read');
  t.is(checkSize('s', file, 10), 10);
  t.is(checkSize('s', file, null), 10);
  t.throws(() => checkSize('s', file, 11), { code: 'OMEN_CORRUPT', message: /at byte 10: / });
  t.throws(() => checkSize('s', file, 9), { code: 'OMEN_CORRUPT', message: /at byte 9: / });
});

test('a file that ends early is damaged where it ends', (t) => {
  const file = storageOf('s', Uint8Array.of(1, 2, 3)).open('s', 'read');
  const target = new Uint8Array(2);
  readExactly('s', file, 1, target);
  t.deepEqual(target, Uint8Array.of(2, 3));
  t.throws(() => readExactly('s', file, 2, target), {
    code: 'OMEN_CORRUPT',
    message: /at byte 3: /,
  });
});

test('memory that is not to be had is an error with a code', (t) => {
  t.is(allocateShared('s', 64).buffer.byteLength, 64);
  const error = t.throws(() => allocateShared('s', 2 ** 53 - 1), { code: 'OMEN_MEMORY_FULL' });
  t.true(error.cause instanceof RangeError);
});
