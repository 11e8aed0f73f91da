import test from 'ava';
import { MemtableWriter } from '../../src/shard-worker/memtable-writer.ts';
import {
  DECISION,
  DECISION_BYTES,
  DEL,
  PART,
  PUT,
  partBytes,
} from '../../src/shard-worker/records.ts';
import { Replay } from '../../src/shard-worker/replay.ts';
import { CommitTable } from '../../src/view/commit-table.ts';
import { viewsOf } from '../../src/wal/frame.ts';
import { codeOf } from '../storage/support.ts';
import { memtableOf } from './runs.ts';
import { SCHEMA } from './shards.ts';

function replayOf(flushedLsn: number): { replay: Replay; memtable: MemtableWriter } {
  const memtable = new MemtableWriter(memtableOf(SCHEMA, []), CommitTable.empty());
  return { memtable, replay: new Replay(0, flushedLsn, { active: () => memtable, seal() {} }) };
}

test('a record of a type that this release does not know is refused', (t) => {
  const views = viewsOf(new ArrayBuffer(64));
  for (const type of [0, 77]) {
    views.u32.set([16, type, 1, 1]);
    t.is(
      codeOf(() => replayOf(0).replay.visit(views, 0, 16, 1)),
      'OMEN_NEWER_FORMAT',
    );
  }
});

test('a record that is not as long as its type has it is refused, with its place', (t) => {
  const views = viewsOf(new ArrayBuffer(64));
  const visit = (type: number, bytes: number, participants = 0) => {
    views.u32.set([bytes, type, 0, 0, 0, 0, participants]);
    return codeOf(() => replayOf(0).replay.visit(views, 0, bytes, 7));
  };
  t.is(visit(PUT, 12), 'OMEN_CORRUPT');
  t.is(visit(DEL, 15), 'OMEN_CORRUPT');
  t.is(visit(PUT, 16), '');
  t.is(visit(DECISION, DECISION_BYTES - 4), 'OMEN_CORRUPT');
  t.is(visit(DECISION, DECISION_BYTES), '');
  t.is(visit(PART, partBytes(2), 3), 'OMEN_CORRUPT');
  t.is(visit(PART, partBytes(0), 0), 'OMEN_CORRUPT');
  t.is(visit(PART, 8), 'OMEN_CORRUPT');
  t.is(visit(PART, partBytes(2), 2), '');
  views.u32.set([12, PUT]);
  t.throws(() => replayOf(0).replay.visit(views, 0, 12, 7), { message: /shard 0 .* at LSN 7/ });
});

test('operations that segments hold are not applied again', (t) => {
  const views = viewsOf(new ArrayBuffer(64));
  views.u32.set([40, PUT, 1, 1]);
  const { replay, memtable } = replayOf(5);
  for (let lsn = 4; lsn <= 8; lsn++) replay.visit(views, 0, 40, lsn);
  memtable.publish();
  t.is(memtable.entries, 3);
});
