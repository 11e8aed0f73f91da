/**
 * One block of LZ4, decompressed: sequences of literals and of copies from what came before
 * (github.com/lz4/lz4, doc/lz4_Block_format.md).
 */

/** @throws Error where it is damaged, or not as long as it is said to be */
export function lz4Decompress(from: Uint8Array, length: number): Uint8Array {
  const to = new Uint8Array(length);
  let at = 0;
  let end = 0;
  /** Lengths of 15 and more go on in bytes of their own, up to the first that is not 255. */
  const lengthOf = (nibble: number): number => {
    let total = nibble;
    if (nibble < 15) return total;
    for (;;) {
      if (at >= from.length) throw new Error('LZ4: it ends amid a length');
      const byte = from[at++];
      total += byte;
      if (byte < 255) return total;
    }
  };
  while (at < from.length) {
    const token = from[at++];
    const literals = lengthOf(token >>> 4);
    if (at + literals > from.length || end + literals > length) {
      throw new Error('LZ4: literals do not lie within it');
    }
    to.set(from.subarray(at, at + literals), end);
    at += literals;
    end += literals;
    // The last sequence has no copy.
    if (at === from.length) break;
    if (at + 2 > from.length) throw new Error('LZ4: it ends amid a copy');
    const offset = from[at] | (from[at + 1] << 8);
    at += 2;
    const count = lengthOf(token & 15) + 4;
    if (offset === 0 || offset > end || end + count > length) {
      throw new Error('LZ4: a copy does not lie within it');
    }
    // Byte by byte: a copy may reach into itself.
    for (let i = 0; i < count; i++, end++) to[end] = to[end - offset];
  }
  if (end !== length) throw new Error(`LZ4: it has ${end} bytes instead of ${length}`);
  return to;
}
