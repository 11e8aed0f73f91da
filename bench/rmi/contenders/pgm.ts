/**
 * An index like the PGM (Ferragina and Vinciguerra, "The PGM-index", VLDB 2020): as few lines as can be
 * within ε of every key, found in one pass (O'Rourke, "An on-line algorithm for fitting straight lines
 * between data ranges", CACM 1981), and over their first keys another level of such lines, up to one.
 */
import type { Distances, Predictor } from './predictor.ts';

/** Of the levels above the lowest; as the PGM-index has it. */
const UPPER_EPSILON = 4;

/** A line: its first key, slope, position of its first key on the line. */
const LINE = 3;

export class Pgm implements Predictor {
  readonly radius: number;
  readonly bytes: number;
  /** All levels in one array, the lowest first; each ends with a line that no key reaches. */
  readonly #lines: Float64Array;
  /** Where levels begin in it, in lines; the topmost has one line. */
  readonly #levels: readonly number[];
  readonly #count: number;

  constructor(distances: Distances, epsilon: number) {
    this.#count = distances.length;
    const levels: Float64Array[] = [];
    for (let keys = distances, bound = epsilon; ; bound = UPPER_EPSILON) {
      const lines = linesWithin(keys, bound);
      levels.push(lines);
      const firsts = lines.length / LINE - 1;
      if (firsts === 1) break;
      keys = Float64Array.from({ length: firsts }, (_, i) => lines[LINE * i]);
    }
    const starts: number[] = [];
    let length = 0;
    for (const level of levels) {
      starts.push(length / LINE);
      length += level.length;
    }
    this.#levels = starts;
    this.#lines = new Float64Array(length);
    for (const [i, level] of levels.entries()) this.#lines.set(level, LINE * starts[i]);
    this.bytes = this.#lines.byteLength;
    let radius = 0;
    for (let p = 0; p < distances.length; p++) {
      radius = Math.max(radius, Math.abs(this.predict(distances[p]) - p));
    }
    this.radius = radius;
  }

  predict(x: number): number {
    const lines = this.#lines;
    let at = LINE * this.#levels[this.#levels.length - 1];
    for (let level = this.#levels.length - 2; level >= 0; level--) {
      const begin = LINE * this.#levels[level];
      const end = LINE * (this.#levels[level + 1] - 2);
      let next = begin + LINE * (Math.trunc(lineAt(lines, at, x)) - UPPER_EPSILON - 1);
      if (next < begin) next = begin;
      else if (next > end) next = end;
      // The bound holds for keys that begin a line; the loops are right for all.
      while (next > begin && lines[next] > x) next -= LINE;
      while (lines[next + LINE] <= x) next += LINE;
      at = next;
    }
    // Behind the last key of a line its slope says nothing: no farther than where the next begins.
    const position = Math.min(lineAt(lines, at, x), lines[at + LINE + 2], this.#count);
    return position > 0 ? position >>> 0 : 0;
  }
}

function lineAt(lines: Float64Array, at: number, x: number): number {
  return lines[at + 2] + lines[at + 1] * (x - lines[at]);
}

/** Lines within `epsilon` of every position, and one behind the last. */
function linesWithin(keys: Distances, epsilon: number): Float64Array {
  const fit = new Fit(epsilon);
  let lines = new Float64Array(LINE * 1024);
  let length = 0;
  const end = (): void => {
    if (length + 2 * LINE > lines.length) {
      const larger = new Float64Array(2 * lines.length);
      larger.set(lines);
      lines = larger;
    }
    const { slope, position } = fit.line();
    lines[length] = fit.firstKey;
    lines[length + 1] = slope;
    lines[length + 2] = position;
    length += LINE;
  };
  for (let p = 0; p < keys.length; p++) {
    // Keys that rounding made one are predicted to stand where the first of them does.
    if (p > 0 && keys[p] === keys[p - 1]) continue;
    if (fit.add(keys[p], p)) continue;
    end();
    fit.begin(keys[p], p);
  }
  end();
  lines[length] = Infinity;
  lines[length + 1] = 0;
  lines[length + 2] = keys.length;
  return lines.slice(0, length + LINE);
}

/**
 * One line under way. Points are keys with their positions raised and lowered by ε; the lines that
 * pass between them are bounded by the steepest and the flattest, which touch the convex hulls of the
 * points. Coordinates count from the line's first key.
 */
class Fit {
  firstKey = 0;
  readonly #epsilon: number;
  #firstPosition = 0;
  #count = 0;
  /** Hull of the raised points, from below, and of the lowered ones, from above. */
  readonly #raised = new Hull(1);
  readonly #lowered = new Hull(-1);
  /** The flattest line rises from a raised point to a lowered one, the steepest the other way round. */
  #flat = [0, 0, 0, 0];
  #steep = [0, 0, 0, 0];

  constructor(epsilon: number) {
    this.#epsilon = epsilon;
  }

  begin(key: number, position: number): void {
    this.firstKey = key;
    this.#firstPosition = position;
    this.#count = 1;
    this.#raised.start(0, this.#epsilon);
    this.#lowered.start(0, -this.#epsilon);
  }

  /** Whether a line is within ε of this point as well. If not, nothing has changed. */
  add(key: number, position: number): boolean {
    if (this.#count === 0) {
      this.begin(key, position);
      return true;
    }
    const x = key - this.firstKey;
    const high = position - this.#firstPosition + this.#epsilon;
    const low = high - 2 * this.#epsilon;
    if (this.#count === 1) {
      this.#flat = [0, this.#epsilon, x, low];
      this.#steep = [0, -this.#epsilon, x, high];
      this.#raised.push(x, high);
      this.#lowered.push(x, low);
      this.#count = 2;
      return true;
    }
    const flat = at(this.#flat, x);
    const steep = at(this.#steep, x);
    if (high < flat || low > steep) return false;
    if (high < steep) this.#steep = this.#lowered.tangent(x, high, -1);
    if (low > flat) this.#flat = this.#raised.tangent(x, low, 1);
    this.#raised.push(x, high);
    this.#lowered.push(x, low);
    this.#count++;
    return true;
  }

  /** A line through where the flattest and the steepest cross, with a slope between theirs. */
  line(): { slope: number; position: number } {
    if (this.#count === 1) return { slope: 0, position: this.#firstPosition };
    const [ax, ay] = this.#flat;
    const [bx, by] = this.#steep;
    const flat = slopeOf(this.#flat);
    const steep = slopeOf(this.#steep);
    const slope = (flat + steep) / 2;
    const x = steep > flat ? (ay - by + steep * bx - flat * ax) / (steep - flat) : ax;
    const y = ay + flat * (x - ax);
    return { slope, position: this.#firstPosition + y - slope * x };
  }
}

function slopeOf([ax, ay, bx, by]: readonly number[]): number {
  return (by - ay) / (bx - ax);
}

function at(line: readonly number[], x: number): number {
  return line[1] + slopeOf(line) * (x - line[0]);
}

/** Points with ascending x; only those that a straight edge laid against one side touches. */
class Hull {
  readonly #side: 1 | -1;
  #xs: number[] = [];
  #ys: number[] = [];
  /** Points before this one are out of reach of any later tangent. */
  #from = 0;

  constructor(side: 1 | -1) {
    this.#side = side;
  }

  start(x: number, y: number): void {
    this.#xs = [x];
    this.#ys = [y];
    this.#from = 0;
  }

  push(x: number, y: number): void {
    const xs = this.#xs;
    const ys = this.#ys;
    while (xs.length >= this.#from + 2) {
      const b = xs.length - 1;
      const a = b - 1;
      const turn = (xs[b] - xs[a]) * (y - ys[a]) - (ys[b] - ys[a]) * (x - xs[a]);
      if (turn * this.#side > 0) break;
      xs.pop();
      ys.pop();
    }
    xs.push(x);
    ys.push(y);
  }

  /** The line through a point of the hull and this one with the largest (1) or least (−1) slope. */
  tangent(x: number, y: number, want: 1 | -1): number[] {
    const xs = this.#xs;
    const ys = this.#ys;
    let best = this.#from;
    let slope = (y - ys[best]) / (x - xs[best]);
    for (let i = best + 1; i < xs.length; i++) {
      const other = (y - ys[i]) / (x - xs[i]);
      if ((other - slope) * want < 0) break;
      slope = other;
      best = i;
    }
    this.#from = best;
    return [xs[best], ys[best], x, y];
  }
}
