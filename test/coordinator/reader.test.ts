/** What a client reads in: whether it is what the control block says that it reads. */
import test, { type ExecutionContext } from 'ava';
import { Supervisor } from '../../src/coordinator/supervisor.ts';
import { KeyBatch } from '../../src/view/batch-lookup.ts';
import { NUMBERS, SMALL, temporaryDirectory } from './support.ts';

/**
 * Two shards of a thread, of which the first gets another memtable while the client is about to ask for the
 * view of the second: that of the first comes with it.
 */
async function openAmid(t: ExecutionContext, call: number) {
  const supervisor = await Supervisor.open(temporaryDirectory(t), {
    ...NUMBERS,
    shards: 2,
    threads: 1,
    memtable: SMALL,
    partition: { splits: [1000] },
  });
  t.teardown(() => supervisor.close());
  const { reader, writer } = await supervisor.firstClient();
  const { control } = supervisor;
  for (const key of [1, 1001]) await writer.put(key, { value: key });
  const view = reader.view.bind(reader);
  const asked: number[] = [];
  const writes: Promise<void>[] = [];
  reader.view = (shard) => {
    asked.push(shard);
    if (asked.length !== call) return view(shard);
    const version = control.version(0);
    for (let key = 0; key < 200; key++) writes.push(writer.put(key, { value: key }));
    const word = new Int32Array(new SharedArrayBuffer(4));
    while (control.version(0) === version) Atomics.wait(word, 0, 0, 1);
    // As between the posting of a view and the word that says so.
    const present = control.version(1);
    control.setVersion(1, present - 1);
    const found = view(shard);
    control.setVersion(1, present);
    return found;
  };
  /** Whether memory that only older views than this one of shard 0 name may be reused, but not its own. */
  const isRead = (version: number) => control.isRead(0, [0], 0, version + 1);
  return { reader, asked, isRead, done: () => Promise.all(writes) };
}

test.serial('many keys are looked up in views that the owners know are read', async (t) => {
  const { reader, asked, isRead, done } = await openAmid(t, 2);
  const { find } = KeyBatch.prototype;
  let isKnown = false;
  KeyBatch.prototype.find = function (views, ...rest) {
    isKnown = isRead(views[0].version);
    find.call(this, views, ...rest);
  };
  try {
    const keys = Array.from({ length: 20 }, (_, i) => (i % 2 === 0 ? 1 : 1001));
    const rows = reader.getMany(keys) as { value: number }[];
    t.deepEqual(
      rows.map(({ value }) => value),
      keys,
    );
  } finally {
    KeyBatch.prototype.find = find;
  }
  t.true(isKnown);
  t.deepEqual(asked, [0, 1, 0, 1]);
  await done();
});

test.serial('an instant is made of views that the owners know are read', async (t) => {
  const { reader, asked, isRead, done } = await openAmid(t, 4);
  const [first] = reader.now();
  t.true(isRead(first.view.version));
  t.true(asked.length > 4);
  await done();
});
