/**
 * The lock of a database directory: one open at a time, over all processes.
 *
 * Node has no flock. On Linux the lock is a socket in the abstract namespace, named after the
 * directory's device and inode: the kernel grants a name once and takes it back however its holder
 * ends, so there are no stale locks. The LOCK file names the holder; elsewhere, and for holders in
 * another network namespace, it is the lock itself: made exclusively, and taken over only when the
 * process that it names is gone (by pid and start time).
 */
import { randomUUID } from 'node:crypto';
import { closeSync, openSync, readFileSync, statSync, unlinkSync, writeSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { OmenError, systemError } from '../errors.ts';

export const LOCK_NAME = 'LOCK';

export interface Lock {
  release(): Promise<void>;
}

interface Holder {
  readonly pid: number;
  /** Start time of the process, in the kernel's ticks since boot; '' where it is not known. */
  readonly started: string;
  readonly token: string;
}

function startTime(pid: number): string {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // Field 22, counted behind the command's name, which may hold spaces and parentheses.
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? '';
  } catch {
    return '';
  }
}

function isAlive({ pid, started }: Holder): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
  return started === '' || startTime(pid) === started;
}

function locked(path: string, holder: Holder | null): OmenError {
  const who = holder === null ? 'Another open' : `Process ${holder.pid}`;
  return new OmenError(
    'OMEN_LOCKED',
    `${who} has the database at ${path} open. Close it there, or attach() from its threads.`,
  );
}

function readHolder(file: string): Holder | null {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as Holder;
  } catch {
    return null;
  }
}

async function takeSocket(path: string): Promise<Server | null> {
  if (process.platform !== 'linux') return null;
  const { dev, ino } = statSync(path, { bigint: true });
  const server = createServer((socket) => socket.destroy());
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(`\0omendb-${dev}-${ino}`, resolve);
  }).catch((error: unknown) => {
    if (error instanceof Error && 'code' in error && error.code === 'EADDRINUSE') {
      throw locked(path, readHolder(join(path, LOCK_NAME)));
    }
    throw systemError(error, `locking ${path}`);
  });
  server.unref();
  return server;
}

function writeLockFile(file: string, holder: Holder): void {
  const descriptor = openSync(file, 'wx');
  try {
    writeSync(descriptor, JSON.stringify(holder));
  } finally {
    closeSync(descriptor);
  }
}

/** Makes the LOCK file; one whose process is gone is replaced. */
function takeFile(path: string, token: string): void {
  const file = join(path, LOCK_NAME);
  const own = { pid: process.pid, started: startTime(process.pid), token };
  for (let attempt = 0; attempt < 3; attempt++) {
    try {
      writeLockFile(file, own);
      return;
    } catch (error) {
      const exists = error instanceof Error && 'code' in error && error.code === 'EEXIST';
      if (!exists) throw systemError(error, `making ${file}`);
    }
    const holder = readHolder(file);
    // Our own pid: an earlier open of this process that was not closed; its socket is free, so it
    // is gone with its thread.
    if (holder !== null && holder.pid !== process.pid && isAlive(holder))
      throw locked(path, holder);
    unlinkSync(file);
  }
  throw locked(path, readHolder(file));
}

/**
 * Takes the lock of the existing directory `path`.
 * @param readOnly whether to do without the file, on media that cannot be written
 * @throws OMEN_LOCKED, OMEN_PERMISSION, OMEN_IO
 */
export async function takeLock(path: string, readOnly: boolean): Promise<Lock> {
  const server = await takeSocket(path);
  const token = randomUUID();
  try {
    if (!readOnly) takeFile(path, token);
  } catch (error) {
    server?.close();
    throw error;
  }
  return {
    async release() {
      const file = join(path, LOCK_NAME);
      if (!readOnly && readHolder(file)?.token === token) unlinkSync(file);
      if (server !== null) await new Promise((resolve) => server.close(resolve));
    },
  };
}
