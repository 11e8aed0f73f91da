/** What a soak does when: a cycle of phases, each with a mix of operations, at the end of which all is quiet. */

export const KINDS = [
  'put',
  'del',
  'condition',
  'batch',
  'append',
  'trim',
  'load',
  'session',
  'get',
  'getMany',
  'range',
  'scan',
  'aggregate',
  'snapshot',
] as const;
export type OperationKind = (typeof KINDS)[number];

/** How keys are drawn. */
export type KeyDistribution = 'uniform' | 'zipf' | 'sequential';

export interface Phase {
  readonly name: string;
  readonly keys: KeyDistribution;
  /** How often each kind is among all, relative to one another. */
  readonly mix: Readonly<Partial<Record<OperationKind, number>>>;
}

/** What comes behind them: nothing is under way, all was compared and merged. */
export const QUIET = 'quiet';

const READS = { get: 400, getMany: 12, range: 6, scan: 0.4, aggregate: 0.4, snapshot: 4 } as const;

export const PHASES: readonly Phase[] = [
  {
    name: 'grow',
    keys: 'sequential',
    mix: {
      ...READS,
      put: 240,
      del: 10,
      condition: 15,
      batch: 25,
      append: 120,
      load: 0.3,
      session: 30,
    },
  },
  {
    name: 'mixed',
    keys: 'zipf',
    mix: {
      ...READS,
      put: 120,
      del: 30,
      condition: 30,
      batch: 20,
      append: 50,
      trim: 0.5,
      load: 0.15,
      session: 30,
    },
  },
  {
    name: 'read',
    keys: 'uniform',
    mix: { ...READS, get: 900, getMany: 40, range: 20, put: 30, batch: 5, append: 10, session: 5 },
  },
  {
    name: 'shrink',
    keys: 'uniform',
    mix: {
      ...READS,
      put: 40,
      del: 160,
      condition: 20,
      batch: 25,
      append: 20,
      trim: 3,
      load: 0.15,
      session: 10,
    },
  },
];
