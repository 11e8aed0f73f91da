/**
 * Positions: how far somebody has seen the changes of a database, as a text that a later `watch` goes
 * on from.
 *
 * - For each shard, the LSN of the last record of its log that was seen: with it, all before it.
 * - But for *open* batches: those across shards that were undecided at the instant of a snapshot. Their
 *   parts may lie before that record, and are not in the snapshot; so the log is to be read from an
 *   earlier record on, for them alone. Watchers wait for the outcome, their positions have none.
 * - What was seen and is not durable may be lost in a power cut, and its LSNs be given to other records.
 *   A position that rests on such records names the open of the database that it is of, and is of no
 *   use in another. With durability 'sync' there are none.
 *
 * As text: `omen1:database id:lsn,lsn-from,…:epoch or nothing:names of open batches:checksum`
 */
import { crc32 } from 'node:zlib';
import { OmenError } from '../errors.ts';
import { batchName, type Epoch } from '../shard-worker/records.ts';
import type { LogBoard } from '../view/log-board.ts';
import type { ShardSnapshot } from '../view/shard-view.ts';
import type { Membership } from './membership.ts';

export interface ShardPosition {
  /** All records up to here were seen, but for those of open batches. */
  readonly lsn: number;
  /** No record of an open batch lies before this one. */
  readonly fromLsn: number;
  /** All up to here are known to be durable: what the shard has announced may lag behind. */
  readonly durableLsn: number;
}

export interface Position {
  readonly shards: readonly ShardPosition[];
  /** Names of batches. */
  readonly open: ReadonlySet<string>;
}

const VERSION = 'omen1';
const FORM =
  /^omen1:([0-9a-f]{32}):(\d{1,16}(?:-\d{1,16})?(?:,\d{1,16}(?:-\d{1,16})?)*):([0-9a-f]{0,16}):((?:\d+-\d+-\d+(?:,\d+-\d+-\d+)*)?):([0-9a-f]{8})$/;

/**
 * What a snapshot has seen; null where its shards have gone on since it was read, and it has to be read
 * again.
 */
export function positionOf(
  { control, epoch }: Membership,
  shards: readonly ShardSnapshot[],
): Position | null {
  const { undecided } = shards[0].visible[0];
  const open = new Set([...undecided].map((ticket) => batchName(epoch, ticket)));
  const seen: ShardPosition[] = [];
  for (const [shard, { view, visible }] of shards.entries()) {
    const { id } = view.memtables[0].memtable;
    const mark = control.logs.markOf(shard, id, visible[0].watermark);
    if (mark === null) return null;
    const { lsn, openLsn, durableLsn } = mark;
    const fromLsn = open.size === 0 ? lsn + 1 : Math.min(lsn + 1, openLsn);
    seen.push({ lsn, fromLsn, durableLsn });
  }
  return { shards: seen, open };
}

/** A position as text. */
export function formatPosition(membership: Membership, { shards, open }: Position): string {
  const { databaseId, control, epoch } = membership;
  const lsns = shards.map(({ lsn, fromLsn }) => (fromLsn > lsn ? lsn : `${lsn}-${fromLsn}`));
  const isDurable = shards.every(
    ({ lsn, durableLsn }, shard) => lsn <= durableLsn || lsn <= control.logs.durableLsn(shard),
  );
  const basis = isDurable ? '' : hexOf(epoch);
  const text = [VERSION, databaseId, lsns.join(','), basis, [...open].join(',')].join(':');
  return `${text}:${checksum(text)}`;
}

/**
 * @throws OMEN_INVALID_POSITION where it is malformed, of another database, or ahead of this one;
 *   OMEN_LSN_GONE where it rests on what was never durable, in an open of the database that has ended
 */
export function parsePosition(membership: Membership, given: unknown): Position {
  const invalid = (what: string) =>
    new OmenError(
      'OMEN_INVALID_POSITION',
      `${what} Pass what "position" of this database, a snapshot or a watch of it gave.`,
    );
  const match = typeof given === 'string' ? FORM.exec(given) : null;
  if (match === null) throw invalid('"from" is no position.');
  const [text, databaseId, lsns, basis, names, sum] = match;
  if (checksum(text.slice(0, text.lastIndexOf(':'))) !== sum) {
    throw invalid('The position was changed or cut: its checksum does not match.');
  }
  const { control, epoch } = membership;
  const shards = lsns.split(',').map((pair): ShardPosition => {
    const [lsn, fromLsn = lsn + 1] = pair.split('-').map(Number);
    return { lsn, fromLsn, durableLsn: basis === '' ? lsn : 0 };
  });
  if (databaseId !== membership.databaseId || shards.length !== membership.shards) {
    throw invalid('The position is of another database.');
  }
  if (basis !== '' && basis !== hexOf(epoch)) {
    throw new OmenError(
      'OMEN_LSN_GONE',
      'The position was taken before its records were durable, and the database was opened anew since: ' +
        'they may have been lost. Begin anew with a snapshot.',
    );
  }
  const isAhead = shards.some(({ lsn }, shard) => lsn > endOf(control.logs, shard));
  if (isAhead) {
    throw invalid('The position is ahead of the database, which may be an older copy of it.');
  }
  return { shards, open: new Set(names === '' ? [] : names.split(',')) };
}

/** Where nothing can change, nothing is watched. */
export function noPosition(): never {
  throw new OmenError(
    'OMEN_READ_ONLY',
    'A database opened with readOnly: true has no changes to watch, and no position.',
  );
}

function endOf(logs: LogBoard, shard: number): number {
  return Math.max(logs.shownLsn(shard), logs.durableLsn(shard));
}

function hexOf({ hi, lo }: Epoch): string {
  return [hi, lo].map((word) => word.toString(16).padStart(8, '0')).join('');
}

function checksum(text: string): string {
  return crc32(text).toString(16).padStart(8, '0');
}
