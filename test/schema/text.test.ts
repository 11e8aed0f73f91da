import test from 'ava';
import fc from 'fast-check';
import { textOf } from '../../src/schema/text.ts';

test('text is what a decoder makes of the bytes, in private and in shared memory', (t) => {
  const bytes = fc.oneof(
    fc.uint8Array({ maxLength: 40 }),
    fc.string({ unit: 'grapheme', maxLength: 20 }).map((text) => new TextEncoder().encode(text)),
  );
  fc.assert(
    fc.property(bytes, fc.nat(5), fc.nat(5), (content, before, behind) => {
      const length = before + content.length + behind;
      const expected = new TextDecoder('utf-8', { ignoreBOM: true }).decode(content);
      for (const memory of [new ArrayBuffer(length), new SharedArrayBuffer(length)]) {
        const buffer = Buffer.from(memory).fill(0x7a);
        buffer.set(content, before);
        const found = textOf(buffer, before, before + content.length);
        if (found !== expected) throw new Error(`${found} is not ${expected}`);
      }
    }),
  );
  t.is(textOf(Buffer.alloc(0), 0, 0), '');
});
