/** Pieces of bytes, compressed on their way, in threads of Node's own. */
import { pipeline, Readable } from 'node:stream';
import { createGzip, createZstdCompress } from 'node:zlib';
import type { Compression } from './encoder.ts';

/** Bytes that are compressed at once, and given at once. */
const PIECE_BYTES = 2 ** 18;

/** @throws what the pieces throw */
export async function* compressed(
  pieces: AsyncIterable<Uint8Array>,
  compression: Compression,
): AsyncGenerator<Uint8Array, void, undefined> {
  const transform =
    compression === 'gzip'
      ? createGzip({ chunkSize: PIECE_BYTES })
      : createZstdCompress({ chunkSize: PIECE_BYTES });
  // What fails comes out of the transform, too.
  pipeline(Readable.from(pieces, { objectMode: true, highWaterMark: 1 }), transform, () => {});
  yield* transform as AsyncIterable<Uint8Array>;
}
