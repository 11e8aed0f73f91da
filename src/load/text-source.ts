/**
 * A source of text as blocks to be parsed: what its records look like is found out from its beginning, a
 * header where there is one, and how to read them is said once for all blocks.
 */
import { OmenError } from '../errors.ts';
import { ownColumns, type Schema } from '../schema/schema.ts';
import { CsvRecords } from './csv.ts';
import type { TextFormat, Times } from './parse.ts';
import { type Mapping, placesOf } from './record-batch.ts';
import { type Block, lengthOfMark, splitRecords } from './split.ts';

/** How a text is written, as a caller says it. */
export interface TextRules {
  readonly kind: 'csv' | 'ndjson';
  /** The byte between two values of CSV. */
  readonly delimiter: number;
  /** Whether the first record names the fields; or their names. */
  readonly header: boolean | readonly string[];
  readonly nulls: readonly string[];
  readonly mapping: Mapping;
  /** Of all times of the source, or by the names of columns and "key"; left out: as is usual. */
  readonly times?: string | Times | undefined;
}

/** A block, and how to read it. */
export interface TextBlock extends Block {
  readonly format: TextFormat;
  /** Where in it the first row begins, and how many lines come before. */
  readonly at: number;
  readonly linesBefore: number;
}

/**
 * Where a text begins in its bytes: behind a byte order mark.
 * @throws OMEN_INVALID_SOURCE for that of UTF-16
 */
export function beginningOfText(bytes: Uint8Array): number {
  const [first, second] = bytes;
  if ((first === 0xff && second === 0xfe) || (first === 0xfe && second === 0xff)) {
    const message = 'The source is UTF-16: have it converted to UTF-8, as by iconv.';
    throw new OmenError('OMEN_INVALID_SOURCE', message);
  }
  return lengthOfMark(bytes);
}

/** @throws OMEN_UNKNOWN_COLUMN, OMEN_MISSING_COLUMN, OMEN_INVALID_SOURCE, what `splitRecords` throws */
export async function* textBlocks(
  schema: Schema,
  stream: AsyncIterable<Uint8Array>,
  rules: TextRules,
  blockBytes: number,
): AsyncGenerator<TextBlock, undefined, undefined> {
  const rule = { delimiter: rules.kind === 'csv' ? rules.delimiter : null };
  let format: TextFormat | null = null;
  for await (const block of splitRecords(stream, rule, blockBytes)) {
    let at = 0;
    let linesBefore = 0;
    if (format === null) {
      at = beginningOfText(block.bytes);
      if (rules.kind === 'ndjson') {
        format = { kind: 'ndjson', mapping: rules.mapping, times: timesOf(schema, rules.times) };
      } else {
        const records = new CsvRecords(block.bytes, rules.delimiter, at);
        // Of nothing but empty lines there is nothing to say.
        if (!records.next()) continue;
        format = formatOf(schema, records, rules);
        if (rules.header === true) [at, linesBefore] = [records.at, records.lines];
      }
    }
    yield { ...block, format, at, linesBefore };
  }
}

function formatOf(schema: Schema, first: CsvRecords, rules: TextRules): TextFormat {
  const { header, mapping, delimiter, nulls } = rules;
  const fields = first.count;
  let names: readonly string[];
  if (header === true) names = Array.from({ length: fields }, (_, i) => first.text(i));
  else if (header !== false) names = header;
  else if (mapping.columns !== undefined) names = Array.from({ length: fields }, () => '');
  // Without any names, in the order of the database: the key, then its columns.
  else names = ['key', ...ownColumns(schema).map(({ name }) => name)];
  const places = placesOf(schema, names, mapping);
  return {
    kind: 'csv',
    delimiter,
    fields: names.length,
    places,
    nulls,
    times: timesOf(schema, rules.times),
  };
}

/**
 * The formats of times by the names of columns and "key".
 * @throws OMEN_UNKNOWN_COLUMN; OMEN_INVALID_OPTIONS for a column that is no timestamp
 */
function timesOf(schema: Schema, times: string | Times | undefined): Times {
  const fields = [{ name: 'key', type: schema.key }, ...ownColumns(schema)];
  if (times === undefined) return {};
  if (typeof times === 'string') {
    const own = fields.filter(({ type }) => type === 'timestamp');
    return Object.fromEntries(own.map(({ name }) => [name, times]));
  }
  for (const name of Object.keys(times)) {
    const field = fields.find((one) => one.name === name);
    if (field === undefined) {
      const message = `There is no column ${JSON.stringify(name)} to read times for.`;
      throw new OmenError('OMEN_UNKNOWN_COLUMN', message);
    }
    if (field.type === 'timestamp') continue;
    const message = `${JSON.stringify(name)} is ${field.type}, and no timestamp: it has no format of times.`;
    throw new OmenError('OMEN_INVALID_OPTIONS', message);
  }
  return times;
}
