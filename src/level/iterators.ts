/** The iterators of abstract-level, of entries, keys and values. Each hands its steps on to `LevelRows`. */
import {
  AbstractIterator,
  type AbstractIteratorOptions,
  AbstractKeyIterator,
  type AbstractKeyIteratorOptions,
  AbstractValueIterator,
  type AbstractValueIteratorOptions,
} from 'abstract-level';
import { type Data, dataOf } from './data.ts';
import { type Counted, type Instant, type IteratorOptions, LevelRows, type Steps } from './rows.ts';
import { Walk, type Walked } from './walk.ts';

type Entry = [key: Data | undefined, value: Data | undefined];
type StepsOf<Item> = (instant: Instant, counted: Counted, options: IteratorOptions) => Steps<Item>;

/** Text is decoded where it lies; everything else comes as bytes, and is a copy already. */
const entrySteps: StepsOf<Entry> = (instant, counted, options) => {
  const { keyEncoding, valueEncoding } = options;
  if (options.values === false)
    return keySteps((key): Entry => [key, undefined])(instant, counted, options);
  if (options.keys === false)
    return valueSteps((value): Entry => [undefined, value])(instant, counted, options);
  if (keyEncoding === 'utf8' && valueEncoding === 'utf8') {
    return new LevelRows(instant, counted, options, {
      rows: (snapshot, range) => snapshot.text().entries(range),
      item: (row): Entry => row,
    });
  }
  return new LevelRows(instant, counted, options, {
    rows: (snapshot, range) => snapshot.entries(range),
    item: (row): Entry => [dataOf(row[0], keyEncoding), dataOf(row[1], valueEncoding)],
  });
};

/** Keys, or what `item` makes of them. */
function keySteps<Item>(item: (key: Data) => Item): StepsOf<Item> {
  return (instant, counted, options) => {
    const { keyEncoding } = options;
    if (keyEncoding === 'utf8') {
      return new LevelRows(instant, counted, options, {
        rows: (snapshot, range) => snapshot.text().keys(range),
        item,
      });
    }
    return new LevelRows(instant, counted, options, {
      rows: (snapshot, range) => snapshot.keys(range),
      item: (key) => item(dataOf(key, keyEncoding)),
    });
  };
}

/** Values, or what `item` makes of them. */
function valueSteps<Item>(item: (value: Data) => Item): StepsOf<Item> {
  return (instant, counted, options) => {
    const { valueEncoding } = options;
    if (valueEncoding === 'utf8') {
      return new LevelRows(instant, counted, options, {
        rows: (snapshot, range) => snapshot.text().values(range),
        item,
      });
    }
    return new LevelRows(instant, counted, options, {
      rows: (snapshot, range) => snapshot.values(range),
      item: (value) => item(dataOf(value, valueEncoding)),
    });
  };
}

const itself = (data: Data): Data => data;

/** abstract-level's own classes see of the options what they declare, among more. */
export class EntryIterator<TDatabase, K, V> extends AbstractIterator<TDatabase, K, V> {
  readonly rows: Steps<Entry>;

  constructor(db: TDatabase, options: IteratorOptions, instant: Instant) {
    super(db, options as object as AbstractIteratorOptions<K, V>);
    this.rows = entrySteps(instant, this, options);
  }
}

export class KeyIterator<TDatabase, K> extends AbstractKeyIterator<TDatabase, K> {
  readonly rows: Steps<Data>;

  constructor(db: TDatabase, options: IteratorOptions, instant: Instant) {
    super(db, options as object as AbstractKeyIteratorOptions<K>);
    this.rows = keySteps(itself)(instant, this, options);
  }
}

export class ValueIterator<TDatabase, K, V> extends AbstractValueIterator<TDatabase, K, V> {
  readonly rows: Steps<Data>;

  constructor(db: TDatabase, options: IteratorOptions, instant: Instant) {
    super(db, options as object as AbstractValueIteratorOptions<K, V>);
    this.rows = valueSteps(itself)(instant, this, options);
  }
}

/** What abstract-level calls, whose own methods check, decode, count and close; and `for await`. */
const FORWARDED = {
  _next(this: { rows: Steps<unknown> }) {
    return this.rows.next();
  },
  _nextv(this: { rows: Steps<unknown> }, size: number) {
    return this.rows.nextv(size);
  },
  _all(this: { rows: Steps<unknown> }) {
    return this.rows.all();
  },
  _seek(this: { rows: Steps<unknown> }, target: Data) {
    this.rows.seek(target);
  },
  _close(this: { rows: Steps<unknown> }) {
    this.rows.close();
  },
  [Symbol.asyncIterator](this: Walked<unknown>) {
    return new Walk(this);
  },
};

for (const { prototype } of [EntryIterator, KeyIterator, ValueIterator]) {
  Object.assign(prototype, FORWARDED);
}
