/**
 * What keys and rows are given as, and given back as. Text and bytes are stored alike, keys in the same
 * order: so what was written as bytes can be read as the text that it is, straight from where it lies.
 */
import { KeyCodec } from '../schema/key.ts';
import type { Schema } from '../schema/schema.ts';
import { compileReaders, type RowReaders } from '../view/shard-view.ts';

export interface Coding {
  readonly key: KeyCodec;
  readonly readers: RowReaders;
}

/** The same with text for what is bytes. Keys may still be given as bytes, where those are no text. */
export function textCoding({ key, readers }: Coding): Coding {
  const schema = textSchema(readers.schema);
  return {
    key: new KeyCodec(schema.key, key.bigints, key.type === 'binary'),
    readers: compileReaders(schema, key.bigints),
  };
}

function textSchema(schema: Schema): Schema {
  const { key, columns, value } = schema;
  return {
    ...schema,
    key: key === 'binary' ? 'utf8' : key,
    columns: columns.map((column) =>
      column.type === 'binary' ? { ...column, type: 'utf8' } : column,
    ),
    value: value === 'binary' ? 'utf8' : value,
  };
}
