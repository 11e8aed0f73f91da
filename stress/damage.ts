/** Damage at rest, drawn from a seed: a database of many rounds, of which a few bytes change, or a file. */
import { seededRandom } from '../src/storage/model-file.ts';
import {
  type AtRest,
  damaged,
  databaseAtRest,
  flipped,
  imageOf,
  openDamaged,
} from '../test/shard-worker/at-rest.ts';

const ROUNDS = 12;

/**
 * Runs so many cases over one database.
 * @param onFailure hears of each wrong answer, and of each error without a code or a place
 */
export async function damage(
  seed: number,
  cases: number,
  onFailure: (error: unknown) => void,
): Promise<void> {
  const random = seededRandom(seed);
  const database = await databaseAtRest(seed % 2 === 0 ? 'numbers' : 'texts', ROUNDS);
  const files = [...imageOf(database.disk)];
  for (let i = 0; i < cases; i++) {
    try {
      await openDamaged(database, draw(database, files, random));
    } catch (error) {
      onFailure(error);
    }
  }
}

function draw(
  database: AtRest,
  files: readonly (readonly [string, Uint8Array])[],
  random: () => number,
) {
  const [path, content] = files[Math.floor(random() * files.length)];
  const at = Math.floor(random() * content.length);
  const what = random();
  if (what < 0.8) return flipped(database, path, at, 1 << Math.floor(random() * 8));
  if (what < 0.9) return damaged(database, [[path, content.slice(0, at)]]);
  const changed = content.slice();
  const length = Math.floor(random() ** 3 * 4096);
  for (let i = at; i < Math.min(at + length, content.length); i++) changed[i] = random() * 256;
  return damaged(database, [[path, changed]]);
}
