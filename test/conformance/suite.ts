/**
 * The suite: random operations against a database through one of its faces, every answer compared with
 * the model's. A failure prints its seed and path; OMEN_SEED and OMEN_PATH replay it, and
 * OMEN_RUNS asks for more than one run.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import fc from 'fast-check';
import type { ExpiryOptions } from '../../src/index.ts';
import { BEGINNING } from './clock.ts';
import { Model } from './model.ts';
import {
  type Asked,
  type Disturbance,
  isSame,
  type Operation,
  type Read,
  type SingleWrite,
  type SnapshotRead,
  type Wait,
  type Write,
} from './operations.ts';
import type { Subject } from './schemas.ts';

/** A database as somebody uses it. */
export interface Session {
  perform(operation: Operation): Promise<unknown>;
  close(): Promise<void>;
}

export type Face = (directory: string, subject: Subject) => Promise<Session>;

/** Shrinking ends then, with what it has. */
const RUN_MS_MAX = 60_000;

/** So far apart are times that matter, in milliseconds. */
const TICK = 10;

const expiries: fc.Arbitrary<ExpiryOptions | undefined> = fc.oneof(
  fc.constant(undefined),
  fc.constantFrom({ ttl: null }, { expiresAt: null }, { expiresAt: 0 }, { expiresAt: -1 }),
  fc.integer({ min: 1, max: 9 }).map((ticks) => ({ ttl: ticks * TICK })),
  fc.integer({ min: -5, max: 50 }).map((ticks) => ({ expiresAt: BEGINNING + ticks * TICK })),
  fc
    .integer({ min: -5, max: 50 })
    .map((ticks) => ({ expiresAt: new Date(BEGINNING + ticks * TICK) })),
);

/** More often than not nothing has time to expire. */
const waits: fc.Arbitrary<Wait> = fc.record({
  op: fc.constant('wait' as const),
  ms: fc.oneof(fc.constantFrom(1, TICK - 1, TICK), fc.integer({ min: 1, max: 5 * TICK })),
});

function operationsOn(subject: Subject): fc.Arbitrary<Operation> {
  const key = fc.oneof(
    { weight: 5, arbitrary: fc.constantFrom(...subject.keys) },
    { weight: 1, arbitrary: subject.otherKeys },
  );
  const asked: fc.Arbitrary<Asked | undefined> = fc.oneof(
    { weight: 6, arbitrary: fc.constant(undefined) },
    { weight: 2, arbitrary: fc.constant('as read' as const) },
    { weight: 1, arbitrary: fc.constantFrom('absent' as const, 'present' as const) },
    { weight: 1, arbitrary: subject.rows.map((equals) => ({ equals })) },
  );
  const until: fc.Arbitrary<ExpiryOptions | undefined> =
    subject.form.ttl === undefined ? fc.constant(undefined) : expiries;
  const singles = (condition: fc.Arbitrary<Asked | undefined>): fc.Arbitrary<SingleWrite> =>
    fc.oneof(
      {
        weight: 3,
        arbitrary: fc.record({
          op: fc.constant('put' as const),
          key,
          row: subject.rows,
          if: condition,
          until,
        }),
      },
      { weight: 1, arbitrary: fc.record({ op: fc.constant('del' as const), key, if: condition }) },
    );
  const single = singles(asked);
  const batch = fc.record({
    op: fc.constant('batch' as const),
    writes: fc.oneof(
      fc.array(singles(fc.constantFrom(undefined, 'as read' as const)), { maxLength: 30 }),
      fc.array(single, { maxLength: 3 }),
    ),
  });
  const lower = fc.oneof(
    fc.constant({}),
    key.map((gt) => ({ gt })),
    key.map((gte) => ({ gte })),
  );
  const upper = fc.oneof(
    fc.constant({}),
    key.map((lt) => ({ lt })),
    key.map((lte) => ({ lte })),
  );
  const bounds = fc.tuple(lower, upper).map(([a, b]) => ({ ...a, ...b }));
  const where = fc.oneof(
    fc.array(key, { maxLength: 6 }).map((keys) => ({ key: { in: keys } })),
    key.map((lt) => ({ not: { key: { lt } } })),
    fc.tuple(key, key).map(([eq, gt]) => ({ or: [{ key: { eq } }, { key: { gt } }] })),
  );
  const write: fc.Arbitrary<Write> = fc.oneof(
    { weight: 9, arbitrary: single },
    { weight: 3, arbitrary: batch },
    {
      weight: 1,
      arbitrary: fc.record({ op: fc.constant('clear' as const), range: bounds }),
    },
  );
  const how = fc.record(
    { reverse: fc.boolean(), limit: fc.nat({ max: 20 }), where },
    { requiredKeys: [] },
  );
  const range = fc.tuple(bounds, how).map(([a, b]) => ({ ...a, ...b }));
  const time = { weight: subject.form.ttl === undefined ? 0 : 5, arbitrary: waits };
  const disturbance: fc.Arbitrary<Disturbance> = fc.oneof(
    time,
    { weight: 5, arbitrary: write },
    { weight: 1, arbitrary: fc.record({ op: fc.constantFrom('flush', 'compact') }) },
  );
  const during = fc.array(disturbance, { maxLength: 4 });
  const snapshotRead: fc.Arbitrary<SnapshotRead> = fc.oneof(
    fc.record({ op: fc.constantFrom('get', 'has', 'floor', 'ceil', 'rank', 'expiresAt'), key }),
    fc.record({ op: fc.constant('getMany' as const), keys: fc.array(key, { maxLength: 40 }) }),
    fc.record({ op: fc.constantFrom('first', 'last') }),
    fc.record({ op: fc.constant('at' as const), rank: fc.nat({ max: 40 }) }),
    fc.record({ op: fc.constantFrom('entries', 'keys', 'values', 'scan', 'stream'), range }),
    fc.record({ op: fc.constantFrom('count', 'aggregate'), range: bounds }),
  );
  const read: fc.Arbitrary<Read> = fc.oneof(
    { weight: 6, arbitrary: snapshotRead },
    { weight: 1, arbitrary: fc.record({ op: fc.constant('explain' as const), key }) },
  );
  return fc.oneof(
    time,
    { weight: 40, arbitrary: write },
    { weight: 50, arbitrary: read },
    {
      weight: 6,
      arbitrary: fc.record({ op: fc.constant('iterator' as const), range, during }),
    },
    {
      weight: 6,
      arbitrary: fc.record({
        op: fc.constant('snapshot' as const),
        during,
        reads: fc.array(snapshotRead, { maxLength: 8 }),
      }),
    },
    { weight: 3, arbitrary: fc.record({ op: fc.constantFrom('flush', 'compact') }) },
    { weight: 1, arbitrary: fc.record({ op: fc.constant('reopen' as const) }) },
  );
}

/** What every run ends with: all that was written, read in every way there is. */
function epilogue(subject: Subject): Operation[] {
  const keys = subject.keys.flatMap((key): Operation[] => [
    { op: 'get', key },
    { op: 'has', key },
    { op: 'floor', key },
    { op: 'ceil', key },
    { op: 'rank', key },
    { op: 'expiresAt', key },
    { op: 'explain', key },
  ]);
  const ranks = subject.keys.map((_, rank): Operation => ({ op: 'at', rank }));
  const ranges = [{}, { reverse: true }].flatMap((range): Operation[] => [
    { op: 'entries', range },
    { op: 'keys', range },
    { op: 'values', range },
    { op: 'scan', range },
    { op: 'stream', range },
  ]);
  return [
    ...keys,
    ...ranks,
    ...ranges,
    { op: 'count', range: {} },
    { op: 'aggregate', range: {} },
    { op: 'first' },
    { op: 'last' },
  ];
}

async function run(face: Face, subject: Subject, operations: readonly Operation[]): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'omendb-conformance-'));
  try {
    const session = await face(directory, subject);
    try {
      await follow(session, subject, operations);
    } finally {
      await session.close();
    }
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

async function follow(
  session: Session,
  subject: Subject,
  operations: readonly Operation[],
): Promise<void> {
  const model = new Model(subject.form);
  const all = [...operations, ...epilogue(subject)];
  for (const [step, operation] of all.entries()) {
    const expected = model.answer(operation);
    const found = await session.perform(operation);
    if (isSame(found, expected)) continue;
    throw new Error(
      `Step ${step}, ${inspect(operation, { depth: 5 })}, answered\n${inspect(found, { depth: 5 })}` +
        `\nwhere the model has\n${inspect(expected, { depth: 5 })}`,
    );
  }
}

/** Holds `face` to the model, through up to `operationsMax` operations and the epilogue. */
export async function conforms(face: Face, subject: Subject, operationsMax: number): Promise<void> {
  const { OMEN_SEED, OMEN_PATH, OMEN_RUNS } = process.env;
  const operations = fc.array(operationsOn(subject), {
    minLength: operationsMax / 2,
    maxLength: operationsMax,
    size: 'max',
  });
  await fc.assert(
    fc.asyncProperty(operations, (chosen) => run(face, subject, chosen)),
    {
      numRuns: Number(OMEN_RUNS ?? 1),
      interruptAfterTimeLimit: RUN_MS_MAX * Number(OMEN_RUNS ?? 1),
      markInterruptAsFailure: true,
      includeErrorInReport: true,
      ...(OMEN_SEED === undefined ? {} : { seed: Number(OMEN_SEED) }),
      ...(OMEN_PATH === undefined ? {} : { path: OMEN_PATH }),
    },
  );
}
