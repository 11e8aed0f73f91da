/** What is measured, in the order of tables: names, units, and of which keys. */
import { KEY_KINDS, type KeyKind } from './rows.ts';
import { MIXES, YCSB_NAMES } from './ycsb.ts';

export interface Metric {
  readonly title: string;
  readonly group: 'load' | 'read' | 'write' | 'open' | 'size' | 'YCSB';
  /** How a cost is shown: as items a second, as the time of an item, or as bytes. */
  readonly shown: 'rate' | 'time' | 'bytes';
  /** What a cost is of. */
  readonly item: string;
  /** Keys of which it is measured unless it is asked for by name; and those of which it can be. */
  readonly kinds: readonly KeyKind[];
  readonly possible: readonly KeyKind[];
}

const all = { kinds: KEY_KINDS, possible: KEY_KINDS } as const;
const uniform = { kinds: ['uniform'], possible: KEY_KINDS } as const;
const NUMBERS = ['uniform', 'sequential'] as const;
const TEXTS = ['strings'] as const;

export const METRICS: Readonly<Record<string, Metric>> = {
  'load-sorted': { ...all, title: 'load, sorted', group: 'load', shown: 'rate', item: 'row' },
  'load-shuffled': { ...all, title: 'load, shuffled', group: 'load', shown: 'rate', item: 'row' },
  'get-hit': { ...all, title: 'get, a hit', group: 'read', shown: 'time', item: 'get' },
  'get-miss': { ...all, title: 'get, a miss', group: 'read', shown: 'time', item: 'get' },
  'get-many': { ...all, title: 'getMany of 1,000', group: 'read', shown: 'time', item: 'key' },
  range: { ...all, title: 'range of 1,000 rows', group: 'read', shown: 'time', item: 'row' },
  entries: { ...all, title: 'every entry in order', group: 'read', shown: 'time', item: 'row' },
  aggregate: {
    ...{ kinds: ['uniform'], possible: NUMBERS },
    ...{ title: 'sum over a tenth', group: 'read', shown: 'time', item: 'sum' },
  },
  put: { ...uniform, title: 'put, one at a time', group: 'write', shown: 'rate', item: 'put' },
  'batch-100': { ...uniform, title: 'batch of 100', group: 'write', shown: 'rate', item: 'row' },
  'batch-1000': { ...uniform, title: 'batch of 1,000', group: 'write', shown: 'rate', item: 'row' },
  'put-durable': {
    ...{ ...uniform, title: 'durable put, one at a time' },
    ...{ group: 'write', shown: 'rate', item: 'put' },
  },
  'put-durable-many': {
    ...{ ...uniform, title: 'durable put, 1,024 in flight' },
    ...{ group: 'write', shown: 'rate', item: 'put' },
  },
  'batch-100-durable': {
    ...{ ...uniform, title: 'durable batch of 100' },
    ...{ group: 'write', shown: 'rate', item: 'row' },
  },
  'batch-1000-durable': {
    ...{ ...uniform, title: 'durable batch of 1,000' },
    ...{ group: 'write', shown: 'rate', item: 'row' },
  },
  open: { ...uniform, title: 'open, to the first row', group: 'open', shown: 'time', item: 'open' },
  recovery: {
    ...{ ...uniform, title: 'open after a kill, to the first row' },
    ...{ group: 'open', shown: 'time', item: 'open' },
  },
  disk: { ...all, title: 'on disk, as loaded', group: 'size', shown: 'bytes', item: 'row' },
  'disk-compacted': {
    ...{ ...all, title: 'on disk, compacted' },
    ...{ group: 'size', shown: 'bytes', item: 'row' },
  },
  memory: { ...all, title: 'resident memory', group: 'size', shown: 'bytes', item: 'row' },
  'memory-own': {
    ...{ ...all, title: 'of it not pages of files' },
    ...{ group: 'size', shown: 'bytes', item: 'row' },
  },
  ...Object.fromEntries(
    YCSB_NAMES.map((name) => [
      `ycsb-${name}`,
      {
        ...{ title: `${name.toUpperCase()}: ${MIXES[name].about}`, group: 'YCSB' },
        ...{ shown: 'rate', item: 'operation', kinds: TEXTS, possible: TEXTS },
      } satisfies Metric,
    ]),
  ),
};

/** Names that `--only` takes for several. */
const GROUPS: Readonly<Record<string, (name: string, metric: Metric) => boolean>> = {
  load: (name) => name.startsWith('load'),
  get: (name) => name.startsWith('get'),
  put: (name) => name.startsWith('put'),
  batch: (name) => name.startsWith('batch'),
  disk: (name) => name.startsWith('disk'),
  memory: (name) => name.startsWith('memory'),
  read: (_, { group }) => group === 'read',
  write: (_, { group }) => group === 'write',
  size: (_, { group }) => group === 'size',
  ycsb: (_, { group }) => group === 'YCSB',
};

export const METRIC_GROUPS = Object.keys(GROUPS);

export const METRIC_NAMES = [...new Set([...METRIC_GROUPS, ...Object.keys(METRICS)])];

/** The metrics of some keys: those that are asked for, or else those that are usual. */
export function metricsOf(kind: KeyKind, only: readonly string[] | undefined): string[] {
  return Object.entries(METRICS)
    .filter(([name, metric]) => {
      if (only === undefined) return metric.kinds.includes(kind);
      const isMeant = only.some((one) => one === name || GROUPS[one]?.(name, metric));
      return isMeant && metric.possible.includes(kind);
    })
    .map(([name]) => name);
}
