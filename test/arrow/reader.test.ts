import { join } from 'node:path';
import test from 'ava';
import { readSegment } from '../../src/arrow/reader.ts';
import { writeSegment } from '../../src/arrow/writer.ts';
import { realStorage } from '../../src/storage/real.ts';
import {
  buildSegment,
  EVERY_TYPE,
  randomRows,
  seededRandom,
  temporaryDirectory,
} from './helpers.ts';

const METADATA = { 'omendb.version': '1', 'omendb.file': 'segment-7' };

for (const rows of [0, 1, 7, 8, 9, 1000, 40_000]) {
  for (const flags of [false, true]) {
    test(`a segment of ${rows} rows ${flags ? 'with' : 'without'} flags comes back as it was written`, (t) => {
      const path = join(temporaryDirectory(t), 's.arrow');
      const segment = buildSegment(randomRows(EVERY_TYPE, rows, seededRandom(rows), flags));
      const { layout, body, nullCounts } = segment;
      const written = writeSegment(
        realStorage,
        path,
        EVERY_TYPE,
        layout,
        body,
        METADATA,
        nullCounts,
      );
      for (const pageCrcs of [written.pageCrcs, null]) {
        const read = readSegment(realStorage, path, EVERY_TYPE, {
          fileBytes: written.fileBytes,
          pageCrcs,
        });
        t.deepEqual(read.layout, layout);
        t.deepEqual(Object.fromEntries(read.metadata), METADATA);
        t.deepEqual(read.nullCounts, nullCounts);
        t.true(read.body.buffer instanceof SharedArrayBuffer);
        t.is(read.body.buffer.byteLength, layout.bodyBytes);
        t.is(Buffer.compare(read.body, body), 0);
      }
    });
  }
}
