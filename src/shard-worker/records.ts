/**
 * The records of a shard's log. Each begins with its own length (the log's part), then a word with its
 * type in the lowest byte and flags in the next. Words are 32-bit, little-endian.
 *
 *   PUT       length, type | flags, key lo, key hi, row bytes
 *   DEL       length, type | flags, key lo, key hi
 *             where keys differ in length, `key lo, key hi` is the prefix, and the key in its stored
 *             form (`schema/key-bytes.ts`) follows in both, before the row
 *   RANGE_DELETE  length, type, first lo, first hi, the rest of a range (`view/cleared.ts`): every key in
 *             it is deleted that an earlier record has
 *   LOAD_MARK length, type, name lo, name hi: where a bulk load stands among all records, which are older or
 *             newer than its rows; it changes nothing by itself
 *   LOADED    length, type, name lo, name hi: the load is published, and this shard has rows of it; for
 *             those who follow the log, which has none of the rows. It may come twice
 *   PART      length, type, ticket, epoch lo, epoch hi, operations, participants, shard, shard, …
 *             the part of this shard in a batch across shards: its operations are the PUT, DEL,
 *             RANGE_DELETE and LOAD_MARK records that follow, in the same frame
 *   DECISION  length, type | committed ? COMMITTED_FLAG : 0, ticket, epoch lo, epoch hi
 *
 * A batch across shards is named by (epoch, ticket); the epoch is drawn at each open, so that no name
 * is used twice. When a row expires is a column of it.
 */

export const PUT = 1;
export const DEL = 2;
export const PART = 3;
export const DECISION = 4;
export const RANGE_DELETE = 5;
export const LOAD_MARK = 6;
export const LOADED = 7;

export const COMMITTED_FLAG = 0x100;

/** Words of a record, from its start. */
export const TYPE = 1;
export const KEY_LO = 2;
export const KEY_HI = 3;
export const OPERATION_BYTES = 16;

export const TICKET = 2;
export const EPOCH_LO = 3;
export const EPOCH_HI = 4;
export const OPERATIONS = 5;
export const PARTICIPANTS = 6;
export const SHARDS = 7;
export const DECISION_BYTES = 20;

export function partBytes(participants: number): number {
  return 4 * (SHARDS + participants);
}

/** Whether a record at word `at` is as long as its type has it; one of an unknown type is. */
export function isWhole(words: Uint32Array, at: number, type: number, bytes: number): boolean {
  if (type === PUT || type === DEL) return bytes >= OPERATION_BYTES;
  if (type === RANGE_DELETE) return bytes >= OPERATION_BYTES + 16;
  if (type === LOAD_MARK || type === LOADED) return bytes === OPERATION_BYTES;
  if (type === DECISION) return bytes === DECISION_BYTES;
  if (type !== PART) return true;
  return bytes > partBytes(0) && bytes === partBytes(words[at + PARTICIPANTS]);
}

/** Names an open of the database within the names of batches. */
export interface Epoch {
  readonly lo: number;
  readonly hi: number;
}

/** A part that recovery found. */
export interface BatchPart {
  /** The batch's name: epoch and ticket. */
  readonly batch: string;
  readonly ticket: number;
  readonly epoch: Epoch;
  readonly participants: readonly number[];
}

/** The name of a bulk load by the two words of its mark. */
export function loadName(hi: number, lo: number): string {
  const text = (word: number): string => word.toString(16).padStart(8, '0');
  return text(hi) + text(lo);
}

/** The two words of the name of a load. */
export function wordsOfLoad(name: string): { readonly hi: number; readonly lo: number } {
  return { hi: Number.parseInt(name.slice(0, 8), 16), lo: Number.parseInt(name.slice(8), 16) };
}

/** What a load is called among batches, when recovery decides of both. */
export function loadBatchName(name: string): string {
  return `load ${name}`;
}

export function batchName(epoch: Epoch, ticket: number): string {
  return `${epoch.hi}-${epoch.lo}-${ticket}`;
}
