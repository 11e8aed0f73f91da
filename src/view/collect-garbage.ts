/**
 * A forced collection. V8 does not count the bytes of SharedArrayBuffers, so a thread that lets go of
 * large ones would keep them for as long as its heap happens not to fill.
 */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

let collect: (() => void) | null = null;

/** Collects this thread's garbage: some milliseconds with a small heap, more with a large one. */
export function collectGarbage(): void {
  if (collect === null) {
    setFlagsFromString('--expose-gc');
    collect = runInNewContext('gc') as () => void;
  }
  collect();
}
