/** Writes as a server has them: many are under way, and each is waited for by itself. */
import type { Key, Rows, Value } from './rows.ts';

/** Puts that are under way at a time. */
export const IN_FLIGHT = 1024;

/** Each of so many writers waits for its put before it takes up the next row. */
export async function byWriters(
  { keys, values }: Rows,
  put: (key: Key, value: Value) => unknown,
): Promise<void> {
  let next = 0;
  const writer = async (): Promise<void> => {
    while (next < keys.length) {
      const i = next++;
      await put(keys[i], values[i]);
    }
  };
  await Promise.all(Array.from({ length: Math.min(IN_FLIGHT, keys.length) }, writer));
}

/** Rows in groups of so many, for engines that are quicker when somebody collects what is under way. */
export function* groups({ keys, values }: Rows, size: number): Generator<Rows> {
  for (let from = 0; from < keys.length; from += size) {
    yield { keys: part(keys, from, from + size), values: part(values, from, from + size) };
  }
}

/** Numbers where they are. */
function part<Items extends Float64Array | readonly string[]>(
  items: Items,
  from: number,
  to: number,
) {
  return items instanceof Float64Array ? items.subarray(from, to) : items.slice(from, to);
}
