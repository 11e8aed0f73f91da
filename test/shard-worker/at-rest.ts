/**
 * A database that was closed in good order, and whose files are damaged afterwards: it answers as if
 * they were not, or it is refused with the name of a file and a place in it. Never a wrong answer.
 */
import { OmenError } from '../../src/errors.ts';
import type { CrashStorage } from '../../src/storage/crash.ts';
import { RECYCLED_NAME } from '../../src/wal/files.ts';
import { NAMES_PLACE } from './crashes.ts';
import { Expected, Violation } from './expected.ts';
import type { KeyKindName } from './key-kinds.ts';
import { directoryOf, emptyDisk, Shards } from './shards.ts';

export interface AtRest {
  readonly disk: CrashStorage;
  readonly expected: Expected;
  /** Paths of all files. */
  readonly files: readonly string[];
}

/** Every file of a disk with the content it has. */
export type Image = ReadonlyMap<string, Uint8Array>;

const SHARDS = 2;

/** Runs with deletes in them, and rows that expired where rows do, parts of batches, and a log with what is in no segment yet. */
export async function databaseAtRest(
  keyKind: KeyKindName,
  rounds = 3,
  onRound: (image: Image) => void = () => {},
): Promise<AtRest> {
  const disk = emptyDisk(SHARDS);
  const expected = new Expected(SHARDS, keyKind);
  const shards = await Shards.open(disk, expected);
  for (let round = 0; round < rounds; round++) {
    for (let shard = 0; shard < SHARDS; shard++) {
      await shards.room(shard, 60);
      shards.append(shard, 20);
      shards.put(shard, ...Array.from({ length: 12 }, (_, i) => -40 + 4 * (round % 8) + i));
      shards.del(shard, -40 + (round % 8));
      shards.putUntil(shard, round === 1 ? 1 : 1000, -36 - round, -80 - (round % 3), -85);
      shards.commit(shard);
    }
    shards.wait(1);
    const batch = shards.take(0, 1);
    for (let shard = 0; shard < SHARDS; shard++) {
      shards.part(shard, batch, [-70 - (round % 5)], [-39]);
      shards.commit(shard);
    }
    for (let shard = 0; shard < SHARDS; shard++) await shards.rotate(shard);
    onRound(imageOf(disk));
  }
  for (let shard = 0; shard < SHARDS; shard++) {
    await shards.room(shard, 10);
    shards.put(shard, -90, -91);
    shards.commit(shard);
    shards.del(shard, -40, -91);
    shards.commit(shard);
  }
  await shards.close();
  expected.processEnded();
  const files = [...imageOf(disk).keys()];
  return { disk, expected, files };
}

/** Of all files but those kept to be overwritten: nobody reads them. */
export function imageOf(disk: CrashStorage): Image {
  const image = new Map<string, Uint8Array>();
  for (let shard = 0; shard < SHARDS; shard++) {
    for (const name of disk.list(directoryOf(shard))) {
      if (name === RECYCLED_NAME) continue;
      const path = `${directoryOf(shard)}/${name}`;
      const file = disk.open(path, 'read');
      const content = new Uint8Array(file.size());
      file.read(content, 0);
      file.close();
      image.set(path, content);
    }
  }
  return image;
}

/** The database with some files changed; null: removed. */
export function damaged(
  { disk }: AtRest,
  changes: Iterable<readonly [path: string, content: Uint8Array | null]>,
): CrashStorage {
  const copy = disk.restart();
  for (const [path, content] of changes) {
    if (copy.exists(path)) copy.remove(path);
    if (content === null) continue;
    const file = copy.open(path, 'create-new');
    file.write(content, 0);
    file.close();
  }
  return copy;
}

/** The database with one byte of a file changed. */
export function flipped({ disk }: AtRest, path: string, at: number, bits: number): CrashStorage {
  const copy = disk.restart();
  const file = copy.open(path, 'read-write');
  const byte = new Uint8Array(1);
  file.read(byte, at);
  byte[0] ^= bits;
  file.write(byte, at);
  file.close();
  return copy;
}

/**
 * `same`: every row as it was, by scan, look-up and count. Else the message of the refusal.
 * @throws Violation for a wrong answer, and what is thrown that is no coded error
 */
export async function openDamaged({ expected }: AtRest, disk: CrashStorage): Promise<string> {
  try {
    await Shards.open(disk, expected.clone());
    return 'same';
  } catch (error) {
    const isRefused = error instanceof OmenError && error.code === 'OMEN_CORRUPT';
    if (!isRefused || !NAMES_PLACE.test(error.message)) throw error;
    return error.message;
  }
}

/**
 * As openDamaged, where one file was damaged: a refusal names it, a damaged model is made anew.
 * @throws Violation, and as openDamaged
 */
export async function checkDamaged(
  database: AtRest,
  disk: CrashStorage,
  path: string,
): Promise<string> {
  const result = await openDamaged(database, disk);
  if (result === 'same') return result;
  if (path.endsWith('.model.arrow')) throw new Violation(`${path} was not made anew: ${result}`);
  if (!result.startsWith(path)) throw new Violation(`${path} is damaged, and blamed is: ${result}`);
  return result;
}
