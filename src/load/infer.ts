/**
 * Types of the fields of a text, inferred from a sample of its records. A type is as narrow as all values of
 * the sample allow: bool, int64, float64 or timestamp, else utf8. What has zeros before it (`007`) or a plus
 * is no number to whoever wrote it, and stays text.
 */
import type { ColumnType } from '../schema/schema.ts';
import { BARE, CsvRecords } from './csv.ts';
import { integerOf, numberOf, timeOfText } from './text-number.ts';
import type { ReadTime } from './time-format.ts';

/** A field of a source, and the column that takes what it holds. */
export interface InferredField {
  readonly name: string;
  /** Null: it is nested, and no column takes it. */
  readonly type: ColumnType | null;
  /** Whether some value is absent or null. */
  readonly nullable: boolean;
}

export interface Sample {
  readonly fields: readonly InferredField[];
  /** Rows that were looked at. */
  readonly rows: number;
}

const BOOL = /^(true|false|yes|no)$/i;
const NO_NUMBER = /^[+]|^-?0\d/;
const INT64_MAX = 2n ** 63n - 1n;

type Kind = 'bool' | 'int64' | 'float64' | 'timestamp' | 'utf8' | 'nested';

/** The narrowest type of a text. */
export function kindOfText(text: string, time: ReadTime = timeOfText): Kind {
  if (BOOL.test(text)) return 'bool';
  const bytes = Buffer.from(text, 'latin1');
  if (!NO_NUMBER.test(text)) {
    const whole = integerOf(bytes, 0, bytes.length);
    if (typeof whole === 'bigint') return isInt64(whole) ? 'int64' : 'utf8';
    if (whole !== undefined) return 'int64';
    if (numberOf(bytes, 0, bytes.length) !== undefined) return 'float64';
  }
  return time(text) === undefined ? 'utf8' : 'timestamp';
}

function isInt64(value: bigint): boolean {
  return value <= INT64_MAX && value >= -INT64_MAX - 1n;
}

/** The narrowest type of a value of JSON. */
function kindOfJson(value: unknown, time: ReadTime): Kind {
  if (typeof value === 'boolean') return 'bool';
  if (typeof value === 'number') return Number.isSafeInteger(value) ? 'int64' : 'float64';
  if (typeof value === 'string') return time(value) === undefined ? 'utf8' : 'timestamp';
  return 'nested';
}

/** What holds values of both. */
function widened(a: Kind | null, b: Kind): Kind {
  if (a === null || a === b) return b;
  if (a === 'nested' || b === 'nested') return 'nested';
  const areNumbers = (a === 'int64' || a === 'float64') && (b === 'int64' || b === 'float64');
  return areNumbers ? 'float64' : 'utf8';
}

class Field {
  readonly name: string;
  kind: Kind | null = null;
  /** Values so far, nulls not among them. */
  values = 0;

  constructor(name: string) {
    this.name = name;
  }

  add(kind: Kind): void {
    this.values++;
    this.kind = widened(this.kind, kind);
  }

  inferred(rows: number): InferredField {
    const { name, kind, values } = this;
    return { name, type: kind === 'nested' ? null : (kind ?? 'utf8'), nullable: values < rows };
  }
}

/**
 * @param header whether the first record names the fields, or their names; false: they are `field0` and so on
 * @param nulls values without quotes that are null
 * @param time tells what is a time
 */
export function inferCsv(
  bytes: Uint8Array,
  at: number,
  delimiter: number,
  header: boolean | readonly string[],
  nulls: readonly string[],
  time: ReadTime = timeOfText,
): Sample {
  const records = new CsvRecords(bytes, delimiter, at);
  let fields: Field[] | null =
    header === true || header === false ? null : header.map((name) => new Field(name));
  let rows = 0;
  while (records.next()) {
    if (fields === null) {
      const names = Array.from({ length: records.count }, (_, i) =>
        header === true ? records.text(i) : `field${i}`,
      );
      fields = names.map((name) => new Field(name));
      if (header === true) continue;
    }
    // One that is none is told when it is loaded.
    if (records.fault !== null || records.count !== fields.length) continue;
    rows++;
    for (const [i, field] of fields.entries()) {
      const text = records.text(i);
      if (records.kinds[i] === BARE && nulls.includes(text)) continue;
      // Once it is text, it stays so.
      field.add(field.kind === 'utf8' ? 'utf8' : kindOfText(text, time));
    }
  }
  return { fields: (fields ?? []).map((field) => field.inferred(rows)), rows };
}

/** @param text lines of JSON; those that are none are told when they are loaded */
export function inferJson(text: string, time: ReadTime = timeOfText): Sample {
  const fields = new Map<string, Field>();
  let rows = 0;
  for (const line of text.split('\n')) {
    if (line.trim() === '') continue;
    let object: unknown;
    try {
      object = JSON.parse(line);
    } catch {
      continue;
    }
    if (typeof object !== 'object' || object === null || Array.isArray(object)) continue;
    rows++;
    for (const [name, value] of Object.entries(object)) {
      const field = fields.get(name) ?? new Field(name);
      fields.set(name, field);
      if (value !== null) field.add(kindOfJson(value, time));
    }
  }
  return { fields: [...fields.values()].map((field) => field.inferred(rows)), rows };
}
