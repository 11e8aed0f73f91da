import { appendFileSync, readdirSync } from 'node:fs';
import test from 'ava';
import { layoutOf } from '../../../stress/soak/layout.ts';
import {
  ACKNOWLEDGED,
  ISSUED,
  Notes,
  notesPath,
  REFUSED,
  readBase,
  writeBase,
} from '../../../stress/soak/notes.ts';
import { EXPIRING, LIVE, Oracle, oracleMemory } from '../../../stress/soak/oracle.ts';
import { temporaryDirectory } from '../../storage/support.ts';

const layout = layoutOf(20_000, 2, 1);

function newOracle(): Oracle {
  return new Oracle(layout, oracleMemory(layout));
}

test('what is known outlives its process: a base, and what was noted since', (t) => {
  const directory = temporaryDirectory(t);
  t.is(readBase(directory, newOracle(), 2), null);
  const oracle = newOracle();
  const session = layout.regions.sessions.first;
  oracle.acknowledge(1, oracle.issue(1, LIVE));
  oracle.acknowledge(session, oracle.issue(session, EXPIRING));
  oracle.setUntil(session, 77);
  writeBase(directory, oracle, { generation: 1, latestMs: 5 });
  const notes = new Notes(notesPath(directory, 1, 0));
  const note = (index: number, end: number | null) => {
    const word = oracle.issue(index, LIVE);
    notes.add(ISSUED, index, word);
    if (end !== null) notes.add(end, index, word);
    if (end === ACKNOWLEDGED) oracle.acknowledge(index, word);
    if (end === REFUSED) oracle.refuse(index);
  };
  note(1, ACKNOWLEDGED);
  note(2, REFUSED);
  note(3, null);
  notes.close();
  const again = newOracle();
  t.deepEqual(readBase(directory, again, 2), { generation: 1, latestMs: 5 });
  t.deepEqual(again.acked, oracle.acked);
  t.deepEqual(again.issued, oracle.issued);
  t.is(again.untilOf(session), 77);
  t.true(again.isUnderWay(3));
});

test('a note that was cut by a kill counts for nothing', (t) => {
  const directory = temporaryDirectory(t);
  writeBase(directory, newOracle(), { generation: 4, latestMs: 0 });
  const path = notesPath(directory, 4, 1);
  const notes = new Notes(path);
  notes.add(ISSUED, 8, 5);
  notes.close();
  appendFileSync(path, new Uint8Array([ACKNOWLEDGED, 0, 0, 0, 8, 0, 0]));
  const oracle = newOracle();
  readBase(directory, oracle, 2);
  t.is(oracle.issued[8], 5);
  t.is(oracle.acked[8], 0);
});

test('a new base takes the place of the one before, and of its notes', (t) => {
  const directory = temporaryDirectory(t);
  const oracle = newOracle();
  writeBase(directory, oracle, { generation: 1, latestMs: 0 });
  new Notes(notesPath(directory, 1, 0)).close();
  writeBase(directory, oracle, { generation: 2, latestMs: 0 });
  t.deepEqual(readdirSync(directory), ['base-00000002']);
});
