import test from 'ava';
import { parseBlock } from '../../src/load/parse.ts';
import { type TextRules, textBlocks } from '../../src/load/text-source.ts';
import { parseSchema } from '../../src/schema/schema.ts';

const SCHEMA = parseSchema({ key: 'int64', columns: { a: 'float64' } });
const CSV: TextRules = { kind: 'csv', delimiter: 44, header: true, nulls: [''], mapping: {} };
const TARGET = {
  schema: SCHEMA,
  shards: 1,
  partitioning: { kind: 'hash' },
  chunkBytes: 1,
  nowMs: 0,
} as const;

test('a header is read once, and lines are counted over all blocks', async (t) => {
  const text = `\uFEFF\n"a",key\n${Array.from({ length: 50 }, (_, i) => `${i},${i === 33 ? 'x' : i}\n`).join('')}`;
  async function* stream() {
    yield Buffer.from(text);
  }
  let line = 0;
  let rows = 0;
  let blocks = 0;
  const bad: number[] = [];
  for await (const block of textBlocks(SCHEMA, stream(), CSV, 64)) {
    const { bytes, at, format } = block;
    const parsed = parseBlock({ target: TARGET, format, bytes, at, rejectsMax: 5 });
    line += block.linesBefore;
    for (const reject of parsed.rejects) {
      bad.push(line + reject.line + 1);
      t.is(text.slice(0, 2).length, 2);
      t.is(
        Buffer.from(text)
          .subarray(block.offset + reject.offset)
          .toString()
          .slice(0, 4),
        '33,x',
      );
    }
    line += parsed.lines;
    rows += parsed.rows;
    blocks++;
  }
  t.true(blocks > 1);
  t.deepEqual([rows, bad, line], [49, [36], 52]);
});

test('what the header lacks is told before anything is parsed', async (t) => {
  async function* stream() {
    yield Buffer.from('key,b\n1,2\n');
  }
  const blocks = textBlocks(SCHEMA, stream(), CSV, 64);
  await t.throwsAsync(blocks.next(), { code: 'OMEN_MISSING_COLUMN' });
});

test('a byte order mark is passed over, also before a quote; that of UTF-16 is refused', async (t) => {
  async function* stream(bytes: Uint8Array) {
    yield bytes;
  }
  const text = '\uFEFF"a,""",key\n1,1\n2,2\n3,3\n';
  const rules = { ...CSV, mapping: { columns: { a: 'a,"' } } };
  const rows: number[] = [];
  for await (const block of textBlocks(SCHEMA, stream(Buffer.from(text)), rules, 12)) {
    const { bytes, at, format } = block;
    rows.push(parseBlock({ target: TARGET, format, bytes, at, rejectsMax: 1 }).rows);
  }
  t.true(rows.length > 1);
  t.is(
    rows.reduce((sum, some) => sum + some, 0),
    3,
  );
  for (const mark of ['\uFEFF', '\uFFFE']) {
    const wide = Buffer.from(`${mark}key,a\n1,1\n`, 'utf16le');
    await t.throwsAsync(textBlocks(SCHEMA, stream(wide), CSV, 64).next(), {
      code: 'OMEN_INVALID_SOURCE',
      message: /UTF-16/,
    });
  }
});
