import test from 'ava';
import { OmenError } from '../src/index.ts';
import { withRoom } from '../src/with-room.ts';
import { codeOfAsync, openNew } from './coordinator/support.ts';

const refusal = new OmenError('OMEN_BACKPRESSURE', 'Too many writes are pending.');

test('a write that finds no room is sent again when there is some, as often as it takes', async (t) => {
  const steps: string[] = [];
  let refusals = 2;
  const db = {
    async ready() {
      steps.push('ready');
    },
  };
  await withRoom(db, async () => {
    steps.push('send');
    if (refusals-- > 0) throw refusal;
  });
  t.deepEqual(steps, ['send', 'ready', 'send', 'ready', 'send']);
});

test('any other failure is passed on at once', async (t) => {
  const db = { ready: () => Promise.reject(new Error('There is nothing to wait for.')) };
  const failures = [new OmenError('OMEN_DISK_FULL', 'Full.'), new Error('Something else.')];
  for (const failure of failures) {
    const error = await t.throwsAsync(withRoom(db, () => Promise.reject(failure)));
    t.is(error, failure);
  }
});

test('a database that is closed meanwhile ends the wait', async (t) => {
  const closed = new OmenError('OMEN_CLOSED', 'Closed.');
  const db = { ready: () => Promise.reject(closed) };
  t.is(await t.throwsAsync(withRoom(db, () => Promise.reject(refusal))), closed);
});

test('what the engine refuses for want of room is written all the same', async (t) => {
  const db = await openNew(t, { key: 'int64', value: 'binary', shards: 1, durability: 'os' });
  const value = new Uint8Array(2 ** 20);
  const keys = Array.from({ length: 80 }, (_, key) => key);
  const codes = await Promise.all(keys.map((key) => codeOfAsync(db.put(key, value))));
  t.true(codes.includes('OMEN_BACKPRESSURE'));
  await Promise.all(keys.map((key) => withRoom(db, () => db.put(key, value))));
  t.is(db.count(), keys.length);
});
