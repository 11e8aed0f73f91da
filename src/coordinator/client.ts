/** A client: one thread's membership of a database, with what it reads and writes through. */
import type { MessagePort } from 'node:worker_threads';
import { OmenError } from '../errors.ts';
import type { Notice, WorkNotice } from '../shard-worker/notice.ts';
import type { LinkMemory } from '../shard-worker/protocol.ts';
import type { Storage } from '../storage/storage.ts';
import { type Partitioning, splitsOf } from '../view/partition.ts';
import { publishWork } from './channels.ts';
import { ClientMeter } from './client-meter.ts';
import { Events } from './events.ts';
import { ExpiringReader } from './expiring-reader.ts';
import type { Membership } from './membership.ts';
import { Reader } from './reader.ts';
import { Watchers } from './watchers.ts';
import { Writer } from './writer.ts';

/** One client's end of its connection to one shard thread. */
export interface Connection {
  readonly thread: number;
  readonly memory: LinkMemory;
  readonly views: MessagePort;
}

export class Client {
  readonly membership: Membership;
  readonly reader: Reader;
  readonly writer: Writer;
  readonly watchers: Watchers;
  readonly meter: ClientMeter;
  readonly events = new Events();
  /** Where the database's files are; clients read logs only. */
  readonly storage: Storage;
  readonly #ending = new AbortController();
  #closed: OmenError | null = null;

  constructor(membership: Membership, storage: Storage) {
    this.membership = membership;
    this.meter = new ClientMeter(membership);
    const { path } = membership;
    const onNotice = (notice: Notice | WorkNotice): void => {
      if ('ms' in notice) publishWork(path, notice);
      else this.events.notify(notice);
    };
    this.reader =
      membership.schema.ttl === undefined
        ? new Reader(membership, this.meter, onNotice, storage)
        : new ExpiringReader(membership, this.meter, onNotice, storage);
    this.writer = new Writer(membership, this.meter);
    this.watchers = new Watchers(membership);
    this.storage = storage;
  }

  connect({ thread, memory, views }: Connection): void {
    this.reader.setPort(thread, views);
    this.writer.setLink(this.writer.newLink(thread, memory));
  }

  /** The shards of the empty database begin at other keys from now on. */
  repartition(partitioning: Partitioning): void {
    const { membership } = this;
    membership.partitioning = partitioning;
    membership.splits.splice(
      0,
      Number.POSITIVE_INFINITY,
      ...splitsOf(partitioning, membership.schema.key),
    );
  }

  /** @throws OMEN_CLOSED */
  throwIfClosed(): void {
    if (this.#closed !== null) throw this.#closed;
  }

  get isClosed(): boolean {
    return this.#closed !== null;
  }

  /** Aborted when the client closes: for what lasts. */
  get ending(): AbortSignal {
    return this.#ending.signal;
  }

  close(reason = 'The database was closed.'): void {
    if (this.#closed !== null) return;
    this.#closed = new OmenError('OMEN_CLOSED', `${reason} Open it again to use it.`);
    this.writer.close(this.#closed);
    this.reader.close(this.#closed);
    this.watchers.close(this.#closed);
    this.meter.close();
    this.#ending.abort(this.#closed);
  }
}
