/**
 * The doorbell's protocol as small step machines, and a walk through every interleaving of them.
 *
 * One step is one access to shared memory; what happens between two of them is private to its thread.
 * Programs are data, so that the same walk finds what is wrong with wrong ones. Each ringer has a ring
 * to the sleeper, which looks at one after the other. Numbers are reduced to what the protocol can
 * tell: whether there was a bump since the count was read, how far a ring's head is behind its tail.
 * A wake-up is lost where nothing can move any more and the sleeper has not seen the work of somebody
 * who finished ringing for it.
 */

export type RingerStep =
  | 'publish'
  | 'skip-unless-drained'
  | 'bump'
  | 'load-asleep'
  | 'swap-asleep'
  | 'notify';
export type SleeperStep =
  | 'read'
  | 'look'
  | 'release'
  | 'release-and-go-on'
  | 'arm'
  | 'arm-unless-pending'
  | 'wait'
  | 'wait-unchecked'
  | 'wait-async'
  | 'disarm'
  | 'disarm-unless-pending';

export interface Protocol {
  readonly ringer: readonly RingerStep[];
  readonly sleeper: readonly SleeperStep[];
  /** What the sleeper may do of its own accord while an asynchronous wait is pending. */
  readonly meanwhile?: readonly SleeperStep[];
}

/** As in doorbell.ts: `ring` after every publish, `sleepSync` after a look that found nothing. */
export const SYNC: Protocol = {
  ringer: ['publish', 'bump', 'load-asleep', 'notify'],
  sleeper: ['read', 'look', 'release', 'arm', 'wait', 'disarm-unless-pending'],
};

/** As in doorbell.ts: `sleepAsync`, of which one is outstanding at most, and any call meanwhile. */
export const ASYNC: Protocol = {
  ringer: SYNC.ringer,
  sleeper: ['read', 'look', 'release', 'arm-unless-pending', 'wait-async', 'disarm'],
  meanwhile: SYNC.sleeper,
};

/** `ring` only where `publish` returned true: the consumer had released all that was there before. */
export const SPARING: Protocol = {
  ringer: ['publish', 'skip-unless-drained', 'bump', 'load-asleep', 'notify'],
  sleeper: SYNC.sleeper,
};

export const SPARING_ASYNC: Protocol = { ...ASYNC, ringer: SPARING.ringer };

export interface Size {
  readonly ringers: number;
  /** How often each of them publishes and rings. */
  readonly rings: number;
  /** How many ringers may stop dead, between any two steps. */
  readonly deaths?: number;
  /** How many waits may time out. */
  readonly timeouts?: number;
  /** How often the sleeper starts on `meanwhile`, which ends in another wait. */
  readonly polls?: number;
}

interface Ringer {
  pc: number;
  left: number;
  sawAsleep: boolean;
  /** Of its ring: frames published but not taken, and taken but not released. */
  behind: number;
  held: number;
  /** It has rung for everything in there, as far as it rings. */
  owed: boolean;
}

interface State {
  /** Shared: a bump since the sleeper's last `read`, which is all that comparing the count tells. */
  bumped: boolean;
  asleep: boolean;
  program: 'sleeper' | 'meanwhile';
  pc: number;
  /** The ring that is looked at, or released, next; and whether this look found anything so far. */
  ring: number;
  found: boolean;
  /** Where the sleeper is: at its next step, inside a blocking wait, or back in its event loop. */
  at: 'step' | 'wait' | 'loop';
  /** An asynchronous waiter is in V8's list; its promise has not run its continuation. */
  queued: boolean;
  pending: boolean;
  deaths: number;
  timeouts: number;
  polls: number;
  ringers: Ringer[];
}

interface Visit {
  readonly state: State;
  readonly step: string;
  readonly before: Visit | undefined;
}

export interface Outcome {
  readonly states: number;
  readonly ends: number;
  /** The steps that lead to a lost wake-up, the first one found; empty where none can be lost. */
  readonly lost: readonly string[];
}

/** Visits every state that the protocol can reach. */
export function explore(protocol: Protocol, size: Size): Outcome {
  const start: State = {
    bumped: false,
    asleep: false,
    program: 'sleeper',
    pc: 0,
    ring: 0,
    found: false,
    at: 'step',
    queued: false,
    pending: false,
    deaths: size.deaths ?? 0,
    timeouts: size.timeouts ?? 0,
    polls: size.polls ?? 0,
    ringers: Array.from({ length: size.ringers }, () => ({
      pc: 0,
      left: size.rings,
      sawAsleep: false,
      behind: 0,
      held: 0,
      owed: false,
    })),
  };
  const seen = new Set([keyOf(start)]);
  const open: Visit[] = [{ state: start, step: 'start', before: undefined }];
  let ends = 0;
  for (let visit = open.pop(); visit !== undefined; visit = open.pop()) {
    const moves = movesOf(protocol, visit.state);
    if (moves.every(({ step }) => step.startsWith('death'))) {
      ends++;
      if (visit.state.ringers.some(({ owed }) => owed))
        return { states: seen.size, ends, lost: traceOf(visit) };
    }
    for (const { step, state } of moves) {
      const key = keyOf(state);
      if (seen.has(key)) continue;
      seen.add(key);
      open.push({ state, step, before: visit });
    }
  }
  return { states: seen.size, ends, lost: [] };
}

/** All values, one character each: none is above 9. */
function keyOf({ ringers, program, at, ...own }: State): string {
  let key = program[0] + at;
  for (const value of Object.values(own)) key += Number(value);
  for (const ringer of ringers) for (const value of Object.values(ringer)) key += Number(value);
  return key;
}

function traceOf(visit: Visit): string[] {
  const steps: string[] = [];
  for (let at: Visit | undefined = visit; at !== undefined; at = at.before) steps.push(at.step);
  return steps.reverse();
}

function movesOf(protocol: Protocol, from: State): { step: string; state: State }[] {
  const moves: { step: string; state: State }[] = [];
  const move = (step: string, change: (state: State) => void) => {
    const state = { ...from, ringers: from.ringers.map((ringer) => ({ ...ringer })) };
    change(state);
    moves.push({ step, state });
  };
  for (const [i, ringer] of from.ringers.entries()) {
    if (ringer.left === 0) continue;
    const step = protocol.ringer[ringer.pc];
    move(`ringer ${i}: ${step}`, (state) => stepRinger(protocol, state, state.ringers[i]));
    if (from.deaths > 0)
      move(`death of ringer ${i}`, (state) => {
        state.deaths--;
        state.ringers[i].left = 0;
      });
  }
  if (from.at === 'step') {
    const step = programOf(protocol, from)[from.pc];
    move(`sleeper: ${step}`, (state) => stepSleeper(protocol, state));
  } else if (from.at === 'wait') {
    if (from.timeouts > 0)
      move('sleeper: time-out', (state) => {
        state.timeouts--;
        state.at = 'step';
      });
  } else {
    if (!from.queued)
      move('sleeper: continuation', (state) => {
        state.pending = false;
        state.asleep = false;
        begin(state, 'sleeper');
      });
    if (from.polls > 0)
      move('sleeper: turns to something else', (state) => {
        state.polls--;
        begin(state, 'meanwhile');
      });
  }
  return moves;
}

function programOf(protocol: Protocol, state: State): readonly SleeperStep[] {
  return (state.program === 'meanwhile' && protocol.meanwhile) || protocol.sleeper;
}

function begin(state: State, program: State['program']): void {
  state.at = 'step';
  state.program = program;
  state.pc = 0;
  state.ring = 0;
  state.found = false;
}

function stepRinger(protocol: Protocol, state: State, ringer: Ringer): void {
  switch (protocol.ringer[ringer.pc]) {
    case 'publish':
      ringer.behind++;
      break;
    case 'skip-unless-drained':
      if (ringer.behind + ringer.held !== 1) ringer.pc = protocol.ringer.length - 1;
      break;
    case 'bump':
      state.bumped = true;
      break;
    case 'load-asleep':
      ringer.sawAsleep = state.asleep;
      break;
    case 'swap-asleep':
      ringer.sawAsleep = state.asleep;
      state.asleep = false;
      break;
    case 'notify':
      if (!ringer.sawAsleep) break;
      state.queued = false;
      if (state.at === 'wait') state.at = 'step';
      break;
  }
  if (++ringer.pc < protocol.ringer.length) return;
  ringer.pc = 0;
  ringer.left--;
  ringer.owed = ringer.behind > 0;
}

function stepSleeper(protocol: Protocol, state: State): void {
  const program = programOf(protocol, state);
  const step = program[state.pc];
  if (step === 'look' || step === 'release' || step === 'release-and-go-on') {
    const ringer = state.ringers[state.ring++];
    if (step === 'look') {
      state.found ||= ringer.behind > 0;
      ringer.held += ringer.behind;
      ringer.behind = 0;
      ringer.owed = false;
    } else ringer.held = 0;
    if (state.ring < state.ringers.length) return;
    state.ring = 0;
    if (step === 'release' && state.found) {
      begin(state, state.program);
      return;
    }
  }
  if (++state.pc === program.length) begin(state, 'sleeper');
  switch (step) {
    case 'read':
      state.bumped = false;
      break;
    case 'arm':
      state.asleep = true;
      break;
    case 'arm-unless-pending':
      state.asleep ||= !state.pending;
      break;
    case 'disarm':
      state.asleep = false;
      break;
    case 'disarm-unless-pending':
      state.asleep &&= state.pending;
      break;
    case 'wait':
      if (!state.bumped) state.at = 'wait';
      break;
    case 'wait-unchecked':
      state.at = 'wait';
      break;
    case 'wait-async':
      if (!state.pending && state.bumped) break;
      if (!state.pending) state.queued = true;
      state.pending = true;
      state.at = 'loop';
      break;
  }
}
