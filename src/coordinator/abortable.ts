/** Reading what may hang, until a signal says that nobody waits for it any more. */
import { throwIfAborted } from './scan.ts';

/**
 * The items of a source, until it ends or the signal is aborted, be it while one is awaited.
 * @throws OMEN_ABORTED, what the source throws
 */
export async function* abortable<T>(
  items: AsyncIterable<T>,
  signal: AbortSignal,
): AsyncGenerator<T> {
  const iterator = items[Symbol.asyncIterator]();
  let abort = () => {};
  const aborted = new Promise<never>((_, reject) => {
    abort = () => {
      try {
        throwIfAborted(signal);
      } catch (error) {
        reject(error);
      }
    };
  });
  aborted.catch(() => {});
  signal.addEventListener('abort', abort, { once: true });
  // One that was aborted before does not say so again.
  abort();
  let isOver = false;
  try {
    for (;;) {
      const step = await Promise.race([iterator.next(), aborted]);
      if (step.done) {
        isOver = true;
        return;
      }
      yield step.value;
    }
  } finally {
    signal.removeEventListener('abort', abort);
    // Not awaited: a source that hangs may not end either.
    if (!isOver) void iterator.return?.().catch(() => {});
  }
}
