/** What a stress run is made of, whatever it does: cases, so many to a seed, which replay from it. */
import { crashAnywhere, crashEverywhere } from './crash.ts';
import { damage, damageEverywhere } from './damage.ts';
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
  obstacle(): string | null;
  /** The arguments that run so many cases of a seed again. */
  replay(seed: number, cases: number): string;
  /** Returns how many cases were run: `cases`, unless there are no more. */
  runSeed(seed: number, cases: number, onFailure: OnFailure): Promise<number>;
}

const NONE = () => null;

function replayer(command: string): Campaign['replay'] {
  return (seed, cases) => {
    return `${command} --seed ${seed}${Number.isFinite(cases) ? ` --cases ${cases}` : ''}`;
  };
}

/** Seeds of lives, in each of which a case is a death: the first failure ends it. */
function lives(
  run: string,
  replay: Campaign['replay'],
  live: (seed: number, cases: number) => Promise<void>,
): Pick<Campaign, 'run' | 'casesPerSeed' | 'replay' | 'runSeed'> {
  return {
    run,
    casesPerSeed: 8,
    replay,
    async runSeed(seed, cases, onFailure) {
      try {
        await live(seed, cases);
      } catch (error) {
        onFailure(replay(seed, cases), error);
      }
      return cases;
    },
  };
}

const RANDOM_CRASHES: Campaign = {
  run: 'crash A',
  casesPerSeed: 500,
  obstacle: NONE,
  replay: replayer('crash'),
  async runSeed(seed, cases, onFailure) {
    await crashAnywhere(seed, cases, (name, error) => onFailure(`crash --case '${name}'`, error));
    return cases;
  },
};

const EVERY_CRASH: Campaign = {
  run: 'crash A everywhere',
  casesPerSeed: Number.POSITIVE_INFINITY,
  obstacle: NONE,
  replay: replayer('crash --everywhere'),
  runSeed: (seed, _cases, onFailure) =>
    crashEverywhere(seed, (name, error) => onFailure(`crash --case '${name}'`, error)),
};

const KILLS: Campaign = {
  ...lives('crash B', replayer('crash --layer B'), killLife),
  obstacle: NONE,
};

const PLUGS: readonly Campaign[] = FILE_SYSTEMS.map((fileSystem) => ({
  ...lives(`crash C ${fileSystem}`, replayer('crash --layer C'), (seed, cuts) =>
    plugLife(fileSystem, seed, cuts),
  ),
  obstacle: () => obstacle(fileSystem),
}));

const DAMAGE: Campaign = {
  run: 'damage',
  casesPerSeed: 1000,
  obstacle: NONE,
  replay: replayer('damage'),
  async runSeed(seed, cases, onFailure) {
    await damage(seed, cases, (error) => onFailure(this.replay(seed, cases), error));
    return cases;
  },
};

const EVERY_BYTE: Campaign = {
  run: 'damage everywhere',
  casesPerSeed: Number.POSITIVE_INFINITY,
  obstacle: NONE,
  replay: replayer('damage --everywhere'),
  runSeed(seed, cases, onFailure) {
    return damageEverywhere(seed, (error) => onFailure(this.replay(seed, cases), error));
  },
};

/** The campaigns of a command and its options; none where there are no such. */
export function campaignsOf(
  command: string,
  layer: string,
  everywhere: boolean,
): readonly Campaign[] {
  if (command === 'damage') return [everywhere ? EVERY_BYTE : DAMAGE];
  if (command !== 'crash') return [];
  if (layer === 'A') return [everywhere ? EVERY_CRASH : RANDOM_CRASHES];
  if (layer === 'B') return [KILLS];
  return layer === 'C' ? PLUGS : [];
}

/** The campaign that the journal has under this name. */
export function campaignOf(run: string): Campaign {
  const all = [RANDOM_CRASHES, EVERY_CRASH, KILLS, ...PLUGS, DAMAGE, EVERY_BYTE];
  const found = all.find((campaign) => campaign.run === run);
  if (found === undefined) throw new Error(`There is no run "${run}".`);
  return found;
}
