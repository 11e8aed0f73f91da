import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import test from 'ava';
import { openTarget } from '../../src/export/target.ts';
import { CrashError, CrashStorage } from '../../src/storage/crash.ts';
import { realStorage } from '../../src/storage/real.ts';
import type { Storage } from '../../src/storage/storage.ts';
import { codeOf, contentOf, temporaryDirectory } from '../storage/support.ts';

const NEVER = new AbortController().signal;
const PIECES = ['one,', 'two,', 'three'].map((text) => Buffer.from(text));
const WHOLE = PIECES.join('');

async function writeAll(storage: Storage, target: unknown, overwrite = false): Promise<void> {
  const sink = openTarget(storage, target, overwrite, NEVER);
  try {
    for (const piece of PIECES) await sink.write(piece);
    await sink.finish();
  } catch (error) {
    await sink.abandon(error);
    throw error;
  }
}

test('a file is there when it is whole, and replaces another one only where that was said', async (t) => {
  const directory = temporaryDirectory(t);
  const path = join(directory, 'rows.csv');
  const sink = openTarget(realStorage, path, false, NEVER);
  await sink.write(PIECES[0]);
  t.deepEqual(
    readdirSync(directory).filter((name) => name === 'rows.csv'),
    [],
  );
  await sink.finish();
  t.is(readFileSync(path, 'utf8'), 'one,');
  t.deepEqual(readdirSync(directory), ['rows.csv']);

  await t.throwsAsync(writeAll(realStorage, path), { code: 'OMEN_INVALID_TARGET' });
  t.is(readFileSync(path, 'utf8'), 'one,');
  await writeAll(realStorage, path, true);
  t.is(readFileSync(path, 'utf8'), WHOLE);
  t.deepEqual(readdirSync(directory), ['rows.csv']);
});

test('a file that came meanwhile is not replaced', async (t) => {
  const directory = temporaryDirectory(t);
  const path = join(directory, 'rows.csv');
  const sink = openTarget(realStorage, path, false, NEVER);
  await sink.write(PIECES[0]);
  writeFileSync(path, 'mine');
  const error = await t.throwsAsync(sink.finish(), { code: 'OMEN_INVALID_TARGET' });
  await sink.abandon(error);
  t.is(readFileSync(path, 'utf8'), 'mine');
  t.deepEqual(readdirSync(directory), ['rows.csv']);
});

test('two exports to one name write a file each, and the last one stays, whole', async (t) => {
  const path = join(temporaryDirectory(t), 'rows.csv');
  const sinks = ['first', 'other'].map((text) => ({
    text,
    sink: openTarget(realStorage, path, true, NEVER),
  }));
  for (const { text, sink } of sinks) await sink.write(Buffer.from(text));
  for (const { text, sink } of sinks) {
    await sink.finish();
    t.is(readFileSync(path, 'utf8'), text);
  }
});

test('what nothing can be written to is refused at once', (t) => {
  const wrong = [5, null, {}, '', '/no/such/directory/rows.csv', new ReadableStream()];
  for (const target of wrong) {
    t.is(
      codeOf(() => openTarget(realStorage, target, false, NEVER)),
      'OMEN_INVALID_TARGET',
    );
  }
  const locked = new WritableStream();
  locked.getWriter();
  t.is(
    codeOf(() => openTarget(realStorage, locked, false, NEVER)),
    'OMEN_INVALID_TARGET',
  );
});

test('whatever fails, or when the process ends, a file of that name is the one before or the new one, whole', async (t) => {
  const prepare = () => {
    const storage = new CrashStorage();
    storage.makeDirectory('/out');
    const file = storage.open('/out/rows.csv', 'create-new');
    file.write(Buffer.from('before'), 0);
    file.sync();
    file.close();
    storage.syncDirectory('/out');
    storage.syncDirectory('/');
    return storage;
  };
  const sound = prepare();
  const first = sound.operations;
  await writeAll(sound, '/out/rows.csv', true);
  const last = sound.operations;
  t.true(last - first >= 6);
  const faults = [
    ...(['before', 'torn', 'after'] as const).map((kill) => ({ kill })),
    ...(['EIO', 'ENOSPC'] as const).flatMap((error) => [
      { error, lasting: false },
      { error, lasting: true },
    ]),
  ];
  let cases = 0;
  for (let at = first; at < last; at++) {
    for (const fault of faults) {
      const storage = prepare();
      storage.failAt(at, fault);
      const failed = await writeAll(storage, '/out/rows.csv', true).then(
        () => null,
        (error: unknown) => error,
      );
      if ('kill' in fault) t.true(failed instanceof CrashError || failed === null);
      for (const left of [storage.restart(), storage.crash(at)]) {
        const content = Buffer.from(contentOf(left, '/out/rows.csv')).toString();
        t.true(content === WHOLE || content === 'before', `${content} at ${at}`);
        // Once it has resolved, no power cut takes it back.
        if (failed === null && !('kill' in fault)) t.is(content, WHOLE);
        cases++;
      }
      const isOver = 'kill' in fault || fault.lasting;
      if (!isOver && failed !== null) {
        t.deepEqual(storage.list('/out'), ['rows.csv'], 'nothing is left behind');
      }
    }
  }
  t.is(cases, 2 * faults.length * (last - first));
});

/** A stream that takes a piece when it is told to. */
function heldStream(highWaterMark: number) {
  const taken: string[] = [];
  let next: (() => void) | null = null;
  const stream = new Writable({
    highWaterMark,
    write(chunk, _, done) {
      taken.push(chunk.toString());
      next = done;
    },
  });
  const take = (): void => {
    const done = next;
    next = null;
    done?.();
  };
  return { stream, taken, take };
}

/** Whether a promise is settled by the time everything that is ready has run. */
async function isSettled(promise: Promise<unknown>): Promise<boolean> {
  let isOver = false;
  promise.finally(() => (isOver = true)).catch(() => {});
  for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve));
  return isOver;
}

test('a stream is written no faster than it takes, and is ended', async (t) => {
  const { stream, taken, take } = heldStream(6);
  const sink = openTarget(realStorage, stream, false, NEVER);
  await sink.write(PIECES[0]);
  const second = sink.write(PIECES[1]);
  t.false(await isSettled(second));
  t.deepEqual(taken, ['one,']);
  take();
  t.false(await isSettled(second), 'the second piece is not taken yet');
  take();
  await second;
  await sink.finish();
  t.true(stream.writableFinished);
  t.deepEqual(taken, ['one,', 'two,']);
  t.deepEqual(
    ['error', 'drain'].map((event) => stream.listenerCount(event)),
    [0, 0],
  );
});

test('the output of the process is not ended', async (t) => {
  const { stream, taken, take } = heldStream(100);
  const sink = openTarget(realStorage, Object.assign(stream, { fd: 1 }), false, NEVER);
  await sink.write(PIECES[0]);
  const end = sink.finish();
  t.false(await isSettled(end));
  take();
  await isSettled(end);
  take();
  await end;
  t.deepEqual(taken, ['one,', '']);
  t.false(stream.writableEnded);
  const again = openTarget(realStorage, stream, false, NEVER);
  await again.abandon(new Error('mine'));
  t.false(stream.destroyed);
});

test('a stream that fails, or is closed, is told', async (t) => {
  const { stream } = heldStream(1);
  const sink = openTarget(realStorage, stream, false, NEVER);
  const waiting = sink.write(PIECES[0]);
  stream.destroy(new RangeError('mine'));
  const error = await t.throwsAsync(waiting, { code: 'OMEN_IO' });
  t.is((error?.cause as Error | undefined)?.message, 'mine');
  await sink.abandon(error);

  const closed = heldStream(1).stream;
  const other = openTarget(realStorage, closed, false, NEVER);
  const write = other.write(PIECES[0]);
  closed.destroy();
  await t.throwsAsync(write, { code: 'OMEN_IO' });
  await t.throwsAsync(other.write(PIECES[0]), { code: 'OMEN_IO' });
  await t.throwsAsync(other.finish(), { code: 'OMEN_IO' });
});

test('who waits for a stream that hangs stops when the signal says so', async (t) => {
  const controller = new AbortController();
  const { stream } = heldStream(1);
  const sink = openTarget(realStorage, stream, false, controller.signal);
  const waiting = sink.write(PIECES[0]);
  t.false(await isSettled(waiting));
  controller.abort();
  await waiting;
  await sink.abandon(new Error('mine'));
  t.true(stream.destroyed);

  const hanging = new WritableStream({ write: () => new Promise<void>(() => {}) });
  const web = openTarget(realStorage, hanging, false, controller.signal);
  await web.write(PIECES[0]);
  await web.abandon(new Error('mine'));
});

test('a web stream is written no faster than it takes, is closed, and tells what fails', async (t) => {
  const taken: string[] = [];
  let next = (): void => {};
  const stream = new WritableStream<Uint8Array>({
    async write(chunk) {
      taken.push(Buffer.from(chunk).toString());
      await new Promise<void>((resolve) => {
        next = resolve;
      });
    },
    close: () => {
      taken.push('closed');
    },
  });
  const sink = openTarget(realStorage, stream, false, NEVER);
  const first = sink.write(PIECES[0]);
  t.false(await isSettled(first));
  next();
  await first;
  await sink.finish();
  t.deepEqual(taken, ['one,', 'closed']);

  const failing = new WritableStream<Uint8Array>({
    write: () => Promise.reject(new RangeError('mine')),
  });
  const other = openTarget(realStorage, failing, false, NEVER);
  const error = await t.throwsAsync(other.write(PIECES[0]), { code: 'OMEN_IO' });
  t.is((error?.cause as Error | undefined)?.message, 'mine');
  await other.abandon(error);
});
