/** Record batches as CSV or as lines of JSON, a batch at a time. */
import type { RecordBatch } from 'apache-arrow';
import { cellWriter, type TextStyle, type WriteCell, writeCsvText } from './cells.ts';
import type { BatchEncoder } from './encoder.ts';
import type { ExportField } from './field.ts';
import { TextOutput } from './text-output.ts';

const NEWLINE = 10;
const QUOTE = 34;

/** The cells of a batch, a writer for each field. */
function writersOf(
  fields: readonly ExportField[],
  style: TextStyle,
  batch: RecordBatch,
): readonly WriteCell[] {
  return fields.map((field, i) => cellWriter(field, style, batch.data.children[i]));
}

/** RFC 4180, with LF at the end of every record. */
export class CsvEncoder implements BatchEncoder {
  readonly #fields: readonly ExportField[];
  readonly #style: Extract<TextStyle, { kind: 'csv' }>;
  readonly #output = new TextOutput();

  /** @param delimiter the byte between two values */
  constructor(fields: readonly ExportField[], delimiter: number, hasHeader: boolean) {
    this.#fields = fields;
    this.#style = { kind: 'csv', delimiter };
    if (hasHeader) this.#writeHeader(delimiter);
  }

  #writeHeader(delimiter: number): void {
    const output = this.#output;
    for (const [i, { name }] of this.#fields.entries()) {
      output.room(1);
      if (i > 0) output.bytes[output.at++] = delimiter;
      const bytes = Buffer.from(name);
      writeCsvText(bytes, 0, bytes.length, delimiter, output);
    }
    this.#endRecord();
  }

  #endRecord(): void {
    const output = this.#output;
    output.room(1);
    output.bytes[output.at++] = NEWLINE;
  }

  encode(batch: RecordBatch): Uint8Array {
    const output = this.#output;
    const { delimiter } = this.#style;
    const writers = writersOf(this.#fields, this.#style, batch);
    const { numRows } = batch;
    for (let row = 0; row < numRows; row++) {
      const begin = output.at;
      for (let i = 0; i < writers.length; i++) {
        output.room(1);
        if (i > 0) output.bytes[output.at++] = delimiter;
        writers[i](row, output);
      }
      // An empty line would be no record.
      if (output.at === begin) {
        output.room(2);
        output.bytes[output.at++] = QUOTE;
        output.bytes[output.at++] = QUOTE;
      }
      this.#endRecord();
    }
    return output.take();
  }

  finish(): Uint8Array {
    return this.#output.take();
  }
}

/** An object a line, with all fields in their order. */
export class NdjsonEncoder implements BatchEncoder {
  readonly #fields: readonly ExportField[];
  readonly #names: readonly Uint8Array[];
  readonly #output = new TextOutput();

  constructor(fields: readonly ExportField[]) {
    this.#fields = fields;
    this.#names = fields.map(({ name }, i) =>
      Buffer.from(`${i === 0 ? '{' : ','}${JSON.stringify(name)}:`),
    );
  }

  encode(batch: RecordBatch): Uint8Array {
    const output = this.#output;
    const names = this.#names;
    const namesBytes = names.reduce((sum, { length }) => sum + length, 2);
    const writers = writersOf(this.#fields, { kind: 'json' }, batch);
    const { numRows } = batch;
    for (let row = 0; row < numRows; row++) {
      for (let i = 0; i < writers.length; i++) {
        output.room(namesBytes);
        const { bytes } = output;
        const name = names[i];
        for (let j = 0; j < name.length; j++) bytes[output.at++] = name[j];
        writers[i](row, output);
      }
      output.room(2);
      output.bytes[output.at++] = 125; // }
      output.bytes[output.at++] = NEWLINE;
    }
    return output.take();
  }

  finish(): Uint8Array {
    return this.#output.take();
  }
}
