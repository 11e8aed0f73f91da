import test from 'ava';
import { type EventName, Events } from '../../src/coordinator/events.ts';
import type { OmenError } from '../../src/errors.ts';
import type { Notice } from '../../src/shard-worker/notice.ts';

function failure(message: string): Notice {
  return { notice: 'error', shards: [0], code: 'OMEN_IO', message };
}

/** Until everything that was to be delivered is. */
function delivered(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

function heard(events: Events, name: EventName): string[] {
  const messages: string[] = [];
  events.on(name, ({ message }) => messages.push(message));
  return messages;
}

test('an event reaches every listener of its name, in order, and no other', async (t) => {
  const events = new Events();
  const [first, second, repairs] = (['error', 'error', 'repaired'] as const).map((name) =>
    heard(events, name),
  );
  events.notify(failure('one'));
  events.notify({ notice: 'repaired', shards: [1], code: 'OMEN_TAIL_CUT', message: 'cut' });
  events.notify(failure('two'));
  t.deepEqual(first, [], 'never from within the call that brings it');
  await delivered();
  t.deepEqual([first, second, repairs], [['one', 'two'], ['one', 'two'], ['cut']]);
});

test('an error is one of ours, with its code; what resumed says which shards', async (t) => {
  const events = new Events();
  const got: unknown[] = [];
  events.on('error', (error: OmenError) => got.push([error.name, error.code]));
  events.on('resumed', (resumed) => got.push(resumed));
  events.notify(failure('one'));
  events.notify({ notice: 'resumed', shards: [2, 5], message: 'again' });
  await delivered();
  t.deepEqual(got, [['OmenError', 'OMEN_IO'], { shards: [2, 5], message: 'again' }]);
});

test('what nobody listened to is kept for the first who does, the newest 64 of it', async (t) => {
  const events = new Events();
  for (let i = 0; i < 100; i++) events.notify(failure(String(i)));
  await delivered();
  const late = heard(events, 'error');
  await delivered();
  t.deepEqual(
    late,
    Array.from({ length: 64 }, (_, i) => String(36 + i)),
  );
  const later = heard(events, 'error');
  await delivered();
  t.deepEqual(later, []);
});

test('once is called once, and the rest is kept; off is called no more', async (t) => {
  const events = new Events();
  const got: string[] = [];
  const listener = ({ message }: OmenError) => got.push(message);
  events.once('error', listener);
  events.notify(failure('one'));
  events.notify(failure('two'));
  await delivered();
  t.deepEqual(got, ['one']);
  events.on('error', listener);
  await delivered();
  t.deepEqual(got, ['one', 'two']);
  events.off('error', listener);
  events.notify(failure('three'));
  await delivered();
  t.deepEqual(got, ['one', 'two']);
});
