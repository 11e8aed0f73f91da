/**
 * Keys of variable length, seeded, for measurements and for tests: what users store as strings, and
 * what an index of them was seen to fail on. Neither sorted nor distinct.
 */
import { type Random, randomFrom } from './datasets.ts';

export { randomFrom };

/** Text of letters, the earlier ones of the alphabet more often. */
function word(random: Random): string {
  let text = '';
  for (let left = 3 + Math.floor(6 * random()); left > 0; left--) {
    text += String.fromCharCode(97 + Math.floor(26 * random() ** 1.5));
  }
  return text;
}

function vocabulary(random: Random, count: number): () => string {
  const words = Array.from({ length: count }, () => word(random));
  return () => words[Math.floor(count * random() ** 2)];
}

function many(count: number, next: (i: number) => string | Uint8Array): Buffer[] {
  return Array.from({ length: count }, (_, i) => Buffer.from(next(i) as string));
}

const GENERATORS = {
  urls(count, random) {
    const domain = vocabulary(random, Math.ceil(count / 40));
    const path = vocabulary(random, 5000);
    return many(count, () => {
      return `https://www.${domain()}.com/${path()}/${path()}?id=${Math.floor(1e6 * random())}`;
    });
  },
  /** Two words of a few thousand, one after the other. */
  words(count, random) {
    const next = vocabulary(random, 5000);
    return many(count, () => next() + next());
  },
  uuids: (count, random) =>
    many(count, () => {
      const digits = Array.from({ length: 32 }, () => Math.floor(16 * random()).toString(16));
      return digits.join('').replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
    }),
  identifiers: (count) => many(count, (i) => `user:${String(7 * i).padStart(10, '0')}:profile`),
  paths(count, random) {
    const [top, middle, low] = [20, 50, 200].map((size) => vocabulary(random, size));
    return many(count, () => {
      return `/srv/data/${top()}/${middle()}/${low()}/file-${Math.floor(1e7 * random())}.txt`;
    });
  },
  /** Sixteen random bytes each. */
  digests: (count, random) =>
    many(count, () => Uint8Array.from({ length: 16 }, () => Math.floor(256 * random()))),
  /** One byte, more of it in every key. */
  runs: (count) => many(Math.min(count, 500), (i) => new Uint8Array(i)),
  /** Zeros and ones as bytes: a chunk of them holds eight bits. */
  bits: (count, random) =>
    many(count, () => Uint8Array.from({ length: 40 }, () => Number(random() < 0.5))),
} satisfies Record<string, (count: number, random: Random) => Buffer[]>;

export type TextSetName = keyof typeof GENERATORS;

export const TEXT_SETS = Object.keys(GENERATORS) as TextSetName[];

export function textKeys(name: TextSetName, count: number, seed = 1): Buffer[] {
  return GENERATORS[name](count, randomFrom(seed));
}
