/**
 * A snapshot: one instant of the whole database, to be read for as long as it is held. It belongs to the
 * thread that took it.
 *
 * It stops no writer, flush or compaction. What it pins is the memory of the memtables and segments
 * there were at that instant; their files may go meanwhile.
 */
import { OmenError } from '../errors.ts';
import type { Run } from '../view/segment.ts';
import type { ShardSnapshot } from '../view/shard-view.ts';
import type { Client } from './client.ts';
import { exportRows } from './export.ts';
import type { ExportOptions, ExportReport, ExportTargetInput } from './export-options.ts';
import type { Source } from './ordered-reads.ts';
import { formatPosition, noPosition } from './position.ts';
import type { Capture, Reader } from './reader.ts';
import { Reads } from './reads.ts';
import type { Closable } from './rows.ts';
import { type TextInputOf, type TextOf, TextReads } from './text-reads.ts';

export class Snapshot<Key, Row, KeyInput, RowInput> extends Reads<Key, Row, KeyInput, RowInput> {
  readonly #client: Client;
  readonly #capture: ReturnType<Reader['snapshot']>;
  protected readonly source: Source;
  protected readonly reader: Reader;
  protected readonly owner: Closable = this;
  protected readonly captured: readonly ShardSnapshot[];
  #isReleased = false;

  /** Use `db.snapshot()`. */
  constructor(client: Client) {
    super();
    this.#client = client;
    this.#capture = client.reader.snapshot();
    this.captured = this.#capture.shards;
    this.reader = client.reader;
    this.source = sourceOf(client.reader, this.#capture);
  }

  /** The row of a key, or undefined. @throws OMEN_INVALID_KEY, OMEN_UNSAFE_INTEGER, OMEN_CLOSED */
  get(key: KeyInput): Row | undefined {
    this.throwIfClosed();
    this.reader.countGet();
    return this.reader.getIn(this.captured, key, true) as Row | undefined;
  }

  has(key: KeyInput): boolean {
    this.throwIfClosed();
    this.reader.countGet();
    return this.reader.getIn(this.captured, key, false) === true;
  }

  /**
   * The position of its instant: what `watch({ from })` takes, to go on where the snapshot ends.
   * @throws OMEN_CLOSED, OMEN_READ_ONLY
   */
  get position(): string {
    this.throwIfClosed();
    return formatPosition(this.#client.membership, this.#capture.position ?? noPosition());
  }

  /** Writes what it sees to a file or a stream: see `Database.export`. */
  export(
    target: ExportTargetInput,
    options?: ExportOptions<KeyInput, RowInput>,
  ): Promise<ExportReport> {
    return exportRows(this.#client, this, target, options);
  }

  /** The same reads with strings for bytes: see `Database.text`. */
  text(): TextReads<TextOf<Key>, TextOf<Row>, TextInputOf<KeyInput>, TextOf<RowInput>> {
    const { source, reader, owner, captured } = this;
    return new TextReads({ source, reader, owner, captured });
  }

  /** Gives back what it pins. After that it throws OMEN_CLOSED; a second call does nothing. */
  close(): void {
    if (this.#isReleased) return;
    this.#isReleased = true;
    this.#capture.release();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  get isClosed(): boolean {
    return this.#isReleased || this.#client.isClosed;
  }

  /** @throws OMEN_CLOSED */
  throwIfClosed(): void {
    this.#client.throwIfClosed();
    if (!this.#isReleased) return;
    throw new OmenError('OMEN_CLOSED', 'The snapshot was closed. Take another one.');
  }
}

/** What a capture reads; iterators over it pin nothing more than it does. */
function sourceOf(reader: Reader, { shards }: Capture): Source {
  const runs = shards.map(({ view, visible, nowMs }) => view.settledAt(visible, nowMs));
  const settled = runs.every((run): run is Run => run !== null) ? runs : null;
  return {
    key: reader.key,
    readers: reader.readers,
    isByRange: reader.isByRange,
    settled: () => settled,
    now: () => shards,
    capture: () => ({ shards, release: () => {} }),
  };
}
