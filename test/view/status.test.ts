import test from 'ava';
import { ERRORS, type ErrorCode, OmenError } from '../../src/errors.ts';
import { SHARD_STATES, STATUS_BYTES, StatusBoard } from '../../src/view/status.ts';

const SHARDS = 3;

function boards() {
  const memory = new SharedArrayBuffer(64 + SHARDS * STATUS_BYTES);
  const board = () => new StatusBoard(memory, 64, SHARDS);
  return { memory, writer: board(), reader: board() };
}

test('a new board says that every shard is opening, for no reason and since nobody knows when', (t) => {
  const { reader } = boards();
  for (let shard = 0; shard < SHARDS; shard++) {
    t.deepEqual(reader.get(shard), { state: 'opening', since: 0, error: null });
  }
});

test('every state, code and text is read as it was written, each shard for itself', (t) => {
  const { writer, reader } = boards();
  const codes = Object.keys(ERRORS) as ErrorCode[];
  for (const [i, code] of codes.entries()) {
    const shard = i % SHARDS;
    const state = SHARD_STATES[i % SHARD_STATES.length];
    writer.set(shard, state, new OmenError(code, `Übel Nr. ${i}`));
    writer.set((shard + 1) % SHARDS, 'serving');
    const { state: found, error } = reader.get(shard);
    t.deepEqual([found, error], [state, { code, message: `Übel Nr. ${i}` }]);
    t.is(reader.state(shard), state);
    t.is(reader.get((shard + 1) % SHARDS).error, null);
  }
});

test('a text that is too long is cut, between characters', (t) => {
  const { writer, reader } = boards();
  writer.set(1, 'failed', new OmenError('OMEN_IO', 'ä'.repeat(1000)));
  writer.set(2, 'full', new OmenError('OMEN_DISK_FULL', 'short'));
  const { error } = reader.get(1);
  t.regex(error?.message ?? '', /^ä{200,}$/);
  t.is(reader.get(2).error?.message, 'short');
});

test('since when it is so changes with the state, not with its reason', (t) => {
  const { writer, reader } = boards();
  const before = Date.now();
  writer.set(0, 'full', new OmenError('OMEN_DISK_FULL', 'one'));
  const { since } = reader.get(0);
  t.true(since >= before && since <= Date.now());
  while (Date.now() === since);
  writer.set(0, 'full', new OmenError('OMEN_DISK_FULL', 'two'));
  t.is(reader.get(0).since, since);
  writer.set(0, 'serving');
  t.true(reader.get(0).since > since);
});

test('a writer that died amid a text keeps no reader, and whoever writes next is read', (t) => {
  const { memory, writer, reader } = boards();
  writer.set(1, 'full', new OmenError('OMEN_DISK_FULL', 'before'));
  new Uint32Array(memory)[(64 + STATUS_BYTES) / 4] |= 1;
  t.deepEqual(reader.get(1), { state: 'full', since: 0, error: null });
  writer.set(1, 'failed', new OmenError('OMEN_IO', 'after'));
  t.is(reader.get(1).error?.message, 'after');
});
