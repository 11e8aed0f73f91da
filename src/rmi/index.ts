/** The learned index for fixed-width keys: training, look-ups, and the check of a model read back. */
export { checkModel } from './check.ts';
export { descendF64, descendWords, type PathNode, readsOf, windowOf } from './explain.ts';
export { F64Index } from './f64-index.ts';
export { type KeyForm, type Model, modelBytes } from './model.ts';
export { trainF64, trainWords } from './train.ts';
export { WordIndex } from './word-index.ts';
