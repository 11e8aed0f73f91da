/** A clock for databases whose rows expire: time passes only when a test says so, in all threads. */
import type { Control } from '../../src/view/control.ts';

/** In the year 2286: by the system's clock, which holds while a database is opened, nothing expires. */
export const BEGINNING = 10 ** 13;

/** What the threads of a database share, of a `Database` or an attached one. */
function controlOf(db: object): Control {
  return (db as { readonly reader: { readonly control: Control } }).reader.control;
}

export function timeOf(db: object): number {
  return controlOf(db).nowMs;
}

export function setTime(db: object, nowMs: number): void {
  controlOf(db).setNow(nowMs);
}
