/** The learned index: training, look-ups, and the check of a model read back. */
export { BytesIndex } from './bytes-index.ts';
export { checkModel } from './check.ts';
export {
  bytesReadsOf,
  candidatesOf,
  type Descent,
  descendBytes,
  descendF64,
  descendWords,
  type PathNode,
  readsOf,
  windowOf,
} from './explain.ts';
export { type Beside, F64Index } from './f64-index.ts';
export { WINDOW as FINGERPRINT_WINDOW } from './fingerprints.ts';
export { type KeyForm, type Model, modelBytes } from './model.ts';
export { trainBytes, trainF64, trainWords } from './train.ts';
export { WordIndex } from './word-index.ts';
