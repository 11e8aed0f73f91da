/**
 * Numbers and times as ASCII text, written into bytes without making a string of most of them. Exact: what
 * is written is what JavaScript's own conversion gives (`String`, but for −0, which keeps its sign), and
 * what load/text-number.ts reads as the same value.
 *
 * Every function writes at `at`, and returns where its text ends. The caller has made room for
 * NUMBER_BYTES_MAX.
 */

/** No number or time takes more. */
export const NUMBER_BYTES_MAX = 32;

const ZERO = 48;
const MINUS = 45;
const POINT = 46;
const COLON = 58;
const TWO_32 = 4294967296;
const DAY_MS = 86_400_000;
/** From 0000-01-01 up to the end of 9999-12-31: years that ISO 8601 writes with four digits. */
const ISO_MS_MIN = -62_167_219_200_000;
const ISO_MS_MAX = 253_402_300_799_999;
/** Below, a number of so many digits has no shorter form that means it. */
const DIGITS_15 = 1e15;
const DECIMALS_MAX = 6;
const POWERS = Array.from({ length: DECIMALS_MAX + 1 }, (_, i) => 10 ** i);

function writeText(to: Uint8Array, at: number, text: string): number {
  for (let i = 0; i < text.length; i++) to[at + i] = text.charCodeAt(i);
  return at + text.length;
}

/** @param value a whole number from 0 up to 2^53 − 1 */
function writeDigits(to: Uint8Array, at: number, value: number): number {
  let digits = 1;
  for (let bound = 10; bound <= value; bound *= 10) digits++;
  const end = at + digits;
  let rest = value;
  let place = end;
  // Division of what does not fit into 32 bits is slow: nine digits at a time.
  while (rest > 0xffffffff) {
    const high = Math.floor(rest / 1e9);
    let low = (rest - high * 1e9) >>> 0;
    for (let i = 0; i < 9; i++) {
      const tenth = (low / 10) >>> 0;
      to[--place] = ZERO + low - 10 * tenth;
      low = tenth;
    }
    rest = high;
  }
  let low = rest >>> 0;
  while (place > at) {
    const tenth = (low / 10) >>> 0;
    to[--place] = ZERO + low - 10 * tenth;
    low = tenth;
  }
  return end;
}

/** @param value an integer within ±(2^53 − 1) */
export function writeInteger(to: Uint8Array, at: number, value: number): number {
  if (value >= 0) return writeDigits(to, at, value);
  to[at] = MINUS;
  return writeDigits(to, at + 1, -value);
}

/** The signed integer of two words. */
export function writeInt64(to: Uint8Array, at: number, lo: number, hi: number): number {
  const value = (hi | 0) * TWO_32 + lo;
  if (Number.isSafeInteger(value)) return writeInteger(to, at, value);
  return writeText(to, at, String((BigInt(hi | 0) << 32n) | BigInt(lo)));
}

export function writeUint64(to: Uint8Array, at: number, lo: number, hi: number): number {
  const value = hi * TWO_32 + lo;
  if (Number.isSafeInteger(value)) return writeDigits(to, at, value);
  return writeText(to, at, String((BigInt(hi) << 32n) | BigInt(lo)));
}

/** NaN and infinities by their names. */
export function writeDouble(to: Uint8Array, at: number, value: number): number {
  const magnitude = Math.abs(value);
  if (magnitude < DIGITS_15) {
    for (let decimals = 0; decimals <= DECIMALS_MAX; decimals++) {
      const power = POWERS[decimals];
      const scaled = Math.floor(magnitude * power + 0.5);
      if (scaled >= DIGITS_15) break;
      // Fifteen digits at most that mean this number are its only ones, so no shorter text does. Both are
      // exact, so that the quotient is what reading the text gives.
      if (scaled / power === magnitude) {
        const isNegative = value < 0 || Object.is(value, -0);
        if (isNegative) to[at++] = MINUS;
        if (decimals === 0) return writeDigits(to, at, scaled);
        const whole = Math.floor(magnitude);
        const point = writeDigits(to, at, whole);
        to[point] = POINT;
        return writePadded(to, point + 1, scaled - whole * power, decimals);
      }
    }
  }
  return writeText(to, at, String(value));
}

/** The shortest text that means this float32. */
export function writeFloat(to: Uint8Array, at: number, value: number): number {
  if (!Number.isFinite(value) || value === 0) return writeDouble(to, at, value);
  for (let digits = 6; digits < 9; digits++) {
    const short = Number(value.toPrecision(digits));
    if (Math.fround(short) === value) return writeDouble(to, at, short);
  }
  return writeDouble(to, at, Number(value.toPrecision(9)));
}

/** A whole number with zeros before it, of so many digits. */
function writePadded(to: Uint8Array, at: number, value: number, digits: number): number {
  let rest = value;
  for (let place = at + digits - 1; place >= at; place--) {
    const tenth = (rest / 10) >>> 0;
    to[place] = ZERO + rest - 10 * tenth;
    rest = tenth;
  }
  return at + digits;
}

/** Whether a time is written as ISO 8601 has it, and not as milliseconds. */
export function isIso(ms: number): boolean {
  return ms >= ISO_MS_MIN && ms <= ISO_MS_MAX;
}

/** Of times that follow each other most are of one day, whose date is written once. */
const date = new Uint8Array(10);
let dateOf = Number.NaN;

function setDate(day: number): void {
  dateOf = day;
  const at = new Date(day * DAY_MS);
  writePadded(date, 0, at.getUTCFullYear(), 4);
  date[4] = MINUS;
  writePadded(date, 5, at.getUTCMonth() + 1, 2);
  date[7] = MINUS;
  writePadded(date, 8, at.getUTCDate(), 2);
}

/** 2026-01-01T12:00:00Z, with milliseconds where there are any. @param ms one that `isIso` */
export function writeIso(to: Uint8Array, at: number, ms: number): number {
  const day = Math.floor(ms / DAY_MS);
  if (day !== dateOf) setDate(day);
  for (let i = 0; i < 10; i++) to[at + i] = date[i];
  const rest = ms - day * DAY_MS;
  const seconds = (rest / 1000) >>> 0;
  const thousandths = rest - 1000 * seconds;
  const minutes = (seconds / 60) >>> 0;
  const hours = (minutes / 60) >>> 0;
  to[at + 10] = 84; // T
  writePadded(to, at + 11, hours, 2);
  to[at + 13] = COLON;
  writePadded(to, at + 14, minutes - 60 * hours, 2);
  to[at + 16] = COLON;
  let end = writePadded(to, at + 17, seconds - 60 * minutes, 2);
  if (thousandths > 0) {
    to[end] = POINT;
    end = writePadded(to, end + 1, thousandths, 3);
  }
  to[end] = 90; // Z
  return end + 1;
}
