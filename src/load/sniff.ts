/** What a text or a file is, told from its first bytes, where its name does not tell. */

/** Formats of sources, by what they are called in options. */
export type LoadFormat = 'arrow' | 'csv' | 'tsv' | 'ndjson' | 'parquet';

const ARROW_FILE = 'ARROW1';
const PARQUET = 'PAR1';
/** What a message of Arrow's stream format begins with. */
const CONTINUATION = 0xffffffff;
const DELIMITERS = [',', ';', '|', '\t'];

/** Undefined for what is binary, and nothing of these. @param head uncompressed */
export function formatOfBytes(head: Uint8Array): LoadFormat | undefined {
  const bytes = Buffer.from(head.buffer, head.byteOffset, head.byteLength);
  const begin = bytes.toString('latin1', 0, 6);
  if (begin === ARROW_FILE) return 'arrow';
  if (begin.startsWith(PARQUET)) return 'parquet';
  if (bytes.length >= 8 && bytes.readUInt32LE() === CONTINUATION) return 'arrow';
  if (bytes.includes(0)) return undefined;
  const text = bytes
    .toString('utf8')
    .replace(/^\uFEFF/, '')
    .trimStart();
  if (text === '') return undefined;
  if (text.startsWith('{')) return 'ndjson';
  const [line] = text.split('\n', 1);
  return line.includes('\t') && !line.includes(',') ? 'tsv' : 'csv';
}

/** The byte between two values of CSV: the one that the first line has most of, outside of quotes. */
export function delimiterOfBytes(head: Uint8Array): number {
  const text = Buffer.from(head.buffer, head.byteOffset, Math.min(head.byteLength, 2 ** 16));
  const [line] = text
    .toString('utf8')
    .replaceAll(/"[^"]*"/g, '')
    .trimStart()
    .split('\n', 1);
  const counts = DELIMITERS.map((delimiter) => line.split(delimiter).length - 1);
  return DELIMITERS[counts.indexOf(Math.max(...counts))].charCodeAt(0);
}
