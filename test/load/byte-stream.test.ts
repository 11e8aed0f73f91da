import { appendFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import test from 'ava';
import { bytesOf, decompressed, fileBytes } from '../../src/load/byte-stream.ts';
import { realStorage } from '../../src/storage/real.ts';
import { temporaryDirectory } from '../storage/support.ts';

async function* pieces(bytes: Uint8Array, size: number) {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

async function all(stream: AsyncIterable<Uint8Array>): Promise<string> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

const TEXT = Array.from({ length: 5000 }, (_, i) => `${i},${i * 7919}\n`).join('');

test('what is compressed is told by its first bytes, whatever pieces it comes in', async (t) => {
  for (const bytes of [Buffer.from(TEXT), gzipSync(TEXT), zstdCompressSync(TEXT)]) {
    for (const size of [1, 3, 4096, 2 ** 20]) {
      t.is(await all(decompressed(pieces(bytes, size), 'x')), TEXT);
    }
  }
  t.is(await all(decompressed(pieces(new Uint8Array(0), 1), 'x')), '');
  t.is(await all(decompressed(pieces(Buffer.from('1'), 1), 'x')), '1');
});

test('what lacks its end, or is damaged, is refused', async (t) => {
  for (const bytes of [gzipSync(TEXT), zstdCompressSync(TEXT)]) {
    const cut = bytes.subarray(0, bytes.length - 9);
    const error = await t.throwsAsync(all(decompressed(pieces(cut, 100), 'rows.csv')), {
      code: 'OMEN_INVALID_SOURCE',
    });
    t.regex(error?.message ?? '', /^rows\.csv cannot be decompressed/);
  }
  for (const at of [2, 40, 5000]) {
    const damaged = Uint8Array.from(gzipSync(TEXT));
    damaged.fill(0xff, at, at + 20);
    await t.throwsAsync(all(decompressed(pieces(damaged, 100), 'x')), {
      code: 'OMEN_INVALID_SOURCE',
    });
  }
});

test('an error of the stream is passed on as it is', async (t) => {
  async function* failing() {
    yield gzipSync(TEXT).subarray(0, 100);
    throw new RangeError('mine');
  }
  await t.throwsAsync(all(decompressed(failing(), 'x')), {
    instanceOf: RangeError,
    message: 'mine',
  });
  async function* wrong() {
    yield 'text';
    yield 5;
  }
  await t.throwsAsync(all(bytesOf(wrong())), { code: 'OMEN_INVALID_SOURCE' });
});

test('a file that grows while it is read is refused', async (t) => {
  const path = join(temporaryDirectory(t), 'rows.csv');
  writeFileSync(path, TEXT);
  const extent = { total: 0, read: 0 };
  t.is(await all(fileBytes(realStorage, path, extent)), TEXT);
  t.deepEqual(extent, { total: TEXT.length, read: TEXT.length });
  const bytes = fileBytes(realStorage, path, extent);
  await bytes.next();
  appendFileSync(path, 'more');
  await t.throwsAsync(all(bytes), { code: 'OMEN_INVALID_SOURCE', message: /was changed/ });
});
