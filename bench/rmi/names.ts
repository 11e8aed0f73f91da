/** What contenders and engines are called where people read. */
import type { Design } from './contenders/field.ts';

export const DESIGNS: Readonly<Record<Design, string>> = {
  omendb: 'OmenDB',
  binary: 'binary search',
  'rmi-linear': 'RMI, linear root',
  'rmi-cubic': 'RMI, cubic root',
  radix: 'radix table',
  pgm: 'PGM',
};

export const ENGINES: Readonly<Record<string, string>> = {
  omendb: 'OmenDB get',
  many: 'OmenDB getMany, rows',
  columns: 'OmenDB getMany, columns',
  map: 'JS Map (not ordered)',
  tree: 'sorted-btree',
  'lmdb-binary': 'LMDB, binary keys',
  'lmdb-ordered-binary': 'LMDB, its own key encoding',
};

export const SEARCHES = {
  outward: 'outward from the prediction',
  asking: 'outward, asking memory first',
  within: 'binary, within bounds',
  bisection: 'with branches',
  branchFree: 'without branches',
} as const;
