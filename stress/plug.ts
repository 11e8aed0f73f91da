/**
 * Layer C: a real process with threads on a real file system of its own, whose plug is pulled: the
 * volume is shut down without writing what it had not written, mounted again, and the database opened.
 *
 * The process is stopped first, and waited for until each of its threads is: one that runs on could
 * be told of a success that the disk never had, which is the harness's lie, not the engine's.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { seededRandom } from '../src/storage/model-file.ts';
import type { Program } from './debian.ts';
import { findMkfs } from './mkfs.ts';
import { emptyLanes, type Lane, startVictim, verify } from './victim.ts';

export const FILE_SYSTEMS = ['ext4', 'xfs'] as const;
export type FileSystem = (typeof FILE_SYSTEMS)[number];

/** The least that xfs accepts is 300 MiB; the image is sparse. */
const VOLUME_BYTES = 320 * 2 ** 20;
const LINES_MAX = 600;

/** FS_IOC_SHUTDOWN with FLAGS_NOLOGFLUSH: nothing is written any more, the journal neither. */
const SHUT_DOWN = `
import fcntl, os, struct, sys
fcntl.ioctl(os.open(sys.argv[1], os.O_RDONLY), 0x8004587D, struct.pack('I', 2))`;

function run(command: string, ...args: string[]): void {
  runProgram({ command, env: process.env }, ...args);
}

function runProgram({ command, env }: Program, ...args: string[]): void {
  execFileSync(command, args, { stdio: ['ignore', 'ignore', 'pipe'], env });
}

class Volume implements Disposable {
  readonly mountPoint: string;
  readonly #directory = mkdtempSync(join(tmpdir(), 'omendb-plug-'));
  readonly #image: string;
  #isMounted = false;

  constructor(fileSystem: FileSystem) {
    this.#image = join(this.#directory, 'image');
    this.mountPoint = join(this.#directory, 'volume');
    try {
      writeFileSync(this.#image, '');
      truncateSync(this.#image, VOLUME_BYTES);
      const mkfs = findMkfs(fileSystem);
      if (mkfs === null) throw new Error(`mkfs.${fileSystem} is not here`);
      runProgram(mkfs, '-q', this.#image);
      mkdirSync(this.mountPoint);
      this.mount();
    } catch (error) {
      this[Symbol.dispose]();
      throw error;
    }
  }

  /** Mounts the image; the file system recovers what it had. */
  mount(): void {
    run('mount', '-o', 'loop', this.#image, this.mountPoint);
    this.#isMounted = true;
  }

  pullPlug(): void {
    run('python3', '-c', SHUT_DOWN, this.mountPoint);
  }

  unmount(): void {
    run('umount', this.mountPoint);
    this.#isMounted = false;
  }

  [Symbol.dispose](): void {
    if (this.#isMounted) this.unmount();
    rmSync(this.#directory, { recursive: true, force: true });
  }
}

/** Why plugs cannot be pulled here on such a volume, or null. */
export function obstacle(fileSystem: FileSystem): string | null {
  if (process.platform !== 'linux') return 'it takes Linux';
  if (process.geteuid?.() !== 0) return 'it takes root, to mount a volume';
  for (const tool of ['mount', 'python3']) {
    if (spawnSync('which', [tool], { stdio: 'ignore' }).status !== 0) return `${tool} is not here`;
  }
  try {
    using volume = new Volume(fileSystem);
    volume.pullPlug();
  } catch (error) {
    return error instanceof Error ? error.message.trim() : String(error);
  }
  return null;
}

async function stop(pid: number): Promise<void> {
  process.kill(pid, 'SIGSTOP');
  const states = () =>
    readdirSync(`/proc/${pid}/task`).map((task) => {
      const stat = readFileSync(`/proc/${pid}/task/${task}/stat`, 'utf8');
      return stat.charAt(stat.lastIndexOf(')') + 2);
    });
  while (!states().every((state) => state === 'T')) await setImmediate();
}

/** One volume whose plug is pulled so many times. Throws what is wrong with the database on it. */
export async function plugLife(fileSystem: FileSystem, seed: number, cuts: number): Promise<void> {
  using volume = new Volume(fileSystem);
  const directory = join(volume.mountPoint, 'data');
  const random = seededRandom(seed);
  let lanes: Lane[] = emptyLanes();
  for (let cut = 0; cut < cuts; cut++) {
    const done = lanes.map(({ steps }) => steps);
    const victim = startVictim({ directory, seed, durability: 'sync', done });
    try {
      await victim.said(1 + Math.floor(random() ** 2 * LINES_MAX));
      const { pid } = victim.process;
      if (pid === undefined) throw new Error('The writer did not start.');
      await stop(pid);
      volume.pullPlug();
    } finally {
      victim.process.kill('SIGKILL');
    }
    const acknowledged = await victim.acknowledged;
    volume.unmount();
    volume.mount();
    lanes = await verify(directory, seed, lanes, acknowledged);
  }
}
