import { tableFromArrays, tableToIPC } from 'apache-arrow';
import test from 'ava';
import { delimiterOfBytes, formatOfBytes } from '../../src/load/sniff.ts';

test('formats are told from first bytes', (t) => {
  const table = tableFromArrays({ a: new Int32Array(3) });
  const told: [Uint8Array, string | undefined][] = [
    [tableToIPC(table, 'file'), 'arrow'],
    [tableToIPC(table, 'stream'), 'arrow'],
    [Buffer.from('PAR1\0\0'), 'parquet'],
    [Buffer.from('\uFEFF \n{"a":1}'), 'ndjson'],
    [Buffer.from('a,b\tc\n1,2'), 'csv'],
    [Buffer.from('a\tb\n1\t2'), 'tsv'],
    [Buffer.from('a'), 'csv'],
    [Buffer.from(''), undefined],
    [Buffer.from('a\0b'), undefined],
  ];
  for (const [bytes, format] of told) t.is(formatOfBytes(bytes), format as never);
});

test('the delimiter is what the first line has most of, outside of quotes', (t) => {
  const of = (text: string) => String.fromCharCode(delimiterOfBytes(Buffer.from(text)));
  t.is(of('a,b,c\n1;2;3;4;5\n'), ',');
  t.is(of('a;b;c,d\n'), ';');
  t.is(of('a|b\n'), '|');
  t.is(of('a\tb\n'), '\t');
  t.is(of('"a;b;c;d",e\n'), ',');
  t.is(of('alone\n'), ',');
});
