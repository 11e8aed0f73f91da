/**
 * Whether a concurrent history of one key is linearizable: whether its operations can be put into one
 * order that each of them fits its answer, and in which none comes before one that had ended before it
 * began. The search of Wing and Gong (JPDC 17, 1993) with the memory of Lowe (CCPE 29, 2017): no set of
 * operations is tried twice in one state. Keys are independent of each other, so each is searched alone.
 */

/** The stamp of a row, or null: there is none. */
export type State = number | null;

/** An operation on one key, and what it was told. */
export type Done =
  | { readonly op: 'get'; readonly found: State }
  | { readonly op: 'write'; readonly stamp: State }
  /** A write with a condition: the state that has to be there, or any but none. */
  | {
      readonly op: 'writeIf';
      readonly wanted: State | 'any';
      readonly stamp: State;
      readonly isDone: boolean;
    }
  /** What `update` found last, and wrote. */
  | { readonly op: 'update'; readonly found: State; readonly stamp: State };

/** An operation with when it was begun and answered: all those times of a history differ. */
export interface Timed {
  readonly done: Done;
  readonly begun: number;
  /** Infinite where nobody knows whether it was done. */
  readonly answered: number;
}

/** The state after the operation, or undefined: it does not fit what it was told. */
function after(state: State, done: Done): State | undefined {
  if (done.op === 'write') return done.stamp;
  if (done.op === 'get') return done.found === state ? state : undefined;
  if (done.op === 'update') return done.found === state ? done.stamp : undefined;
  const holds = done.wanted === 'any' ? state !== null : done.wanted === state;
  if (holds !== done.isDone) return undefined;
  return holds ? done.stamp : state;
}

/** The beginning or the answer of an operation, in a list of those that are not put in order yet. */
interface Event {
  readonly operation: number;
  readonly answer: Event | null;
  previous: Event | null;
  next: Event | null;
}

function listOf(history: readonly Timed[]): Event {
  const events: { readonly at: number; readonly event: Event }[] = [];
  for (const [operation, { begun, answered }] of history.entries()) {
    const answer: Event = { operation, answer: null, previous: null, next: null };
    const isKnown = answered !== Number.POSITIVE_INFINITY;
    if (isKnown) events.push({ at: answered, event: answer });
    events.push({ at: begun, event: { operation, answer, previous: null, next: null } });
  }
  const head: Event = { operation: -1, answer: null, previous: null, next: null };
  let last = head;
  for (const { event } of events.sort((a, b) => a.at - b.at)) {
    event.previous = last;
    last.next = event;
    last = event;
  }
  return head;
}

function takeOut(event: Event): void {
  if (event.previous !== null) event.previous.next = event.next;
  if (event.next !== null) event.next.previous = event.previous;
}

function putBack(event: Event): void {
  if (event.previous !== null) event.previous.next = event;
  if (event.next !== null) event.next.previous = event;
}

/** Whether there is an order for the history of a key that had no row at first. */
export function isLinearizable(history: readonly Timed[]): boolean {
  const head = listOf(history);
  const isKnown = (operation: number) => history[operation].answered !== Number.POSITIVE_INFINITY;
  let left = history.filter((_, operation) => isKnown(operation)).length;
  const ordered = new Uint8Array(Math.ceil(history.length / 8));
  const flip = (operation: number): void => {
    ordered[operation >>> 3] ^= 1 << (operation & 7);
  };
  const tried = new Set<string>();
  const path: { readonly event: Event; readonly before: State }[] = [];
  let state: State = null;
  let event = head.next;
  // Operations whose outcome is unknown need not have happened.
  while (left > 0) {
    if (event?.answer) {
      const { operation, answer } = event;
      const next = after(state, history[operation].done);
      flip(operation);
      const name = `${next} ${Buffer.from(ordered).toString('latin1')}`;
      if (next !== undefined && !tried.has(name)) {
        tried.add(name);
        path.push({ event, before: state });
        state = next;
        takeOut(event);
        if (isKnown(operation)) {
          takeOut(answer);
          left--;
        }
        event = head.next;
      } else {
        flip(operation);
        event = event.next;
      }
      continue;
    }
    // An answer: what it is to has to come before whatever begins behind it. So one before was wrong.
    const last = path.pop();
    if (last === undefined) return false;
    const { operation, answer } = last.event;
    if (answer !== null && isKnown(operation)) {
      putBack(answer);
      left++;
    }
    putBack(last.event);
    flip(operation);
    state = last.before;
    event = last.event.next;
  }
  return true;
}
