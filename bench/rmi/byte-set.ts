/** Keys of any length, sorted by their bytes, end to end in one buffer: 10 M strings would fill a heap. */
export interface ByteSet {
  readonly form: 'bytes';
  readonly type: 'utf8' | 'binary';
  readonly count: number;
  readonly bytes: Buffer;
  /** Where key i begins; after the last, where it ends. */
  readonly starts: Float64Array;
}

/** @throws when the keys are not strictly ascending */
export function collect(
  type: ByteSet['type'],
  count: number,
  keys: Iterable<string | Buffer>,
): ByteSet {
  let bytes = Buffer.alloc(64 * count + 1024);
  const starts = new Float64Array(count + 1);
  let found = 0;
  for (const key of keys) {
    if (found === count) break;
    const start = starts[found];
    const length = Buffer.byteLength(key);
    if (start + length > bytes.length) {
      const larger = Buffer.alloc(2 * bytes.length + length);
      bytes.copy(larger);
      bytes = larger;
    }
    if (typeof key === 'string') bytes.write(key, start);
    else key.copy(bytes, start);
    const end = start + length;
    if (found > 0 && bytes.compare(bytes, starts[found - 1], start, start, end) <= 0) {
      throw new Error(`Key ${found} is not above the one before it.`);
    }
    starts[++found] = end;
  }
  return { form: 'bytes', type, count: found, bytes, starts: starts.subarray(0, found + 1) };
}

/** A copy of key i, as a user would have it. */
export function byteKey({ type, bytes, starts }: ByteSet, i: number): string | Buffer {
  if (type === 'utf8') return bytes.toString('utf8', starts[i], starts[i + 1]);
  return Buffer.from(bytes.subarray(starts[i], starts[i + 1]));
}
