/**
 * The manifest: which segments make up a shard, in which runs, and up to which LSN they hold its log.
 * A file of its own for each change, `manifest-<sequence>.json`, published atomically; the newest one
 * counts, and the one before it is removed once it is durable. Its second line is the CRC-32 of
 * the first: damage is refused, never guessed around.
 */
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { isShortage, OmenError } from '../errors.ts';
import { publishFile, type Storage } from '../storage/storage.ts';
import type { KeyForm } from '../view/segment.ts';

export const MANIFEST_FORMAT = 1;

export interface SegmentRecord {
  readonly id: number;
  readonly rows: number;
  readonly form: KeyForm;
  readonly fileBytes: number;
  /**
   * CRC-32 of the checksums of the file's pages, 32-bit words in little-endian order. They lie in the
   * model file: should that be lost, the segment can still be told from a damaged one.
   */
  readonly pagesCrc: number;
  readonly modelBytes: number;
  readonly modelCrc: number;
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
}

const KEY_FORMS: readonly KeyForm[] = ['f64', 'words', 'bytes'];
const RECORD_COUNTS = ['id', 'rows', 'fileBytes', 'pagesCrc', 'modelBytes', 'modelCrc'] as const;

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

function manifestName(sequence: number): string {
  return `manifest-${String(sequence).padStart(10, '0')}.json`;
}

function corrupt(path: string, what: string, cause?: unknown): OmenError {
  return new OmenError(
    'OMEN_CORRUPT',
    `${path} is damaged at offset 0: ${what}. Restore the shard from a backup.`,
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

function isManifest(value: unknown): value is Manifest {
  return (
    isObject(value) &&
    isCount(value.flushedLsn) &&
    isCount(value.logLsn) &&
    value.logLsn >= 1 &&
    isCount(value.durableLsn) &&
    isCount(value.nextId) &&
    (value.logFile === null || typeof value.logFile === 'string') &&
    isRuns(value.runs)
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
  return manifest;
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
    const empty = {
      format: MANIFEST_FORMAT,
      databaseId,
      shard,
      flushedLsn: 0,
      logLsn: 1,
      durableLsn: 0,
      logFile: null,
      nextId: 1,
      runs: [],
    };
    const manifest = new ManifestFile(storage, directory, empty);
    const names = storage.list(directory).filter((name) => NAME.test(name));
    const newest = names.at(-1);
    if (newest === undefined) return manifest;
    const path = join(directory, newest);
    const file = storage.open(path, 'read');
    try {
      const bytes = new Uint8Array(file.size());
      file.read(bytes, 0);
      const text = new TextDecoder().decode(bytes);
      manifest.current = parseManifest(path, text, databaseId, shard);
    } finally {
      file.close();
    }
    manifest.#sequence = Number(NAME.exec(newest)?.[1]);
    return manifest;
  }

  /**
   * Makes `next` the manifest in force, durably; then the one before it is removed. After a shortage
   * (isShortage) that one is in force.
   */
  replace(next: Manifest): void {
    const line = JSON.stringify(next);
    const text = `${line}\n${crc32(line).toString(16).padStart(8, '0')}\n`;
    const name = manifestName(this.#sequence + 1);
    publishFile(this.#storage, join(this.#directory, name), new TextEncoder().encode(text));
    const before = manifestName(this.#sequence);
    const hadOne = this.#sequence > 0;
    this.#sequence++;
    this.current = next;
    try {
      if (hadOne) this.#storage.remove(join(this.#directory, before));
    } catch (error) {
      // Where even to remove a file takes room, the next open removes it.
      if (!isShortage(error)) throw error;
    }
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
