import test from 'ava';
import { bytesOf, dataOf, rangeFrom, rangeOf } from '../../src/level/data.ts';

const bytes = (text: string) => new TextEncoder().encode(text);

test('data becomes bytes, whatever view of them it is', (t) => {
  t.deepEqual([...bytesOf('aé')], [0x61, 0xc3, 0xa9]);
  const view = Uint8Array.of(1, 2);
  t.is(bytesOf(view), view);
  const memory = Uint8Array.of(0, 1, 2, 3, 4).buffer;
  t.deepEqual([...bytesOf(new DataView(memory, 1, 3) as never)], [1, 2, 3]);
});

test('bytes become data in the format that is asked for, without a byte more or less', (t) => {
  const own = Uint8Array.from([0xef, 0xbb, 0xbf, 0x78]); // a byte order mark is a character like any
  t.is(dataOf(own, 'view'), own);
  t.is(dataOf(own, 'utf8'), '\uFEFFx');
  const buffer = dataOf(own, 'buffer');
  t.true(Buffer.isBuffer(buffer));
  t.deepEqual([...(buffer as Uint8Array)], [...own]);
});

test('of two lower or two upper bounds the inclusive one counts', (t) => {
  const range = rangeOf({ gt: 'b', gte: 'a', lt: 'c', lte: 'd' });
  t.deepEqual(range, { gte: Buffer.from('a'), lte: Buffer.from('d') });
  t.deepEqual(rangeOf({ gt: '', lt: 'c' }), { gt: Buffer.from(''), lt: Buffer.from('c') });
  t.deepEqual(rangeOf({}), {});
});

test('a target within a range takes the place of the bound that reading begins at', (t) => {
  const target = bytes('m');
  const range = { gt: bytes('c'), lte: bytes('x') };
  t.deepEqual(rangeFrom(range, target, false), { gte: target, lt: undefined, lte: range.lte });
  t.deepEqual(rangeFrom(range, target, true), { gt: range.gt, gte: undefined, lte: target });
});

test('a target outside of a range leaves nothing of it', (t) => {
  const m = bytes('m');
  for (const reverse of [false, true]) {
    t.is(rangeFrom({ gt: m }, m, reverse), null);
    t.is(rangeFrom({ gte: bytes('n') }, m, reverse), null);
    t.is(rangeFrom({ lt: m }, m, reverse), null);
    t.is(rangeFrom({ lte: bytes('l') }, m, reverse), null);
    t.not(rangeFrom({ gte: m, lte: m }, m, reverse), null);
  }
});
