/**
 * Damage at rest: a database that was closed, of which a few bytes change, or a file. Drawn from a seed, over
 * one of many rounds; or every byte of a small one in turn. What is refused is salvaged, and checked.
 */
import { type Random, seededRandom } from '../src/storage/model-file.ts';
import {
  type AtRest,
  checkDamaged,
  damaged,
  databaseAtRest,
  flipped,
  type Image,
  imageOf,
} from '../test/shard-worker/at-rest.ts';
import { Violation } from '../test/shard-worker/expected.ts';
import { salvageDamaged } from '../test/shard-worker/salvaged.ts';

const ROUNDS = 24;
const SAME_KIND = /\d+/g;

/** Hears of each wrong answer, and of each error without a code or a place. */
export type OnDamage = (error: unknown) => void;

/** Runs so many cases over one database. */
export async function damage(seed: number, cases: number, onFailure: OnDamage): Promise<void> {
  const random = seededRandom(seed);
  const past: Image[] = [];
  const database = await databaseAtRest(seed % 2 === 0 ? 'numbers' : 'texts', ROUNDS, (image) =>
    past.push(image),
  );
  const image = imageOf(database.disk);
  const files = [...image];
  for (let i = 0; i < cases; i++) {
    const [path, content] = files[Math.floor(random() * files.length)];
    const disk =
      random() < 0.8
        ? flipped(database, path, Math.floor(random() * content.length), bitOf(random))
        : damaged(database, [[path, replaced(path, content, image, past, random)]]);
    await attempt(database, disk, path, onFailure);
  }
}

/** Flips one bit of every byte of three small databases in turn. Returns how many bytes they have. */
export async function damageEverywhere(seed: number, onFailure: OnDamage): Promise<number> {
  const random = seededRandom(seed);
  let cases = 0;
  for (const keyKind of ['numbers', 'texts', 'expiring'] as const) {
    const database = await databaseAtRest(keyKind);
    for (const [path, content] of imageOf(database.disk)) {
      for (let at = 0; at < content.length; at++, cases++) {
        await attempt(database, flipped(database, path, at, bitOf(random)), path, onFailure);
      }
    }
  }
  return cases;
}

async function attempt(
  database: AtRest,
  disk: ReturnType<typeof flipped>,
  path: string,
  onFailure: OnDamage,
): Promise<void> {
  try {
    const result = await checkDamaged(database, disk.restart(), path);
    const dropped = await salvageDamaged(database, disk);
    if ((result === 'same') !== (dropped.length === 0)) {
      throw new Violation(`${path}: ${result}, but dropped was ${JSON.stringify(dropped)}`);
    }
  } catch (error) {
    onFailure(error);
  }
}

function bitOf(random: Random): number {
  return 1 << Math.floor(random() * 8);
}

/** What may stand in a file's place: its beginning, noise in it, another file of its kind, or what it was. */
function replaced(
  path: string,
  content: Uint8Array,
  image: Image,
  past: readonly Image[],
  random: Random,
): Uint8Array {
  const pick = <T>(from: readonly T[]): T => from[Math.floor(random() * from.length)];
  const at = Math.floor(random() * content.length);
  const what = random();
  if (what < 0.3) return content.slice(0, at);
  if (what < 0.5) {
    const kind = path.replace(SAME_KIND, '');
    return pick([...image].filter(([name]) => name.replace(SAME_KIND, '') === kind))[1];
  }
  if (what < 0.7) return pick(past).get(path) ?? content;
  const changed = content.slice();
  const length = Math.floor(random() ** 3 * 4096);
  for (let i = at; i < Math.min(at + length, content.length); i++) changed[i] = random() * 256;
  return changed;
}
