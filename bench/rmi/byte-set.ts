/** Keys of any length, sorted by their bytes, end to end in one buffer: 10 M strings would fill a heap. */
export interface ByteSet {
  readonly form: 'bytes';
  readonly type: 'utf8' | 'binary';
  readonly count: number;
  readonly bytes: Buffer;
  /** Where key i begins; after the last, where it ends: below 2 GiB, as in an Arrow column. */
  readonly offsets: Int32Array;
}

/** @throws when the keys are not strictly ascending, or are 2 GiB and more */
export function collect(
  type: ByteSet['type'],
  count: number,
  keys: Iterable<string | Buffer>,
): ByteSet {
  let bytes = Buffer.alloc(64 * count + 1024);
  const offsets = new Int32Array(count + 1);
  let found = 0;
  for (const key of keys) {
    if (found === count) break;
    const start = offsets[found];
    const length = Buffer.byteLength(key);
    if (start + length >= 2 ** 31) throw new Error(`The keys from ${found} on are too many.`);
    if (start + length > bytes.length) {
      const larger = Buffer.alloc(2 * bytes.length + length);
      bytes.copy(larger);
      bytes = larger;
    }
    if (typeof key === 'string') bytes.write(key, start);
    else key.copy(bytes, start);
    const end = start + length;
    if (found > 0 && bytes.compare(bytes, offsets[found - 1], start, start, end) <= 0) {
      throw new Error(`Key ${found} is not above the one before it.`);
    }
    offsets[++found] = end;
  }
  return { form: 'bytes', type, count: found, bytes, offsets: offsets.subarray(0, found + 1) };
}

/** A copy of key i, as a user would have it. */
export function byteKey({ type, bytes, offsets }: ByteSet, i: number): string | Buffer {
  if (type === 'utf8') return bytes.toString('utf8', offsets[i], offsets[i + 1]);
  return Buffer.from(bytes.subarray(offsets[i], offsets[i + 1]));
}
