/**
 * `omendb.json`: what a database is. Written at its creation, as the last step of it; a directory
 * without one is empty, foreign, or a creation that a crash cut short and the next open does again.
 * Where the first bulk load tells the splits, it is written once more, while nothing is in the database.
 * A wrong column name or split point in it would give wrong answers from sound files, so it has a
 * checksum: of what it says, however it is laid out.
 */
import { randomBytes } from 'node:crypto';
import { dirname, join } from 'node:path';
import { crc32 } from 'node:zlib';
import { OmenError } from '../errors.ts';
import { parseSchema, type Schema, schemaOptions } from '../schema/schema.ts';
import { publishFile, type Storage, TEMPORARY_SUFFIX } from '../storage/storage.ts';
import { isPartitioning, type Partitioning, parsePartition } from '../view/partition.ts';
import { LOCK_NAME } from './lock.ts';
import { defaultShards, type OpenOptions, parseShards, type Settings } from './options.ts';

export const IDENTITY_NAME = 'omendb.json';
export const FORMAT = 1;

export interface Identity {
  readonly format: number;
  /** 32 hexadecimal digits. */
  readonly databaseId: string;
  readonly schema: Schema;
  readonly shards: number;
  readonly partitioning: Partitioning;
}

export function shardDirectory(path: string, shard: number): string {
  return join(path, `shard-${String(shard).padStart(4, '0')}`);
}

/** Makes the directory `path` with those above it, the name of each durable before the next is made. */
export function makePath(storage: Storage, path: string): void {
  if (!storage.exists(path)) {
    makePath(storage, dirname(path));
    storage.makeDirectory(path);
  }
  syncName(storage, path);
}

/**
 * Makes the name of a directory durable: who made it may have been killed before that. Where we may not
 * read what it stands in, we did not make it.
 */
function syncName(storage: Storage, path: string): void {
  try {
    storage.syncDirectory(dirname(path));
  } catch (error) {
    if (!(error instanceof OmenError && error.code === 'OMEN_PERMISSION')) throw error;
  }
}

/**
 * Reads the identity of the database at `path`, or creates one there.
 * @throws OMEN_NOT_FOUND, OMEN_EXISTS, OMEN_FOREIGN_DIRECTORY, OMEN_NEWER_FORMAT, OMEN_CORRUPT,
 *   OMEN_OPTIONS_MISMATCH, OMEN_INVALID_OPTIONS, what the storage throws
 */
export function openIdentity(
  storage: Storage,
  path: string,
  options: OpenOptions,
  settings: Settings,
): Identity {
  if (storage.exists(join(path, IDENTITY_NAME))) {
    if (settings.errorIfExists) {
      throw new OmenError('OMEN_EXISTS', `There is a database at ${path} already.`);
    }
    const identity = readIdentity(storage, path);
    checkOptions(identity, options);
    if (!settings.readOnly) {
      // Its creation may have been killed as the last step was done, and not yet durable.
      syncName(storage, path);
      storage.syncDirectory(path);
    }
    return identity;
  }
  refuseForeign(storage, path);
  if (!settings.createIfMissing || settings.readOnly) {
    throw new OmenError(
      'OMEN_NOT_FOUND',
      `There is no database at ${path}, and this open may not create one.`,
    );
  }
  return createIdentity(storage, path, options);
}

function refuseForeign(storage: Storage, path: string): void {
  const ours = (name: string) =>
    name === LOCK_NAME || name.endsWith(TEMPORARY_SUFFIX) || /^shard-\d{4}$/.test(name);
  const foreign = storage.list(path).find((name) => !ours(name));
  if (foreign === undefined) return;
  throw new OmenError(
    'OMEN_FOREIGN_DIRECTORY',
    `${path} holds ${foreign} and no ${IDENTITY_NAME}: it is no database. Choose an empty directory.`,
  );
}

function createIdentity(storage: Storage, path: string, options: OpenOptions): Identity {
  const schema = parseSchema(options);
  const shards = options.shards === undefined ? defaultShards() : parseShards(options.shards);
  const { partition = 'hash' } = options;
  const partitioning = parsePartition(partition, shards, schema.key);
  const databaseId = randomBytes(16).toString('hex');
  syncName(storage, path);
  for (let shard = 0; shard < shards; shard++) storage.makeDirectory(shardDirectory(path, shard));
  const identity = { format: FORMAT, databaseId, schema, shards, partitioning };
  writeIdentity(storage, path, identity);
  return identity;
}

/** @throws what `publishFile` throws */
export function writeIdentity(storage: Storage, path: string, identity: Identity): void {
  const { format, databaseId, schema, shards, partitioning } = identity;
  const fields = { format, databaseId, ...schemaOptions(schema), shards, partitioning };
  const text = JSON.stringify({ ...fields, checksum: checksumOf(fields) }, null, 2);
  publishFile(storage, join(path, IDENTITY_NAME), new TextEncoder().encode(`${text}\n`));
}

/** What `checksum` says of the other fields: the CRC-32 of them as JSON without spaces. */
export function checksumOf(fields: object): string {
  return crc32(JSON.stringify(fields)).toString(16).padStart(8, '0');
}

function readIdentity(storage: Storage, path: string): Identity {
  const name = join(path, IDENTITY_NAME);
  const file = storage.open(name, 'read');
  try {
    const bytes = new Uint8Array(file.size());
    file.read(bytes, 0);
    return parseIdentity(name, new TextDecoder().decode(bytes));
  } finally {
    file.close();
  }
}

function parseIdentity(name: string, text: string): Identity {
  try {
    const { checksum, ...parsed } = JSON.parse(text);
    if (checksum !== checksumOf(parsed)) throw new Error('its checksum does not match');
    if (parsed.format > FORMAT) {
      throw new OmenError(
        'OMEN_NEWER_FORMAT',
        `${name} has format ${parsed.format}; this release knows up to ${FORMAT}. Upgrade omendb.`,
      );
    }
    const { format, databaseId, partitioning } = parsed;
    const schema = parseSchema(parsed);
    const shards = parseShards(parsed.shards);
    const isWhole =
      /^[0-9a-f]{32}$/.test(databaseId) && isPartitioning(partitioning, shards, schema.key);
    if (format !== FORMAT || !isWhole) throw new Error('a field is missing or wrong');
    return { format, databaseId, schema, shards, partitioning };
  } catch (error) {
    if (error instanceof OmenError && error.code === 'OMEN_NEWER_FORMAT') throw error;
    const what = error instanceof Error ? error.message : String(error);
    throw new OmenError('OMEN_CORRUPT', `${name} is damaged at offset 0: ${what}.`, {
      cause: error,
    });
  }
}

/** Refuses options that say otherwise than the data, naming which. */
function checkOptions(identity: Identity, options: OpenOptions): void {
  const { schema, shards, partitioning } = identity;
  const mismatch = (name: string, asked: unknown, found: unknown): OmenError =>
    new OmenError(
      'OMEN_OPTIONS_MISMATCH',
      `The option "${name}" is ${JSON.stringify(asked)}, but the data have ${JSON.stringify(found)}. ` +
        'It is fixed for the life of the data: leave it out to open them.',
    );
  const found = schemaOptions(schema);
  if (options.key !== undefined && options.key !== schema.key) {
    throw mismatch('key', options.key, schema.key);
  }
  if (options.value !== undefined && options.value !== found.value) {
    throw mismatch('value', options.value, found.value ?? null);
  }
  if (options.ttl !== undefined && (options.ttl || undefined) !== schema.ttl) {
    throw mismatch('ttl', options.ttl, schema.ttl ?? false);
  }
  if (options.columns !== undefined) {
    const asked = JSON.stringify(Object.entries(options.columns));
    const stored = JSON.stringify(Object.entries(found.columns ?? {}));
    if (asked !== stored) throw mismatch('columns', options.columns, found.columns ?? null);
  }
  if (options.shards !== undefined && options.shards !== shards) {
    throw mismatch('shards', options.shards, shards);
  }
  if (options.partition !== undefined) {
    const isSame =
      options.partition === partitioning.kind ||
      JSON.stringify(parsePartition(options.partition, shards, schema.key)) ===
        JSON.stringify(partitioning);
    if (!isSame) throw mismatch('partition', options.partition, partitioning.kind);
  }
}
