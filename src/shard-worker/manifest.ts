/**
 * The manifest: which segments make up a shard, in which runs, and up to which LSN they hold its log.
 * A file of its own for each change, `manifest-<sequence>.json`, published atomically; the newest one
 * counts, and the one before it is removed once it is durable. Its second line is the CRC-32 of
 * the first: damage is refused, never guessed around.
 */
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { CORRUPT_ADVICE, isDamage, isShortage, noShortage, OmenError } from '../errors.ts';
import { publishFile, type Storage } from '../storage/storage.ts';
import { sizeOf } from '../wal/files.ts';
import { DAMAGED_SUFFIX, type Salvaged } from './salvaged.ts';
import { KEY_FORMS, type SegmentShape } from './segment-shape.ts';

export const MANIFEST_FORMAT = 1;

export interface SegmentRecord
  extends Omit<SegmentShape, 'bodyOffset' | 'hasFlags' | 'keyBytes' | 'varBytes'> {
  readonly id: number;
  /**
   * CRC-32 of the checksums of the file's pages, 32-bit words in little-endian order. They lie in the
   * model file: should that be lost, the segment can still be told from a damaged one.
   */
  readonly pagesCrc: number;
  readonly modelBytes: number;
  readonly modelCrc: number;
}

/**
 * The bulk load that was published last. Where its outcome is open its run is already in its place among
 * the runs, and counts as soon as every participant has it in its manifest, or one says that it is decided.
 */
export interface ManifestLoad {
  readonly name: string;
  readonly participants: readonly number[];
  /** Which of the runs is its own, −1 where this shard has no row of it; null once it is decided: it counts. */
  readonly run: number | null;
}

export interface Manifest {
  readonly format: number;
  readonly databaseId: string;
  readonly shard: number;
  /** Records of the log up to here are in the segments. */
  readonly flushedLsn: number;
  /** The log is needed from here on: for what is not flushed, and for batches open elsewhere. */
  readonly logLsn: number;
  /**
   * Records up to here were durable when this was written, and a log that ends before is damaged: of its
   * last records nothing in itself would tell that they were acknowledged.
   */
  readonly durableLsn: number;
  /** The newest file of the log, which must be there: nothing else would tell that it is missing. */
  readonly logFile: string | null;
  /** Segments get this number next; numbers are never used again. */
  readonly nextId: number;
  /** Newest run first. */
  readonly runs: readonly (readonly SegmentRecord[])[];
  /** Of each run the words of what was cleared of it since (`view/cleared.ts`); in the file, in Base64. */
  readonly cleared: readonly (readonly Uint32Array[])[];
  readonly load: ManifestLoad | null;
  /** Names of damaged files that salvage went on without: they are renamed, never removed. */
  readonly setAside: readonly string[];
  /** What salvage dropped, until an open has told it. */
  readonly salvaged: readonly Salvaged[];
}

/** A manifest that could not be used. */
export interface DamagedManifest {
  readonly name: string;
  readonly bytes: number;
  readonly reason: string;
}

const RECORD_COUNTS = [
  ...(['id', 'rows', 'fileBytes', 'pagesCrc', 'modelBytes', 'modelCrc'] as const),
  ...(['firstLsn', 'lastLsn', 'run', 'part', 'parts'] as const),
];

const SEGMENT_NAME = /^segment-(\d{10})\.(model\.)?arrow$/;
const NAME = /^manifest-(\d{10})\.json$/;

export function segmentName(id: number): string {
  return `segment-${String(id).padStart(10, '0')}.arrow`;
}

export function modelName(id: number): string {
  return `segment-${String(id).padStart(10, '0')}.model.arrow`;
}

/** The number of the segment that a file of this name belongs to; null for other files. */
export function idOfSegmentFile(name: string): number | null {
  const match = SEGMENT_NAME.exec(name);
  return match === null ? null : Number(match[1]);
}

/** Makes way for segments whose numbers no manifest gave away: a job that a crash ended may have. */
export function removeUnnamed(storage: Storage, directory: string, nextId: number): void {
  for (const name of storage.list(directory)) {
    const id = idOfSegmentFile(name);
    if (id !== null && id >= nextId) storage.remove(join(directory, name));
  }
}

function sequenceOf(name: string): number {
  return Number(NAME.exec(name)?.[1] ?? 0);
}

function manifestName(sequence: number): string {
  return `manifest-${String(sequence).padStart(10, '0')}.json`;
}

function corrupt(path: string, what: string, cause?: unknown): OmenError {
  return new OmenError(
    'OMEN_CORRUPT',
    `${path} is damaged at offset 0: ${what}. ${CORRUPT_ADVICE}`,
    { cause },
  );
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null;
}

function isRecord(value: unknown): boolean {
  return (
    isObject(value) &&
    RECORD_COUNTS.every((name) => isCount(value[name])) &&
    KEY_FORMS.some((form) => form === value.form)
  );
}

/** A run holds a segment at least: readers begin with the first. */
function isRuns(value: unknown): boolean {
  const isRun = (run: unknown) => Array.isArray(run) && run.length > 0 && run.every(isRecord);
  return Array.isArray(value) && value.every(isRun);
}

function isCleared(value: unknown, runs: unknown): boolean {
  const isText = (text: unknown) =>
    typeof text === 'string' && Buffer.from(text, 'base64').length % 4 === 0;
  const isList = (list: unknown) => Array.isArray(list) && list.every(isText);
  const isEach = Array.isArray(value) && Array.isArray(runs) && value.length === runs.length;
  return isEach && value.every(isList);
}

function isLoad(value: unknown, runs: unknown): boolean {
  if (value === undefined || value === null) return true;
  if (!isObject(value) || typeof value.name !== 'string' || !Array.isArray(runs)) return false;
  const { participants, run } = value;
  const isIndex = Number.isInteger(run) && (run as number) >= -1 && (run as number) < runs.length;
  return Array.isArray(participants) && participants.every(isCount) && (run === null || isIndex);
}

/** A manifest as it stands in its file. One that was written before there were bulk loads has none. */
type WrittenManifest = Omit<Manifest, 'cleared' | 'load'> & {
  readonly cleared: readonly (readonly string[])[];
  readonly load?: ManifestLoad | null;
};

function write(manifest: Manifest): string {
  const inBase64 = (words: Uint32Array) =>
    Buffer.from(words.buffer, words.byteOffset, words.byteLength).toString('base64');
  const written: WrittenManifest = {
    ...manifest,
    cleared: manifest.cleared.map((ranges) => ranges.map(inBase64)),
  };
  return JSON.stringify(written);
}

function toWords(text: string): Uint32Array {
  return new Uint32Array(Uint8Array.from(Buffer.from(text, 'base64')).buffer);
}

function isManifest(value: unknown): value is WrittenManifest {
  return (
    isObject(value) &&
    isCount(value.flushedLsn) &&
    isCount(value.logLsn) &&
    value.logLsn >= 1 &&
    isCount(value.durableLsn) &&
    isCount(value.nextId) &&
    (value.logFile === null || typeof value.logFile === 'string') &&
    Array.isArray(value.setAside) &&
    value.setAside.every((name) => typeof name === 'string') &&
    Array.isArray(value.salvaged) &&
    value.salvaged.every(isObject) &&
    isRuns(value.runs) &&
    isCleared(value.cleared, value.runs) &&
    isLoad(value.load, value.runs)
  );
}

function parseManifest(path: string, text: string, databaseId: string, shard: number): Manifest {
  const [line, crc] = text.split('\n');
  if (crc === undefined || crc !== crc32(line).toString(16).padStart(8, '0')) {
    throw corrupt(path, 'its checksum does not match');
  }
  let manifest: unknown;
  try {
    manifest = JSON.parse(line);
  } catch (error) {
    throw corrupt(path, 'it is not JSON', error);
  }
  if (!isObject(manifest) || !isCount(manifest.format)) throw corrupt(path, 'it has no format');
  if (manifest.format > MANIFEST_FORMAT) {
    throw new OmenError(
      'OMEN_NEWER_FORMAT',
      `${path} has format ${manifest.format}; this release knows up to ${MANIFEST_FORMAT}.`,
    );
  }
  if (manifest.databaseId !== databaseId || manifest.shard !== shard) {
    throw corrupt(path, `it belongs to shard ${manifest.shard} of ${manifest.databaseId}`);
  }
  if (!isManifest(manifest)) throw corrupt(path, 'a number in it is not one, or a name');
  const cleared = manifest.cleared.map((ranges) => ranges.map(toWords));
  return { ...manifest, cleared, load: manifest.load ?? null };
}

function readManifest(storage: Storage, path: string, databaseId: string, shard: number): Manifest {
  const file = storage.open(path, 'read');
  try {
    const bytes = new Uint8Array(file.size());
    file.read(bytes, 0);
    return parseManifest(path, new TextDecoder().decode(bytes), databaseId, shard);
  } finally {
    file.close();
  }
}

function emptyManifest(databaseId: string, shard: number): Manifest {
  return {
    format: MANIFEST_FORMAT,
    databaseId,
    shard,
    flushedLsn: 0,
    logLsn: 1,
    durableLsn: 0,
    logFile: null,
    nextId: 1,
    runs: [],
    cleared: [],
    load: null,
    setAside: [],
    salvaged: [],
  };
}

/** The manifest in force in one shard's directory. One owner thread. */
export class ManifestFile {
  readonly #storage: Storage;
  readonly #directory: string;
  #sequence = 0;
  current: Manifest;

  private constructor(storage: Storage, directory: string, empty: Manifest) {
    this.#storage = storage;
    this.#directory = directory;
    this.current = empty;
  }

  /** Where the manifest in force is. */
  get path(): string {
    return join(this.#directory, manifestName(this.#sequence));
  }

  /**
   * Reads the newest manifest; a shard without one is empty.
   * @throws OMEN_CORRUPT, OMEN_NEWER_FORMAT, what the storage throws
   */
  static open(
    storage: Storage,
    directory: string,
    databaseId: string,
    shard: number,
  ): ManifestFile {
    if (!storage.exists(directory)) {
      throw new OmenError('OMEN_CORRUPT', `${directory} is missing. ${CORRUPT_ADVICE}`);
    }
    const manifest = new ManifestFile(storage, directory, emptyManifest(databaseId, shard));
    const names = storage.list(directory);
    const newest = names.findLast((name) => NAME.test(name));
    if (newest === undefined) {
      // It is durable before the first segment is written.
      if (names.every((name) => idOfSegmentFile(name) === null)) return manifest;
      const path = join(directory, 'manifest-*.json');
      throw new OmenError('OMEN_CORRUPT', `${path} is missing. ${CORRUPT_ADVICE}`);
    }
    manifest.#sequence = sequenceOf(newest);
    manifest.current = readManifest(storage, join(directory, newest), databaseId, shard);
    return manifest;
  }

  /**
   * The newest manifest that can be read and that `isUsable`, and those that are newer. Without one
   * `current` is that of an empty shard, and `isLost` is true.
   * @throws OMEN_NEWER_FORMAT, what the storage throws but OMEN_IO
   */
  static salvage(
    storage: Storage,
    directory: string,
    databaseId: string,
    shard: number,
    isUsable: (manifest: Manifest) => boolean,
  ): { file: ManifestFile; damaged: DamagedManifest[]; isLost: boolean } {
    const file = new ManifestFile(storage, directory, emptyManifest(databaseId, shard));
    const names = storage.list(directory).filter((name) => NAME.test(name));
    file.#sequence = sequenceOf(names.at(-1) ?? '');
    const damaged: DamagedManifest[] = [];
    for (const name of names.reverse()) {
      try {
        const manifest = readManifest(storage, join(directory, name), databaseId, shard);
        if (damaged.length > 0 && !isUsable(manifest)) break;
        file.current = manifest;
        return { file, damaged, isLost: false };
      } catch (error) {
        if (!isDamage(error)) throw error;
        const bytes = sizeOf(storage, join(directory, name));
        damaged.push({ name, bytes, reason: error.message });
      }
    }
    return { file, damaged, isLost: true };
  }

  /**
   * Makes `next` the manifest in force, durably; then the ones before it are removed. After a shortage
   * (isShortage) that one is in force.
   */
  replace(next: Manifest): void {
    const line = write(next);
    const text = `${line}\n${crc32(line).toString(16).padStart(8, '0')}\n`;
    const name = manifestName(this.#sequence + 1);
    publishFile(this.#storage, join(this.#directory, name), new TextEncoder().encode(text));
    this.#sequence++;
    this.current = next;
    try {
      this.#putAside();
    } catch (error) {
      throw noShortage(error);
    }
    try {
      this.removeOlder();
    } catch (error) {
      // Where even to remove a file takes room, the next open removes it.
      if (!isShortage(error)) throw error;
    }
  }

  /** Renames the damaged files, so that nobody reads them, and nobody takes them for superfluous. */
  #putAside(): void {
    const { setAside } = this.current;
    const paths = setAside.map((name) => join(this.#directory, name));
    const found = paths.filter((path) => this.#storage.exists(path));
    for (const path of found) this.#storage.rename(path, path + DAMAGED_SUFFIX);
    if (setAside.length > 0) this.#storage.syncDirectory(this.#directory);
  }

  /** Forgets what salvage did, once it is told. */
  forgetSalvage(): void {
    const { setAside, salvaged } = this.current;
    if (setAside.length === 0 && salvaged.length === 0) return;
    this.replace({ ...this.current, setAside: [], salvaged: [] });
  }

  /**
   * Writes the manifest again, before anything is removed that only it makes superfluous: the one
   * that was read may be in the page cache only, its name lost by a directory sync that failed.
   * @param runs the same runs, with what is new to say of their files
   */
  renew(runs = this.current.runs): void {
    if (this.#sequence > 0) this.replace({ ...this.current, runs });
  }

  /** Removes those that a crash left. */
  removeOlder(): void {
    const newest = manifestName(this.#sequence);
    for (const name of this.#storage.list(this.#directory)) {
      if (NAME.test(name) && name < newest) this.#storage.remove(join(this.#directory, name));
    }
  }
}
