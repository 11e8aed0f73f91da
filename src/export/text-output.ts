/**
 * Bytes of a text that is being written, in memory that grows. What was taken is nobody else's: whoever
 * writes to a stream may keep it until it is written.
 */
const FIRST_BYTES = 2 ** 16;

export class TextOutput {
  bytes: Buffer<ArrayBuffer> = newBytes(FIRST_BYTES);
  /** Where the text ends. */
  at = 0;

  /** Makes room for so many more bytes. */
  room(bytes: number): void {
    if (this.at + bytes <= this.bytes.length) return;
    const grown = newBytes(Math.max(2 * this.bytes.length, this.at + bytes));
    grown.set(this.bytes.subarray(0, this.at));
    this.bytes = grown;
  }

  /** What was written since it was taken last; what comes next takes as much room, about. */
  take(): Buffer<ArrayBuffer> {
    const taken = this.bytes.subarray(0, this.at);
    this.bytes = newBytes(Math.max(FIRST_BYTES, this.at + (this.at >>> 3)));
    this.at = 0;
    return taken;
  }
}

/** Not filled with zeros, and out of no pool. */
function newBytes(length: number): Buffer<ArrayBuffer> {
  return Buffer.allocUnsafeSlow(length);
}
