/** Where exported bytes go, piece by piece, no faster than they are taken. */
import { randomBytes } from 'node:crypto';
import { dirname } from 'node:path';
import { Writable } from 'node:stream';
import { OmenError, systemError } from '../errors.ts';
import { show } from '../schema/show.ts';
import { removeLeftover, type Storage, TEMPORARY_SUFFIX } from '../storage/storage.ts';

export interface ExportTarget {
  /** Resolves when there is room for the next piece. */
  write(bytes: Uint8Array): Promise<void>;
  /** Everything was written; resolves when it has arrived. */
  finish(): Promise<void>;
  /** There will not be more: leaves nothing behind, where that can be done. */
  abandon(reason: unknown): Promise<void>;
}

/**
 * @param signal ends what waits for room
 * @throws OMEN_INVALID_TARGET, what the storage throws
 */
export function openTarget(
  storage: Storage,
  target: unknown,
  overwrite: boolean,
  signal: AbortSignal,
): ExportTarget {
  if (typeof target === 'string') return new FileTarget(storage, target, overwrite);
  if (target instanceof WritableStream) return new WebTarget(target, signal);
  if (isWritable(target)) return new StreamTarget(target, signal);
  const message = `export() writes to the path of a file, a Writable or a WritableStream, not ${show(target)}.`;
  throw new OmenError('OMEN_INVALID_TARGET', message);
}

function isWritable(target: unknown): target is Writable {
  if (target instanceof Writable) return true;
  return (
    typeof target === 'object' &&
    target !== null &&
    ['write', 'end', 'on', 'once', 'removeListener'].every(
      (name) => typeof Reflect.get(target, name) === 'function',
    )
  );
}

/** A file that is written beside its name, and gets it when it is whole and durable. */
class FileTarget implements ExportTarget {
  readonly #storage: Storage;
  readonly #path: string;
  readonly #temporary: string;
  readonly #overwrite: boolean;
  readonly #file: ReturnType<Storage['open']>;
  #end = 0;

  constructor(storage: Storage, path: string, overwrite: boolean) {
    this.#storage = storage;
    this.#path = path;
    this.#overwrite = overwrite;
    if (path === '')
      throw new OmenError('OMEN_INVALID_TARGET', 'The path of a file is no empty text.');
    if (!storage.exists(dirname(path))) {
      const message = `There is no directory ${dirname(path)} for ${path}. Make it first.`;
      throw new OmenError('OMEN_INVALID_TARGET', message);
    }
    this.#refuseExisting();
    // A name of its own: of two exports to one path each writes a file that is whole.
    this.#temporary = `${path}.${randomBytes(4).toString('hex')}${TEMPORARY_SUFFIX}`;
    this.#file = storage.open(this.#temporary, 'create-new');
  }

  #refuseExisting(): void {
    if (this.#overwrite || !this.#storage.exists(this.#path)) return;
    const message = `${this.#path} is there already. Choose another name, or say overwrite: true.`;
    throw new OmenError('OMEN_INVALID_TARGET', message);
  }

  async write(bytes: Uint8Array): Promise<void> {
    this.#file.write(bytes, this.#end);
    this.#end += bytes.length;
  }

  async finish(): Promise<void> {
    this.#file.sync();
    this.#file.close();
    this.#refuseExisting();
    this.#storage.rename(this.#temporary, this.#path);
    this.#storage.syncDirectory(dirname(this.#path));
  }

  async abandon(): Promise<void> {
    try {
      this.#file.close();
    } catch (error) {
      // What ended the export is the error to tell.
      if (!(error instanceof OmenError)) throw error;
    }
    removeLeftover(this.#storage, this.#temporary);
  }
}

/** A stream of Node. It is ended, unless it is the process's own output. */
class StreamTarget implements ExportTarget {
  readonly #stream: Writable;
  readonly #signal: AbortSignal;
  #error: unknown;
  #hasFailed = false;
  /** Told when the stream has room, has failed or is closed, or the signal is aborted. */
  #wake: () => void = () => {};
  readonly #onError = (error: unknown): void => {
    this.#hasFailed = true;
    this.#error = error;
    this.#wake();
  };
  readonly #onChange = (): void => this.#wake();
  /** Whether it has not yet made room since it last said that it has none. */
  #isFull = false;
  readonly #onDrain = (): void => {
    this.#isFull = false;
    this.#wake();
  };

  constructor(stream: Writable, signal: AbortSignal) {
    this.#stream = stream;
    this.#signal = signal;
    stream.on('error', this.#onError);
    stream.on('drain', this.#onDrain);
    stream.on('close', this.#onChange);
    signal.addEventListener('abort', this.#onChange);
  }

  /** @throws OMEN_IO where the stream takes no more */
  #throwIfOver(): void {
    if (this.#hasFailed) throw systemError(this.#error, 'writing to the stream');
    if (this.#stream.destroyed || this.#stream.writableEnded) {
      throw new OmenError('OMEN_IO', 'The stream was closed before everything was written to it.');
    }
  }

  /** Waits until `isOver`, which is asked again whenever something has changed. */
  async #until(isOver: () => boolean): Promise<void> {
    while (!isOver() && !this.#hasFailed && !this.#signal.aborted) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  async write(bytes: Uint8Array): Promise<void> {
    this.#throwIfOver();
    const stream = this.#stream;
    if (stream.write(bytes)) return;
    this.#isFull = true;
    await this.#until(() => !this.#isFull || stream.destroyed);
    if (!this.#signal.aborted) this.#throwIfOver();
  }

  async finish(): Promise<void> {
    this.#throwIfOver();
    const stream = this.#stream;
    let isDone = false;
    const done = (): void => {
      isDone = true;
      this.#wake();
    };
    if (isStandard(stream)) stream.write('', done);
    else stream.end(done);
    await this.#until(() => isDone || (stream.destroyed && !stream.writableFinished));
    if (this.#hasFailed) this.#throwIfOver();
    if (!isDone && !this.#signal.aborted) this.#throwIfOver();
    if (isDone) this.#leave();
  }

  async abandon(reason: unknown): Promise<void> {
    const stream = this.#stream;
    if (isStandard(stream)) {
      this.#leave();
      return;
    }
    // Its error is the caller's to see once, as what the export rejects with.
    stream.once('close', () => this.#leave());
    if (stream.closed) this.#leave();
    stream.destroy?.(reason instanceof Error ? reason : undefined);
  }

  #leave(): void {
    const stream = this.#stream;
    stream.removeListener('error', this.#onError);
    stream.removeListener('drain', this.#onDrain);
    stream.removeListener('close', this.#onChange);
    this.#signal.removeEventListener('abort', this.#onChange);
  }
}

/** Standard output and error are the process's, and go on. */
function isStandard(stream: Writable): boolean {
  return 'fd' in stream && (stream.fd === 1 || stream.fd === 2);
}

class WebTarget implements ExportTarget {
  readonly #writer: WritableStreamDefaultWriter<Uint8Array>;
  readonly #signal: AbortSignal;

  constructor(stream: WritableStream, signal: AbortSignal) {
    if (stream.locked) {
      const message = 'The WritableStream is locked: somebody else writes to it.';
      throw new OmenError('OMEN_INVALID_TARGET', message);
    }
    this.#writer = stream.getWriter();
    this.#signal = signal;
    // Told by `ready` and `close`.
    this.#writer.closed.catch(() => {});
  }

  async #unlessAborted(promise: Promise<void>): Promise<void> {
    const signal = this.#signal;
    let stop = (): void => {};
    const aborted = new Promise<void>((resolve) => {
      stop = resolve;
      signal.addEventListener('abort', stop, { once: true });
      if (signal.aborted) resolve();
    });
    try {
      await Promise.race([promise, aborted]);
    } catch (error) {
      throw systemError(error, 'writing to the stream');
    } finally {
      signal.removeEventListener('abort', stop);
    }
  }

  async write(bytes: Uint8Array): Promise<void> {
    await this.#unlessAborted(this.#writer.ready);
    if (this.#signal.aborted) return;
    // A failure makes `ready` reject, which is awaited next.
    this.#writer.write(bytes).catch(() => {});
    await this.#unlessAborted(this.#writer.ready);
  }

  async finish(): Promise<void> {
    await this.#unlessAborted(this.#writer.close());
  }

  async abandon(reason: unknown): Promise<void> {
    // Not awaited: a sink that hangs may not end either.
    this.#writer.abort(reason).catch(() => {});
  }
}
