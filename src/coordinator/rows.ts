/**
 * What a caller sees of the synchronous iterators: declarations that compile also where a project's
 * library does not know `Iterator` as a class.
 */

/** A synchronous iterator: for `for … of`, which ends it, too, with the helpers of ECMAScript's iterators. */
export interface Rows<T> extends IteratorObject<T, undefined> {
  next(): IteratorResult<T, undefined>;
  return(): IteratorResult<T, undefined>;
}

/** What an iterator reads from; once it is closed, the iterator throws. */
export interface Closable {
  readonly isClosed: boolean;
  throwIfClosed(): void;
}
