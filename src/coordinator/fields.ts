/** The fields a caller may name: the columns, and the key. */
import { OmenError } from '../errors.ts';
import type { Schema } from '../schema/schema.ts';
import { show } from '../schema/show.ts';
import { KEY } from '../view/gather.ts';

/**
 * The number of the column of that name, or KEY.
 * @param besides what else may stand there, a sentence for the message
 * @throws OMEN_UNKNOWN_COLUMN
 */
export function fieldNamed(schema: Schema, name: unknown, besides = ''): number {
  if (name === 'key') return KEY;
  const index = schema.columns.findIndex((column) => column.name === name);
  if (index >= 0) return index;
  const known = schema.columns.map((column) => column.name).join(', ');
  throw new OmenError(
    'OMEN_UNKNOWN_COLUMN',
    `There is no column ${show(name)}; there are key, ${known}.${besides}`,
  );
}
