/** What a stress run is made of, whatever it does: cases, so many to a seed, which replay from it. */
import { crashAnywhere, crashEverywhere } from './crash.ts';
import { damage } from './damage.ts';
import { killLife } from './kill.ts';
import { FILE_SYSTEMS, obstacle, plugLife } from './plug.ts';

/** Hears of each failure, with the arguments that replay it. */
export type OnFailure = (replay: string, error: unknown) => void;

export interface Campaign {
  /** As the journal has it. */
  readonly run: string;
  /** Cases that are run with one seed; infinite where they are what there is. */
  readonly casesPerSeed: number;
  /** Why nothing can be run here, or null. */
  readonly obstacle: string | null;
  /** Returns how many cases were run: `cases`, unless there are no more. */
  runSeed(seed: number, cases: number, onFailure: OnFailure): Promise<number>;
}

/** One life, in which a case is a death: the first failure ends it. */
async function life(
  replay: string,
  onFailure: OnFailure,
  live: () => Promise<void>,
): Promise<void> {
  try {
    await live();
  } catch (error) {
    onFailure(replay, error);
  }
}

const RANDOM_CRASHES: Campaign = {
  run: 'crash A',
  casesPerSeed: 500,
  obstacle: null,
  async runSeed(seed, cases, onFailure) {
    await crashAnywhere(seed, cases, (name, error) => onFailure(`crash --case '${name}'`, error));
    return cases;
  },
};

const EVERY_CRASH: Campaign = {
  run: 'crash A everywhere',
  casesPerSeed: Number.POSITIVE_INFINITY,
  obstacle: null,
  runSeed: (seed, _cases, onFailure) =>
    crashEverywhere(seed, (name, error) => onFailure(`crash --case '${name}'`, error)),
};

const KILLS: Campaign = {
  run: 'crash B',
  casesPerSeed: 8,
  obstacle: null,
  async runSeed(seed, cases, onFailure) {
    const replay = `crash --layer B --seed ${seed} --cases ${cases}`;
    await life(replay, onFailure, () => killLife(seed, cases));
    return cases;
  },
};

function plugs(): Campaign[] {
  return FILE_SYSTEMS.map((fileSystem) => ({
    run: `crash C ${fileSystem}`,
    casesPerSeed: 8,
    obstacle: obstacle(fileSystem),
    async runSeed(seed, cases, onFailure) {
      const replay = `crash --layer C --seed ${seed} --cases ${cases}`;
      await life(replay, onFailure, () => plugLife(fileSystem, seed, cases));
      return cases;
    },
  }));
}

const DAMAGE: Campaign = {
  run: 'damage',
  casesPerSeed: 1000,
  obstacle: null,
  async runSeed(seed, cases, onFailure) {
    await damage(seed, cases, (error) =>
      onFailure(`damage --seed ${seed} --cases ${cases}`, error),
    );
    return cases;
  },
};

/** The campaigns of a command and its options; none where there are no such. */
export function campaignsOf(command: string, layer: string, everywhere: boolean): Campaign[] {
  if (command === 'damage') return [DAMAGE];
  if (command !== 'crash') return [];
  if (layer === 'A') return [everywhere ? EVERY_CRASH : RANDOM_CRASHES];
  if (layer === 'B') return [KILLS];
  return layer === 'C' ? plugs() : [];
}
