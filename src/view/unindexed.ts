/** Rows in the form of a segment that have no index: they can be merged and copied, and not looked up. */
import type { SegmentLayout } from '../arrow/layout.ts';
import type { Model } from '../rmi/index.ts';
import type { KeyForm, SegmentHandle } from './segment.ts';

const NO_INDEX = {
  epsilon: 0,
  windowMax: 0,
  leafCount: 0,
  depth: 0,
  cells: new Uint32Array(new SharedArrayBuffer(8)),
  nodes: new Float64Array(new SharedArrayBuffer(32)),
  code: new Uint16Array(new SharedArrayBuffer(0)),
  fingerprints: new Uint8Array(new SharedArrayBuffer(64)),
};

/** Rows as a segment without an index: nothing may be looked up in it. */
export function unindexed(
  form: KeyForm,
  layout: SegmentLayout,
  body: SharedArrayBuffer,
): SegmentHandle {
  const model: Model = { ...NO_INDEX, form, keyCount: layout.rows };
  const statistics = new Float64Array(0);
  return { id: 0, body, layout, form, model, statistics, fileBytes: 0, modelBytes: 0 };
}
