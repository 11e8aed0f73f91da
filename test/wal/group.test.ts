import test from 'ava';
import { FRAME_HEADER_BYTES } from '../../src/wal/frame.ts';
import { RecordGroup } from '../../src/wal/group.ts';

test('records follow each other on multiples of 8, with their length and a padding of zeros', (t) => {
  const group = new RecordGroup();
  group.views.u8.fill(255);
  const offsets = [4, 5, 8, 9, 24].map((bytes) => group.reserve(bytes));
  t.deepEqual(offsets, [40, 48, 56, 64, 80]);
  t.is(group.bytes, 104);
  t.is(group.records, 5);
  t.deepEqual(
    offsets.map((offset) => group.views.u32[offset >> 2]),
    [4, 5, 8, 9, 24],
  );
  t.deepEqual([...group.views.u8.subarray(53, 56)], [0, 0, 0]);
  t.deepEqual([...group.views.u8.subarray(73, 80)], [0, 0, 0, 0, 0, 0, 0]);
});

test('a group grows and keeps what it holds', (t) => {
  const group = new RecordGroup(4096);
  const before = group.views;
  const small = group.reserve(100);
  before.u8[small + 50] = 7;
  const large = group.reserve(100_000);
  t.not(group.views, before);
  t.is(group.views.u8[small + 50], 7);
  group.views.u8[large + 99_999] = 1;
  t.is(group.views.u8.byteLength % 4096, 0);
  t.true(group.views.u8.byteLength >= group.bytes);
});

test('records copied from another group are as they were', (t) => {
  const source = new RecordGroup();
  const offset = source.reserve(16);
  source.views.f64[(offset >> 3) + 1] = Math.PI;
  source.reserve(40_000);
  const target = new RecordGroup(4096);
  target.reserve(8);
  target.append(source.views.u8.subarray(FRAME_HEADER_BYTES, source.bytes), source.records);
  t.is(target.records, 3);
  t.is(target.views.f64[(48 >> 3) + 1], Math.PI);
  t.is(target.views.u32[64 >> 2], 40_000);
});

test('a buffer is reused by the next group, unless it grew very large', (t) => {
  const group = new RecordGroup(4096);
  group.reserve(100_000);
  const { views } = group;
  group.clear();
  t.is(group.views, views);
  t.is(group.bytes, FRAME_HEADER_BYTES);
  t.is(group.records, 0);
  group.reserve(9 * 2 ** 20);
  group.clear();
  t.true(group.views.u8.byteLength < 2 ** 20);
});

test('a record that no frame can hold is refused, and the group stays as it was', (t) => {
  const group = new RecordGroup();
  group.reserve(8);
  for (const bytes of [2 ** 30, 2 ** 31 - 4, 2 ** 31 + 8, 2 ** 32 + 8]) {
    t.throws(() => group.reserve(bytes), { code: 'OMEN_ROW_TOO_LARGE' });
  }
  t.is(group.records, 1);
  t.is(group.bytes, 48);
  t.throws(() => group.reserve(3), { name: 'AssertionError' });
});
