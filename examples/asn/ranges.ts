/**
 * Who announces an address? A table of address ranges keyed by their first address, and the one
 * question it answers: the last range that starts at or below an address, by `floor`. The ranges have
 * gaps between them, so an address belongs to that range only when it is not beyond its end.
 */
import { createReadStream } from 'node:fs';
import { createRequire } from 'node:module';
import { inferSchema, initParser } from 'udsv';
import { open } from '../../src/index.ts';
import { formatAddress, parseAddress } from './address.ts';

/** 411,961 ranges as lines of first address, last address, number, name; names may be quoted. */
export const RANGES_FILE = createRequire(import.meta.url).resolve(
  '@ip-location-db/asn/asn-ipv4-num.csv',
);
export const RANGES = 411_961;

/** What the licence of the data (CC BY 4.0) asks for wherever answers from it are shown. */
export const CREDIT =
  'RouteViews (https://www.routeviews.org), DB-IP (https://db-ip.com) and NRO (https://www.nro.net), ' +
  'CC BY 4.0; merged by @ip-location-db/asn';

const READ_BYTES = 256 * 1024;

export type RangeTable = Awaited<ReturnType<typeof createRanges>>;

/** @throws OMEN_EXISTS when there is a database already: its data would mix with ours */
export function createRanges(directory: string) {
  return open(directory, {
    key: 'int64', // the first address of the range
    columns: {
      end: 'int64', // the last one
      asn: 'int64', // 32 bits without a sign: more than an int32 holds
      name: 'utf8',
    },
    errorIfExists: true,
  });
}

type Line = [start: string, end: string, asn: string, name: string];

/** The lines of the file, a few thousand at a time. */
async function* linesOf(file: string): AsyncGenerator<Line[]> {
  const format = { header: () => [], col: ',', row: '\n', encl: '"' };
  const parser = initParser(inferSchema('0,0,0,""\n', format));
  let lines: Line[] = [];
  const keep = (line: Line): void => {
    lines.push(line);
  };
  for await (const text of createReadStream(file, {
    encoding: 'utf8',
    highWaterMark: READ_BYTES,
  })) {
    parser.chunk(text, parser.stringArrs<Line>, keep);
    yield lines;
    lines = [];
  }
  parser.end();
  yield lines;
}

/**
 * Puts every range of the file into the table, durably. Each part of the file is parsed while the one
 * before is on its way to the disk.
 */
export async function loadRanges(
  db: RangeTable,
  onProgress: (rows: number) => Promise<void>,
): Promise<number> {
  let rows = 0;
  let written: Promise<unknown> = Promise.resolve();
  for await (const lines of linesOf(RANGES_FILE)) {
    await written;
    written = Promise.all(
      lines.map(([start, end, asn, name]) =>
        db.put(Number(start), { end: Number(end), asn: Number(asn), name }),
      ),
    );
    rows += lines.length;
    await onProgress(rows);
  }
  await written;
  return rows;
}

/** Who announces an address; or between which addresses nobody does. */
export interface Answer {
  readonly address: string;
  readonly asn: number | null;
  readonly name: string | null;
  /** The range, or the gap, that the address lies in. */
  readonly first: string;
  readonly last: string;
}

/** @throws TypeError when `text` is no IPv4 address */
export function whoAnnounces(db: RangeTable, text: string): Answer {
  const address = parseAddress(text);
  const range = db.floor(address);
  if (range !== undefined && address <= range[1].end) {
    const [start, { end, asn, name }] = range;
    return { address: text, asn, name, first: formatAddress(start), last: formatAddress(end) };
  }
  const next = db.ceil(address);
  return {
    address: text,
    asn: null,
    name: null,
    first: formatAddress(range === undefined ? 0 : range[1].end + 1),
    last: formatAddress(next === undefined ? 0xffffffff : next[0] - 1),
  };
}
