/** Heads and footers that are flatbuffers, and say what no file of ours says. */
import test from 'ava';
import { checkTail, decodeHead, sameFields } from '../../src/arrow/decode-metadata.ts';
import { type Batch, encodeHead, encodeTail } from '../../src/arrow/encode-metadata.ts';
import {
  FIELD,
  FOOTER,
  KEY_VALUE,
  MAGIC_BYTES,
  MESSAGE,
  PREFIX_BYTES,
  RECORD_BATCH,
  SCHEMA,
} from '../../src/arrow/format.ts';
import { BODY_BYTES_MAX, type Field, layoutFields, listBuffers } from '../../src/arrow/layout.ts';

const FIELDS: Field[] = [
  { name: 'key', type: 'timestamp', nullable: false },
  { name: 'text', type: 'utf8', nullable: true },
  { name: 'number', type: 'float64', nullable: true },
];
const BATCH: Batch = {
  fields: FIELDS,
  layout: layoutFields(FIELDS, 10, [0, 33, 0]),
  nullCounts: [0, 3, 10],
  metadata: { one: '1', two: '2' },
};

/** The first message starts here, the second at `batchOffset`. */
const SCHEMA_MESSAGE = MAGIC_BYTES;
const PATH = 'segment.arrow';

interface Changes {
  readonly batch?: Partial<Batch>;
  /** Changes the head's bytes; tables are found with at() and follow(). */
  readonly patch?: (view: DataView, batchOffset: number) => void;
  readonly fileBytes?: number;
}

function decode({ batch, patch, fileBytes }: Changes = {}) {
  const whole = { ...BATCH, ...batch };
  const { head, batchOffset } = encodeHead(whole);
  patch?.(new DataView(head.buffer), batchOffset);
  const total = fileBytes ?? head.length + whole.layout.bodyBytes + 500;
  return decodeHead(PATH, total, (end) => {
    if (end > total) throw new Error(`${end} of ${total} bytes are asked for`);
    if (end <= head.length) return head;
    const longer = new Uint8Array(end);
    longer.set(head);
    return longer;
  });
}

/** Where the offset at `position` leads. */
const follow = (view: DataView, position: number): number =>
  position + view.getUint32(position, true);
const vtable = (view: DataView, table: number): number => table - view.getInt32(table, true);
/** Where the field in `slot` of a table stands. */
const at = (view: DataView, table: number, slot: number): number =>
  table + view.getUint16(vtable(view, table) + 4 + 2 * slot, true);
const child = (view: DataView, table: number, slot: number): number =>
  follow(view, at(view, table, slot));
const message = (view: DataView, start: number): number => follow(view, start + PREFIX_BYTES);
const header = (view: DataView, start: number): number =>
  child(view, message(view, start), MESSAGE.header);
/** Makes `slot` of a table point where slot `other` does; without `other`, leaves it out. */
function alias(view: DataView, table: number, slot: number, other?: number): void {
  const entry = vtable(view, table) + 4;
  const offset = other === undefined ? 0 : view.getUint16(entry + 2 * other, true);
  view.setUint16(entry + 2 * slot, offset, true);
}

function firstField(view: DataView): number {
  const fields = child(view, header(view, SCHEMA_MESSAGE), SCHEMA.fields);
  return follow(view, fields + 4);
}

test('what was encoded is decoded', (t) => {
  const head = decode();
  t.deepEqual(head.fields, FIELDS);
  t.deepEqual([...head.metadata], Object.entries(BATCH.metadata));
  t.is(head.rows, 10);
  t.deepEqual(head.nullCounts, BATCH.nullCounts);
  t.deepEqual(head.buffers, listBuffers(BATCH.layout));
  t.is(head.bodyBytes, BATCH.layout.bodyBytes);
});

type Wrong = [what: string, message: RegExp, changes: Changes];
const patched = (what: string, message: RegExp, patch: Changes['patch']): Wrong => [
  what,
  message,
  { patch },
];

const WRONG_HEADS: Wrong[] = [
  ['of seven bytes', /byte 7: the file is too short/, { fileBytes: 7 }],
  ['of the magic alone', /byte 8: the file ends within a message/, { fileBytes: 8 }],
  ['cut off in a message', /byte 8: no message starts here/, { fileBytes: 100 }],
  patched('with another magic', /byte 0: it does not start/, (view) => view.setUint8(3, 0)),
  patched('with another padding', /byte 0: it does not start/, (view) => view.setUint8(7, 1)),
  patched('without continuation', /byte 8: no message/, (view) => view.setUint32(8, 0, true)),
  patched('of a misaligned message', /byte 8: no message/, (view) => view.setUint32(12, 12, true)),
  patched('with an endless message', /byte 8: no message/, (view) =>
    view.setUint32(12, 2 ** 31, true),
  ),
  patched('of another version', /not of the expected kind/, (view) => {
    view.setInt16(at(view, message(view, SCHEMA_MESSAGE), MESSAGE.version), 3, true);
  }),
  patched(
    'that begins with no schema',
    /byte 16: a message is not of the expected kind/,
    (view) => {
      view.setUint8(at(view, message(view, SCHEMA_MESSAGE), MESSAGE.headerType), 3);
    },
  ),
  patched('without a header', /not of the expected kind/, (view) => {
    alias(view, message(view, SCHEMA_MESSAGE), MESSAGE.header);
  }),
  patched('with dictionaries', /not of the expected kind/, (view, batchOffset) => {
    view.setUint8(at(view, message(view, batchOffset), MESSAGE.headerType), 2);
  }),
  patched('of a schema with a body', /byte 8: the schema has a body/, (view, batchOffset) => {
    // The record batch's message in the place of the schema's, and said to be a schema.
    const bytes = new Uint8Array(view.buffer);
    bytes.copyWithin(SCHEMA_MESSAGE, batchOffset);
    view.setUint8(at(view, message(view, SCHEMA_MESSAGE), MESSAGE.headerType), 1);
  }),
  patched('of big-endian numbers', /big-endian/, (view) => {
    alias(view, header(view, SCHEMA_MESSAGE), SCHEMA.endianness, SCHEMA.fields);
  }),
  patched('with a field of no type', /a field has no type/, (view) => {
    alias(view, firstField(view), FIELD.type);
  }),
  patched('with a dictionary', /a field has a dictionary/, (view) => {
    alias(view, firstField(view), FIELD.dictionary, FIELD.type);
  }),
  patched('with children', /a list of 1 in the metadata/, (view) => {
    view.setUint32(child(view, firstField(view), FIELD.children), 1, true);
  }),
  patched('of more fields than any', /a list of 5000 in the metadata/, (view) => {
    view.setUint32(child(view, header(view, SCHEMA_MESSAGE), SCHEMA.fields), 5000, true);
  }),
  patched('with a key twice', /metadata has a key twice/, (view) => {
    const pairs = child(view, header(view, SCHEMA_MESSAGE), SCHEMA.customMetadata);
    const first = follow(view, pairs + 4);
    view.setUint32(pairs + 8, first - pairs - 8, true);
  }),
  patched('with a key that is not text', /not UTF-8/, (view) => {
    const pairs = child(view, header(view, SCHEMA_MESSAGE), SCHEMA.customMetadata);
    view.setUint8(child(view, follow(view, pairs + 4), KEY_VALUE.key) + 4, 0xc0);
  }),
  patched('of too few nodes', /a list of 2 where 3 belong/, (view, batchOffset) => {
    view.setUint32(child(view, header(view, batchOffset), RECORD_BATCH.nodes), 2, true);
  }),
  patched('of too few buffers', /a list of 6 where 7 belong/, (view, batchOffset) => {
    view.setUint32(child(view, header(view, batchOffset), RECORD_BATCH.buffers), 6, true);
  }),
  patched('with a column of fewer rows', /field 1 has 9 rows/, (view, batchOffset) => {
    const nodes = child(view, header(view, batchOffset), RECORD_BATCH.nodes);
    view.setUint32(nodes + 4 + 16, 9, true);
  }),
  patched('with a buffer of negative length', /a length in the metadata/, (view, batchOffset) => {
    const buffers = child(view, header(view, batchOffset), RECORD_BATCH.buffers);
    view.setBigInt64(buffers + 4 + 8, -1n, true);
  }),
  patched('of more rows than a body holds', /rows in one record batch/, (view, batchOffset) => {
    const position = at(view, header(view, batchOffset), RECORD_BATCH.length);
    view.setBigInt64(position, BigInt(BODY_BYTES_MAX) + 1n, true);
  }),
  [
    'with nulls where none may be',
    /field 0 has 10 rows and 1/,
    { batch: { nullCounts: [1, 0, 0] } },
  ],
  [
    'with more nulls than rows',
    /field 2 has 10 rows and 11/,
    { batch: { nullCounts: [0, 0, 11] } },
  ],
  [
    'of a body that is too long',
    /a body of 2147483648 bytes/,
    { batch: { layout: { ...BATCH.layout, bodyBytes: 2 ** 31 } } },
  ],
  [
    'of a body that is not padded',
    /a body of 72 bytes/,
    { batch: { layout: { ...BATCH.layout, bodyBytes: 72 } } },
  ],
  ['with too much behind the body', /byte 1152: \d+ bytes follow the body/, { fileBytes: 2 ** 30 }],
  ['of a body beyond the file', /a body of 512 bytes/, { fileBytes: 1100 }],
];

for (const [what, expected, changes] of WRONG_HEADS) {
  test(`a file ${what} is refused for that`, (t) => {
    t.throws(() => decode(changes), { code: 'OMEN_CORRUPT', message: expected });
  });
}

interface TailChanges {
  readonly batch?: Partial<Batch>;
  readonly start?: { head?: Uint8Array; batchOffset?: number };
  /** Changes the tail's bytes; `footer` is its root table. */
  readonly patch?: (view: DataView, footer: number) => void;
  readonly cut?: number;
}

function check({ batch, start, patch, cut }: TailChanges = {}): void {
  const tail = encodeTail({ ...BATCH, ...batch }, { ...encodeHead(BATCH), ...start });
  const view = new DataView(tail.buffer);
  patch?.(view, follow(view, 8));
  checkTail(PATH, decode(), tail.subarray(0, cut));
}

const longer = layoutFields(FIELDS, 10, [0, 333, 0]);
const contradicts = /the footer contradicts/;
const WRONG_TAILS: [what: string, message: RegExp, changes: TailChanges][] = [
  ['that is cut off', /the file ends within its footer/, { cut: 17 }],
  ['cut short', /does not end as an Arrow file/, { cut: 100 }],
  ['without end of stream', /the body does not end here/, { patch: (v) => v.setUint8(0, 0) }],
  ['with something in between', /the body does not end here/, { patch: (v) => v.setUint8(4, 8) }],
  [
    'with another length',
    /does not end as an Arrow file/,
    { patch: (v) => v.setUint32(v.byteLength - 10, v.byteLength, true) },
  ],
  [
    'with another magic',
    /does not end as an Arrow file/,
    { patch: (v) => v.setUint8(v.byteLength - 1, 0x32) },
  ],
  [
    'of another version',
    contradicts,
    { patch: (v, f) => v.setInt16(at(v, f, FOOTER.version), 3, true) },
  ],
  ['without a schema', contradicts, { patch: (v, f) => alias(v, f, FOOTER.schema) }],
  ['without a batch', contradicts, { patch: (v, f) => alias(v, f, FOOTER.recordBatches) }],
  [
    'with a dictionary',
    /a list of 1 in the metadata/,
    { patch: (v, f) => alias(v, f, FOOTER.dictionaries, FOOTER.recordBatches) },
  ],
  [
    'of two batches',
    /a list of 2 in the metadata/,
    { patch: (v, f) => v.setUint32(child(v, f, FOOTER.recordBatches), 2, true) },
  ],
  ['with less metadata', contradicts, { batch: { metadata: { one: '1' } } }],
  ['with other metadata', contradicts, { batch: { metadata: { one: '1', two: '3' } } }],
  ['with other fields', contradicts, { batch: { fields: FIELDS.toReversed() } }],
  ['with fewer fields', contradicts, { batch: { fields: FIELDS.slice(1) } }],
  ['of another body', contradicts, { batch: { layout: longer } }],
  ['of another batch', contradicts, { start: { batchOffset: 64 } }],
  ['with another length of metadata', contradicts, { start: { head: new Uint8Array(1024) } }],
];

test('a tail that agrees with the head is accepted', (t) => {
  t.notThrows(() => check());
});

for (const [what, expected, changes] of WRONG_TAILS) {
  test(`a footer ${what} is refused for that`, (t) => {
    t.throws(() => check(changes), { code: 'OMEN_CORRUPT', message: expected });
  });
}

test('fields are the same when name, type and nullability are', (t) => {
  const [first, ...others] = FIELDS;
  t.true(sameFields(FIELDS, structuredClone(FIELDS)));
  t.false(sameFields(FIELDS, others));
  t.false(sameFields(FIELDS, [{ ...first, name: 'other' }, ...others]));
  t.false(sameFields(FIELDS, [{ ...first, type: 'int64' }, ...others]));
  t.false(sameFields(FIELDS, [{ ...first, nullable: true }, ...others]));
});
