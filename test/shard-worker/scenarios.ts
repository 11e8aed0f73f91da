/** What a shard does in its life, in few steps each: every one of them is killed at every operation. */
import type { KeyKindName } from './key-kinds.ts';
import type { Shards } from './shards.ts';

export interface Scenario {
  readonly shards: number;
  /** What the keys are; numbers by default. */
  readonly keyKind?: KeyKindName;
  /** Whether somebody follows the logs, which are all retained. */
  readonly isFollowed?: boolean;
  /** Returns the shards as they are in the end: some scenarios open them again. */
  run(shards: Shards): Promise<Shards>;
}

function range(first: number, count: number): number[] {
  return Array.from({ length: count }, (_, i) => first + i);
}

const WITH_NUMBERS: Readonly<Record<string, Scenario>> = {
  groups: {
    shards: 1,
    async run(shards) {
      shards.put(0, -1, -2, -3);
      shards.commit(0);
      shards.put(0, -2, -4, -2);
      shards.del(0, -1);
      shards.commit(0);
      shards.put(0, -1);
      shards.commit(0, false);
      shards.del(0, -3, -9);
      shards.commit(0, false);
      shards.sync(0);
      shards.put(0, ...range(-60, 50));
      shards.commit(0, false);
      const again = await shards.reopened();
      again.del(0, ...range(-60, 20));
      again.put(0, -60);
      again.commit(0);
      again.commit(0, false);
      return again;
    },
  },

  flushes: {
    shards: 1,
    async run(shards) {
      for (let round = 0; round < 3; round++) {
        shards.put(0, ...range(-20, 10));
        shards.commit(0);
        shards.append(0, 3);
        shards.del(0, -20 + round);
        shards.commit(0, false);
        await shards.rotate(0);
        shards.del(0, -11 - round);
        shards.commit(0);
      }
      await shards.flush(0);
      const again = await shards.reopened();
      again.put(0, -20, -11);
      again.commit(0);
      await again.rotate(0);
      again.del(0, -20);
      again.commit(0);
      return again;
    },
  },

  merges: {
    shards: 1,
    async run(shards) {
      for (let round = 0; round < 4; round++) {
        shards.put(0, ...range(-30 + 3 * round, 9));
        shards.del(0, -30 + round, -99);
        shards.commit(0);
        await shards.rotate(0);
      }
      shards.del(0, ...range(-30, 15));
      shards.commit(0);
      await shards.compact(0);
      shards.put(0, -30);
      shards.commit(0);
      return shards;
    },
  },

  'merges above an older run': {
    shards: 1,
    async run(shards) {
      shards.put(0, ...range(-80, 64));
      shards.commit(0);
      await shards.rotate(0);
      for (let round = 0; round < 4; round++) {
        shards.del(0, -80 + round, -40 - round);
        shards.put(0, -79);
        shards.commit(0);
        await shards.rotate(0);
      }
      shards.put(0, -80);
      shards.commit(0);
      return shards;
    },
  },

  joins: {
    shards: 1,
    async run(shards) {
      for (let round = 0; round < 4; round++) {
        shards.append(0, 6);
        shards.commit(0);
        await shards.rotate(0);
      }
      const again = await shards.reopened();
      again.put(0, 1001, 3002);
      again.del(0, 2001);
      again.commit(0);
      await again.flush(0);
      await again.compact(0);
      return again;
    },
  },

  'models lost': {
    shards: 1,
    async run(shards) {
      for (let round = 0; round < 3; round++) {
        shards.put(0, ...range(-30 + 5 * round, 12));
        shards.del(0, -30 + round);
        shards.commit(0);
        await shards.rotate(0);
      }
      const again = await shards.reopenedWithoutModels(0);
      again.put(0, -30);
      again.commit(0);
      await again.rotate(0);
      const merged = await again.reopenedWithoutModels(0);
      await merged.compact(0);
      merged.put(0, -31);
      merged.commit(0);
      return merged;
    },
  },

  'a shard emptied': {
    shards: 1,
    async run(shards) {
      shards.put(0, -1, -2);
      shards.commit(0);
      await shards.flush(0);
      shards.del(0, -1, -2, 1000, 2000);
      shards.commit(0);
      await shards.compact(0);
      const again = await shards.reopened();
      again.put(0, -2);
      again.commit(0);
      return again;
    },
  },

  batches: {
    shards: 2,
    async run(shards) {
      shards.put(0, -1, -2);
      shards.commit(0);
      shards.put(1, -1, -2);
      shards.commit(1);
      const first = shards.take(0, 1);
      const second = shards.take(1, 0);
      shards.part(0, first, [-1, -3], [-2]);
      shards.put(0, -7);
      shards.commit(0);
      shards.part(1, first, [-1, -3], [-2]);
      shards.part(1, second, [-5]);
      shards.commit(1);
      shards.put(0, -3);
      shards.part(0, second, [-5, -6]);
      shards.commit(0);
      const third = shards.take(0, 1);
      shards.part(1, third, [-5], [-1]);
      shards.commit(1);
      shards.part(0, third, [-1], [-5]);
      shards.commit(0);
      shards.commit(1);
      shards.commit(0);
      return shards;
    },
  },

  'batches refused': {
    shards: 2,
    async run(shards) {
      shards.put(0, -1);
      shards.commit(0);
      const refused = shards.take(0, 1);
      shards.part(0, refused, [-1, -2]);
      shards.commit(0);
      shards.refuse(1, refused);
      shards.put(0, -3);
      shards.commit(0);
      shards.put(0, -2);
      shards.commit(0);
      await shards.rotate(0);
      const half = shards.take(0, 1);
      shards.part(0, half, [-1], [-2]);
      shards.commit(0);
      const again = await shards.reopened();
      const whole = again.take(0, 1);
      again.part(1, whole, [-1]);
      again.commit(1);
      again.part(0, whole, [-1]);
      again.commit(0);
      return again.reopened();
    },
  },

  conditions: {
    shards: 2,
    async run(shards) {
      shards.put(0, -1, -2, -2);
      shards.del(0, -1);
      shards.judge(0, -1, -2, -3);
      shards.commit(0);
      shards.judge(0, -1, -2, -3);
      await shards.rotate(0);
      const refused = shards.take(0, 1);
      shards.part(0, refused, [-1, -4], [-2]);
      shards.commit(0);
      // Its condition does not hold in shard 1.
      shards.judge(1, -1);
      shards.refuse(1, refused);
      shards.settle(0);
      shards.judge(0, -1, -2, -4);
      const taken = shards.take(0, 1);
      shards.judge(1, -1);
      shards.part(1, taken, [-1]);
      shards.commit(1);
      shards.part(0, taken, [-2], [-4]);
      shards.put(0, -5);
      shards.judge(0, -5);
      shards.commit(0);
      shards.settle(0);
      shards.settle(1);
      shards.judge(0, -1, -2, -4, -5);
      shards.judge(1, -1);
      await shards.compact(0);
      const again = await shards.reopened();
      again.judge(0, -1, -2, -4, -5);
      again.judge(1, -1);
      again.put(1, -1);
      again.judge(1, -1);
      again.commit(1);
      return again;
    },
  },

  ranges: {
    shards: 1,
    async run(shards) {
      shards.put(0, ...range(-60, 40));
      shards.commit(0);
      await shards.flush(0);
      shards.clear(0, -50, -41);
      shards.put(0, -45);
      shards.commit(0);
      shards.judge(0, -51, -50, -45, -41, -40);
      shards.clear(0, -30, -21);
      shards.judge(0, -31, -30, -45);
      shards.commit(0, false);
      await shards.rotate(0);
      shards.put(0, -25, -50);
      shards.commit(0);
      const again = await shards.reopened();
      again.judge(0, -51, -50, -45, -41, -30, -25);
      again.clear(0, -60, -26);
      again.commit(0);
      const empty = await again.reopened();
      empty.put(0, -26, -27);
      empty.commit(0);
      empty.clear(0, -26, -20);
      empty.commit(0);
      await empty.compact(0);
      empty.judge(0, -27, -26, -25);
      return empty;
    },
  },

  'ranges of batches': {
    shards: 2,
    async run(shards) {
      for (const shard of [0, 1]) {
        shards.put(shard, ...range(-40, 30));
        shards.commit(shard);
      }
      await shards.flush(1);
      const refused = shards.take(0, 1);
      shards.partOfRange(0, refused, -40, -30);
      shards.commit(0);
      shards.refuse(1, refused);
      shards.settle(0);
      shards.judge(0, -40, -30);
      const taken = shards.take(0, 1);
      shards.partOfRange(1, taken, -35, -25);
      shards.commit(1);
      shards.partOfRange(0, taken, -35, -25);
      shards.commit(0);
      shards.settle(1);
      shards.settle(0);
      shards.judge(0, -36, -35, -25, -24);
      shards.judge(1, -36, -35, -25, -24);
      shards.put(0, -30);
      shards.commit(0);
      const half = shards.take(0, 1);
      shards.partOfRange(0, half, -40, -1);
      shards.commit(0);
      const again = await shards.reopened();
      again.judge(0, -40, -30, -24);
      await again.compact(0);
      await again.flush(1);
      return again;
    },
  },

  'a bulk load': {
    shards: 2,
    async run(shards) {
      // Into shards that have nothing yet: what is deleted meanwhile hides nothing but its rows.
      await shards.load(range(-60, 5), async () => {
        shards.del(0, -58);
        shards.commit(0);
        await shards.rotate(0);
      });
      for (const shard of [0, 1]) {
        shards.put(shard, ...range(-60, 20));
        shards.commit(shard);
      }
      await shards.flush(0);
      shards.put(0, -70, -61);
      shards.commit(0, false);
      await shards.load([-41, ...range(-65, 20), -41], async () => {
        shards.put(0, -50, -49);
        shards.del(0, -48, -65, -99);
        shards.commit(0);
        await shards.rotate(0);
        shards.clear(1, -64, -60);
        shards.put(1, -62);
        shards.commit(1);
        await shards.rotate(1);
        shards.del(1, -59);
        shards.commit(1);
      });
      shards.judge(0, -58, -50, -48);
      shards.put(0, -55);
      shards.del(1, -56);
      shards.commit(0);
      shards.commit(1);
      await shards.load([-55, -40], async () => {
        await shards.flush(0);
        await shards.compact(1);
      });
      await shards.compact(0);
      const again = await shards.reopened();
      again.put(0, -40);
      again.commit(0);
      await again.load([-55, -40, -39], async () => {});
      await again.compact(1);
      return again;
    },
  },

  'batches across flushes': {
    shards: 3,
    async run(shards) {
      const first = shards.take(0, 1, 2);
      shards.part(0, first, [-1], [-2]);
      shards.append(0, 2);
      shards.commit(0);
      await shards.rotate(0);
      shards.part(1, first, [-1]);
      shards.commit(1);
      shards.put(0, -4);
      shards.commit(0);
      shards.part(2, first, [-1]);
      shards.commit(2);
      // Shard 2 does not log the outcome yet: the others must keep what it takes to know it.
      shards.commit(0);
      await shards.rotate(0);
      shards.append(1, 1);
      shards.commit(1);
      await shards.rotate(1);
      shards.put(1, -9);
      shards.commit(1);
      await shards.flush(0);
      await shards.flush(1);
      const second = shards.take(0, 2);
      shards.part(2, second, [-1, -2]);
      shards.commit(2);
      shards.part(0, second, [-1, -2]);
      shards.commit(0);
      await shards.rotate(2);
      shards.commit(2);
      await shards.flush(2);
      await shards.flush(0);
      return shards;
    },
  },

  'an outcome that one shard has not synced': {
    shards: 2,
    async run(shards) {
      const batch = shards.take(0, 1);
      shards.part(0, batch, [-1], [-2]);
      shards.commit(0);
      shards.part(1, batch, [-1], [-2]);
      shards.commit(1);
      // Shard 1 has the outcome in the page cache only: shard 0 has to keep what tells it.
      shards.commit(1, false);
      for (let round = 0; round < 2; round++) {
        shards.put(0, -3);
        shards.commit(0);
        await shards.rotate(0);
      }
      shards.sync(1);
      shards.put(0, -4);
      shards.commit(0);
      await shards.flush(0);
      return shards;
    },
  },

  'batches found by recovery': {
    shards: 2,
    async run(shards) {
      shards.put(0, -1);
      shards.commit(0);
      const whole = shards.take(0, 1);
      const half = shards.take(0, 1);
      for (const batch of [whole, half]) shards.part(0, batch, [-batch.ticket], [-9]);
      shards.commit(0);
      shards.part(1, whole, [-1]);
      shards.commit(1);
      const again = await shards.reopened();
      // Shard 1 syncs nothing any more, while shard 0 forgets how the batches ended.
      for (let round = 0; round < 2; round++) {
        again.append(0, 2);
        again.commit(0);
        await again.rotate(0);
      }
      return again;
    },
  },

  'a disk that is full': {
    shards: 2,
    async run(shards) {
      for (const shard of [0, 1]) {
        for (let round = 0; round < 18; round++) {
          shards.put(shard, -round, -20);
          shards.commit(shard);
        }
        shards.tend(shard);
        await shards.idle();
      }
      shards.setRoom({ bytes: 9000, files: 2 });
      const batch = shards.take(0, 1);
      shards.part(0, batch, range(-40, 9));
      shards.commit(0);
      for (let round = 0; round < 6; round++) {
        shards.put(1, ...range(-60, 12));
        shards.commit(1, round % 2 === 0);
      }
      shards.part(1, batch, range(-40, 9));
      shards.commit(1);
      shards.commit(0);
      for (const shard of [0, 1]) {
        shards.del(shard, ...range(-17, 10));
        shards.commit(shard);
        await shards.flush(shard);
        await shards.compact(shard);
      }
      shards.setRoom(undefined);
      for (const shard of [1, 0]) {
        for (let time = 0; time < 3; time++) {
          shards.tend(shard);
          await shards.idle();
        }
        shards.put(shard, -1, -41);
        shards.commit(shard);
      }
      const again = await shards.reopened();
      again.put(1, -1);
      again.commit(1);
      return again;
    },
  },

  'a batch that spans memtables when it is replayed': {
    shards: 2,
    async run(shards) {
      const first = shards.take(0, 1);
      shards.part(0, first, range(-100, 40));
      shards.commit(0);
      await shards.rotate(0);
      const half = shards.take(0, 1);
      shards.append(0, 70);
      shards.part(0, half, range(-100, 30), range(-70, 10));
      shards.commit(0);
      shards.part(1, first, [-1]);
      shards.commit(1);
      const again = await shards.reopened();
      await again.flush(0);
      return again;
    },
  },

  'a log of more than memtables hold by now': {
    shards: 2,
    async run(shards) {
      const open = shards.take(0, 1);
      for (let round = 0; round < 4; round++) {
        for (const shard of [0, 1]) {
          shards.put(shard, ...range(-20 + 2 * round, 9));
          shards.del(shard, -20 + round);
          if (round === 2) shards.part(shard, open, [-60 - shard], [-17]);
          shards.commit(shard);
        }
      }
      shards.settle(0);
      const half = shards.take(0, 1);
      shards.part(0, half, [-50], [-19]);
      shards.append(0, 20);
      shards.commit(0);
      const small = { entriesMax: 9, arenaBytes: 4096 };
      const again = await shards.reopened(small);
      await again.room(0, 3);
      again.put(0, -13);
      again.commit(0);
      await again.rotate(0);
      const twice = await again.reopened(small);
      await twice.room(0, 3);
      twice.put(0, -12);
      twice.commit(0);
      return twice;
    },
  },
};

/** Rows expire in memtables, between runs, in the oldest one, and while nobody has the shard open. */
const WITH_EXPIRY: Readonly<Record<string, Scenario>> = {
  'rows that expire': {
    shards: 1,
    keyKind: 'expiring',
    async run(shards) {
      shards.put(0, ...range(-40, 30));
      shards.putUntil(0, 20, ...range(-50, 10));
      shards.commit(0);
      await shards.rotate(0);
      for (let round = 0; round < 4; round++) {
        shards.putUntil(0, 10, ...range(-50 + 4 * round, 12));
        shards.put(0, -70 - round);
        shards.commit(0);
        shards.wait(4);
        shards.judge(0, -50, -40, -30);
        await shards.rotate(0);
      }
      shards.putUntil(0, 1, -70, -20);
      shards.commit(0);
      shards.wait(3);
      const again = await shards.reopened();
      again.judge(0, -70, -20, -12);
      again.put(0, -20);
      again.commit(0);
      await again.flush(0);
      again.wait(20);
      await again.compact(0);
      again.putUntil(0, 5, ...range(-50, 4));
      again.commit(0);
      return again;
    },
  },
};

/** What differs with texts for keys: records, a flush, a merge, a batch, its replay. */
const ALSO_WITH_TEXTS = [
  ...['groups', 'merges', 'conditions', 'ranges', 'batches across flushes'],
  'a bulk load',
];

/** What differs for who follows the logs: they are kept, beyond recoveries, and have batches to tell of. */
const ALSO_FOLLOWED = [
  'groups',
  'merges',
  'ranges of batches',
  'batches across flushes',
  'batches found by recovery',
  'rows that expire',
];

export const SCENARIOS: Readonly<Record<string, Scenario>> = {
  ...WITH_NUMBERS,
  ...WITH_EXPIRY,
  ...Object.fromEntries(
    ALSO_FOLLOWED.map((name) => [
      `${name}, followed`,
      { ...WITH_NUMBERS[name], ...WITH_EXPIRY[name], isFollowed: true } as const,
    ]),
  ),
  ...Object.fromEntries(
    ALSO_WITH_TEXTS.map((name) => [
      `${name}, with texts for keys`,
      { ...WITH_NUMBERS[name], keyKind: 'texts' } as const,
    ]),
  ),
};
