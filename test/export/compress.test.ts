import { gunzipSync, zstdDecompressSync } from 'node:zlib';
import test from 'ava';
import { compressed } from '../../src/export/compress.ts';

const TEXT = Array.from({ length: 50_000 }, (_, i) => `${i},${i * 7919}\n`);

async function* pieces() {
  for (let i = 0; i < TEXT.length; i += 1000) yield Buffer.from(TEXT.slice(i, i + 1000).join(''));
}

test('what is compressed is what it was, and smaller', async (t) => {
  for (const [name, restore] of [
    ['gzip', gunzipSync],
    ['zstd', zstdDecompressSync],
  ] as const) {
    const bytes = Buffer.concat(await Array.fromAsync(compressed(pieces(), name)));
    t.is(restore(bytes).toString(), TEXT.join(''));
    t.true(bytes.length < TEXT.join('').length / 2);
  }
});

test('what the pieces throw is passed on, and they are ended where nobody reads on', async (t) => {
  async function* failing() {
    yield Buffer.from('a');
    throw new RangeError('mine');
  }
  await t.throwsAsync(Array.fromAsync(compressed(failing(), 'gzip')), {
    instanceOf: RangeError,
    message: 'mine',
  });

  let wasEnded = () => {};
  const ended = new Promise<void>((resolve) => {
    wasEnded = resolve;
  });
  async function* endless() {
    try {
      for (;;) yield Buffer.from(TEXT.join(''));
    } finally {
      wasEnded();
    }
  }
  for await (const piece of compressed(endless(), 'zstd')) {
    t.true(piece.length > 0);
    break;
  }
  await ended;
});
