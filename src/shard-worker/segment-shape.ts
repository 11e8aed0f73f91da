/**
 * What a segment is, in numbers: how its file is laid out, and which records of the log it holds. The
 * manifest knows most of it; all of it stands in the model file too, for salvage, which may have to do
 * without the manifest, or without the head of the segment's own file.
 */
import { placeSegment, type SegmentLayout } from '../arrow/layout.ts';
import type { Schema } from '../schema/schema.ts';
import type { KeyForm } from '../view/segment.ts';

/** The records of the log that are in the segments of a run. */
export interface Span {
  readonly firstLsn: number;
  readonly lastLsn: number;
}

/** From the first record to the last of several spans. */
export function spanOf(spans: readonly Span[]): Span {
  const firstLsn = Math.min(...spans.map((span) => span.firstLsn));
  const lastLsn = Math.max(...spans.map((span) => span.lastLsn));
  return { firstLsn, lastLsn };
}

/** Where a segment comes from: a job wrote `parts` of them, this is number `part`, from 0. */
export interface Lineage extends Span {
  /** The number of the first of them. */
  readonly run: number;
  readonly part: number;
  readonly parts: number;
}

export interface SegmentShape extends Lineage {
  readonly rows: number;
  readonly form: KeyForm;
  readonly fileBytes: number;
  /** Where the body starts in the file. */
  readonly bodyOffset: number;
  readonly hasFlags: boolean;
  readonly keyBytes: number;
  /** Of each column: what its values take where they differ in length, else 0. */
  readonly varBytes: readonly number[];
}

export const KEY_FORMS: readonly KeyForm[] = ['f64', 'words', 'bytes'];

export function shapeOf(
  of: Lineage & Pick<SegmentShape, 'form' | 'fileBytes'>,
  layout: SegmentLayout,
  bodyOffset: number,
): SegmentShape {
  const { rows, key, columns, flags } = layout;
  const { form, fileBytes, firstLsn, lastLsn, run, part, parts } = of;
  return {
    ...{ rows, form, fileBytes, bodyOffset, firstLsn, lastLsn, run, part, parts },
    hasFlags: flags !== null,
    keyBytes: key.offsets === null ? 0 : key.data.length,
    varBytes: columns.map(({ offsets, data }) => (offsets === null ? 0 : data.length)),
  };
}

export function layoutOf(schema: Schema, shape: SegmentShape): SegmentLayout {
  return placeSegment(schema, shape.rows, shape.varBytes, shape.hasFlags, shape.keyBytes);
}

export function encodeShape(shape: SegmentShape): Float64Array {
  const { rows, form, fileBytes, bodyOffset, hasFlags, keyBytes, varBytes } = shape;
  const { firstLsn, lastLsn, run, part, parts } = shape;
  return Float64Array.of(
    rows,
    KEY_FORMS.indexOf(form),
    fileBytes,
    bodyOffset,
    hasFlags ? 1 : 0,
    firstLsn,
    lastLsn,
    run,
    part,
    parts,
    keyBytes,
    ...varBytes,
  );
}

/** What `encodeShape` made; null for anything else. */
export function decodeShape(schema: Schema, numbers: Float64Array): SegmentShape | null {
  const [rows, form, fileBytes, bodyOffset, hasFlags, ...others] = numbers;
  const [firstLsn, lastLsn, run, part, parts, keyBytes, ...varBytes] = others;
  const areCounts = numbers.every((number) => Number.isSafeInteger(number) && number >= 0);
  if (!areCounts || varBytes.length !== schema.columns.length || !(form in KEY_FORMS)) return null;
  return {
    ...{ rows, fileBytes, bodyOffset, firstLsn, lastLsn, run, part, parts, keyBytes, varBytes },
    form: KEY_FORMS[form],
    hasFlags: hasFlags === 1,
  };
}
