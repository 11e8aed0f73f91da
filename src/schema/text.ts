/** Text from bytes, where they lie. */
import { Buffer } from 'node:buffer';

type Slice = (this: Buffer, start: number, end: number) => string;

/**
 * What `toString("utf8")` comes down to. Node has it, undocumented; it spares a
 * third of the time that a short string takes, which goes into looking at the arguments.
 */
const slice: Slice =
  (Buffer.prototype as { utf8Slice?: Slice }).utf8Slice ??
  function (this: Buffer, start: number, end: number) {
    return this.toString('utf8', start, end);
  };

/** The text of the bytes [start, end), which have to be there. What is no UTF-8 becomes U+FFFD. */
export function textOf(bytes: Buffer, start: number, end: number): string {
  return slice.call(bytes, start, end);
}
