/**
 * What a source holds: its fields, and the types of a database that takes them. Of text a sample is looked
 * at, its beginning; Arrow says it by itself.
 */
import { OmenError } from '../errors.ts';
import { bytesOf, decompressed, peeked } from '../load/byte-stream.ts';
import { type InferredField, inferCsv, inferJson } from '../load/infer.ts';
import { inferArrow } from '../load/infer-arrow.ts';
import { delimiterOfBytes, formatOfBytes, type LoadFormat } from '../load/sniff.ts';
import { splitRecords } from '../load/split.ts';
import { timeOfText } from '../load/text-number.ts';
import { beginningOfText } from '../load/text-source.ts';
import { readTime } from '../load/time-format.ts';
import { EXPIRES_COLUMN, type KeyType } from '../schema/schema.ts';
import { realStorage } from '../storage/real.ts';
import { abortable } from './abortable.ts';
import {
  type LoadOptions,
  type LoadSettings,
  type LoadSource,
  parseLoadOptions,
} from './load-options.ts';
import { COMMA, openSources, TAB } from './load-source.ts';
import { throwIfAborted } from './scan.ts';

const EPOCHS = ['s', 'ms', 'us', 'ns'];
const SAMPLE_BYTES = 4 * 2 ** 20;
const MEMORY = 2 ** 30;

/** What was found out about a source. Plain data. */
export interface InferredSchema {
  /** The types of a database that takes it: options of `open`. */
  readonly key: string;
  readonly columns: Readonly<Record<string, string>>;
  /** Only where the source says when rows expire. */
  readonly ttl?: true;
  readonly format: LoadFormat;
  /** Of CSV and TSV, the character between two values. */
  readonly delimiter?: string;
  /** Every field of the source, in its order. */
  readonly fields: readonly InferredField[];
  /** Rows that were looked at; 0 where the source itself says what it holds. */
  readonly rows: number;
}

type Found = Omit<InferredSchema, 'key' | 'columns' | 'ttl'>;

/**
 * The fields of a source and their types, from its first megabytes. `const { key, columns } = await
 * inferSchema(path, { key: 'id' })` is what `open` needs to create a database that `bulkLoad(path, { key:
 * 'id' })` fills. Of several files the first is looked at; a stream is read from its beginning, not to its
 * end, and without a `format` its first bytes tell what it is.
 * @param options as of `bulkLoad`: `key` and `columns` say which fields are which
 * @throws OMEN_INVALID_OPTIONS, OMEN_INVALID_SOURCE, OMEN_MISSING_COLUMN, OMEN_ABORTED
 */
export async function inferSchema(
  source: LoadSource,
  options: LoadOptions = {},
): Promise<InferredSchema> {
  const settings = parseLoadOptions(options, MEMORY);
  throwIfAborted(settings.signal);
  const isStream = typeof source === 'object' && source !== null && Symbol.asyncIterator in source;
  if (isStream && settings.format === undefined) {
    return choose(await inferStream(abortableBy(source, settings), settings), settings);
  }
  const given = isStream ? abortableBy(source, settings) : source;
  const [opened] = openSources(realStorage, given, settings);
  const { name, format } = opened;
  if (format !== undefined && 'text' in opened) {
    return choose(await inferText(opened.text, format, settings), settings);
  }
  if (format !== undefined && 'schema' in opened && opened.schema !== undefined) {
    return choose({ format, fields: await opened.schema(), rows: 0 }, settings);
  }
  const message = `Types are inferred of files and of streams of bytes, not of ${name}.`;
  throw new OmenError('OMEN_INVALID_SOURCE', message);
}

/** A stream that may hang: who waits for its beginning may give up. */
function abortableBy(
  source: AsyncIterable<unknown>,
  { signal }: LoadSettings,
): AsyncIterable<unknown> {
  return signal === undefined ? source : abortable(source, signal);
}

async function inferStream(source: AsyncIterable<unknown>, settings: LoadSettings): Promise<Found> {
  const { head, whole } = await peeked(decompressed(bytesOf(source), 'the source'));
  const format = formatOfBytes(head);
  if (format === undefined || format === 'parquet') {
    await whole.return(undefined);
    const message =
      format === 'parquet'
        ? 'Parquet says at its end what it holds: give the path of a file, not a stream.'
        : 'The first bytes of the source do not tell what it is: say so with the option "format".';
    throw new OmenError('OMEN_INVALID_SOURCE', message);
  }
  if (format !== 'arrow') return inferText(whole, format, settings);
  const { readSchema } = await import('../arrow/batch-reader.ts');
  return { format, fields: inferArrow(await readSchema(whole, 'the source')), rows: 0 };
}

async function inferText(
  text: AsyncIterable<Uint8Array>,
  format: LoadFormat,
  settings: LoadSettings,
): Promise<Found> {
  const { header, nulls, timestamps } = settings;
  // Numbers are taken for numbers, unless a column is named.
  const isPattern = typeof timestamps === 'string' && !EPOCHS.includes(timestamps);
  const time = isPattern ? readTime(timestamps) : timeOfText;
  const isCsv = format !== 'ndjson';
  const rule = { delimiter: isCsv ? (settings.delimiter ?? COMMA) : null };
  for await (const { bytes } of splitRecords(text, rule, SAMPLE_BYTES)) {
    const at = beginningOfText(bytes);
    if (!isCsv) {
      const sample = inferJson(Buffer.from(bytes.slice(at)).toString('utf8'), time);
      return { format, ...sample };
    }
    const given = settings.delimiter ?? (format === 'tsv' ? TAB : delimiterOfBytes(bytes));
    const delimiter = String.fromCharCode(given);
    return { format, delimiter, ...inferCsv(bytes, at, given, header, nulls, time) };
  }
  return { format, fields: [], rows: 0 };
}

/** Which fields are the key and the columns, as `placesOf` chooses them. */
function choose(found: Found, { mapping, header, timestamps }: LoadSettings): InferredSchema {
  const { fields } = found;
  const isOrdered = header === false && mapping.columns === undefined && mapping.key === undefined;
  const fieldOf = (field: string | number): InferredField => {
    const one = typeof field === 'number' ? fields[field] : fields.find((f) => f.name === field);
    if (one !== undefined) return one;
    const names = fields.map(({ name }) => JSON.stringify(name)).join(', ') || 'no fields';
    const message = `There is no field ${JSON.stringify(field)}; the source has ${names}. Name the key's with the option "key".`;
    throw new OmenError('OMEN_MISSING_COLUMN', message);
  };
  const key = fieldOf(mapping.key ?? (isOrdered ? 0 : 'key'));
  const named: (readonly [string, InferredField])[] =
    mapping.columns === undefined
      ? fields.filter((field) => field !== key).map((field) => [field.name, field])
      : Object.entries(mapping.columns).map(([name, field]) => [name, fieldOf(field)]);
  const own = named.filter(([name]) => name !== EXPIRES_COLUMN);
  const isTime = (name: string) =>
    typeof timestamps === 'object' && Object.hasOwn(timestamps, name);
  const columns = own.map(([name, field]) => [
    name,
    columnOf(isTime(name) ? { ...field, type: 'timestamp' } : field),
  ]);
  const ending = own.length < named.length ? { ttl: true as const } : {};
  const keyType = isTime('key') ? 'timestamp' : keyTypeOf(key);
  return { key: keyType, columns: Object.fromEntries(columns), ...ending, ...found };
}

/** @throws OMEN_INVALID_SOURCE */
function columnOf({ name, type, nullable }: InferredField): string {
  if (type !== null) return nullable ? `${type}?` : type;
  const message = `The field ${JSON.stringify(name)} is nested, and no column takes it. Name the fields to load with the option "columns".`;
  throw new OmenError('OMEN_INVALID_SOURCE', message);
}

/** @throws OMEN_INVALID_SOURCE */
function keyTypeOf({ name, type }: InferredField): KeyType {
  if (type === 'int32') return 'int64';
  if (type === 'float32') return 'float64';
  if (type !== 'bool' && type !== null) return type;
  const what = type === null ? 'nested' : 'true or false';
  const message = `The field ${JSON.stringify(name)} is ${what}, which is no key. Name another field.`;
  throw new OmenError('OMEN_INVALID_SOURCE', message);
}
