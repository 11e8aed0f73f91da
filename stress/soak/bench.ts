/** What an operation of a lane has to work with. */
import type { Random } from '../../src/storage/model-file.ts';
import type { Board } from './board.ts';
import type { Sessions, Table } from './databases.ts';
import { type Layout, regionOf } from './layout.ts';
import type { Oracle } from './oracle.ts';

export interface Bench {
  readonly lane: number;
  readonly layout: Layout;
  readonly oracle: Oracle;
  readonly board: Board;
  readonly table: Table;
  readonly sessions: Sessions;
  readonly random: Random;
  readonly tolerance: Int32Array;
  /** Called with what is wrong, whenever something is. */
  readonly onFault: (what: string) => void;
}

export function faultAt({ layout, onFault }: Bench, index: number, what: string): void {
  onFault(`key ${index} (${regionOf(layout, index).name}): ${what}`);
}
