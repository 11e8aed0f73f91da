/**
 * Numbers out of the bytes of a text, without making a string of most of them. Exact: what JavaScript's own
 * reading of the same text gives.
 */

const ZERO = 48;
const NINE = 57;
const MINUS = 45;
const PLUS = 43;
const POINT = 46;
const EXPONENTS = [69, 101];
/** Powers of ten that are exact as numbers: a product or quotient of two exact numbers is rounded once. */
const POWERS = Array.from({ length: 23 }, (_, i) => Number(`1e${i}`));
const MANTISSA_DIGITS = 15;
const NUMBER = /^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/;
const WORDS: Readonly<Record<string, number>> = {
  nan: Number.NaN,
  inf: Number.POSITIVE_INFINITY,
  '+inf': Number.POSITIVE_INFINITY,
  '-inf': Number.NEGATIVE_INFINITY,
  infinity: Number.POSITIVE_INFINITY,
  '+infinity': Number.POSITIVE_INFINITY,
  '-infinity': Number.NEGATIVE_INFINITY,
};

const NOTHING = undefined;

function textOf(bytes: Uint8Array, start: number, end: number): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start).toString('latin1');
}

/** The integer that the bytes [start, end) are, a bigint where a number is not exact; undefined for none. */
export function integerOf(
  bytes: Uint8Array,
  start: number,
  end: number,
): number | bigint | undefined {
  let at = start;
  const isNegative = bytes[at] === MINUS;
  if (at < end && (isNegative || bytes[at] === PLUS)) at++;
  if (at === end) return NOTHING;
  let value = 0;
  for (let i = at; i < end; i++) {
    const digit = bytes[i] - ZERO;
    if (digit < 0 || digit > 9) return NOTHING;
    value = 10 * value + digit;
  }
  if (end - at <= MANTISSA_DIGITS || value <= Number.MAX_SAFE_INTEGER) {
    return isNegative ? 0 - value : value;
  }
  const magnitude = BigInt(textOf(bytes, at, end));
  return isNegative ? -magnitude : magnitude;
}

/** The number that the bytes [start, end) are; undefined for none. NaN and infinities by their names. */
export function numberOf(bytes: Uint8Array, start: number, end: number): number | undefined {
  let at = start;
  const isNegative = bytes[at] === MINUS;
  if (at < end && (isNegative || bytes[at] === PLUS)) at++;
  let mantissa = 0;
  let digits = 0;
  let decimals = 0;
  let isFraction = false;
  for (; at < end; at++) {
    const byte = bytes[at];
    if (byte >= ZERO && byte <= NINE) {
      mantissa = 10 * mantissa + (byte - ZERO);
      digits++;
      if (isFraction) decimals++;
    } else if (byte === POINT && !isFraction) {
      isFraction = true;
    } else {
      break;
    }
  }
  if (at < end || digits === 0 || digits > MANTISSA_DIGITS) return slow(bytes, start, end, at);
  // Both exact, so that the quotient is rounded once (W. Clinger, How to Read Floating Point Numbers, 1990).
  const value = decimals === 0 ? mantissa : mantissa / POWERS[decimals];
  return isNegative ? -value : value;
}

function slow(bytes: Uint8Array, start: number, end: number, stopped: number): number | undefined {
  if (start === end) return NOTHING;
  const text = textOf(bytes, start, end);
  const isNumber = stopped === end || EXPONENTS.includes(bytes[stopped]);
  if (isNumber && NUMBER.test(text)) return Number(text);
  return WORDS[text.toLowerCase()];
}

const TIME =
  /^(\d{4})-(\d\d)-(\d\d)(?:[T ](\d\d):(\d\d)(?::(\d\d)(?:[.,](\d{1,9}))?)?(Z|[+-]\d\d(?::?\d\d)?)?)?$/i;

/**
 * Milliseconds since 1970 of a text: a whole number of them, or a date as ISO 8601 has it, with a time or
 * without, in UTC where it names no zone. Beyond milliseconds it is cut off. Undefined for none.
 */
export function timeOf(bytes: Uint8Array, start: number, end: number): number | undefined {
  const whole = integerOf(bytes, start, end);
  if (whole !== undefined) return typeof whole === 'number' ? whole : NOTHING;
  return timeOfText(textOf(bytes, start, end));
}

/** The same of a string, dates alone. */
export function timeOfText(text: string): number | undefined {
  const found = TIME.exec(text);
  if (found === null) return NOTHING;
  const [, year, month, day, hour = '0', minute = '0', second = '0', rest = '', zone = 'Z'] = found;
  const time = [year, month, day, hour, minute, second].map(Number);
  return timeOfParts(time as unknown as TimeParts, rest, zone);
}

/** Year, month and day, hours, minutes and seconds. */
export type TimeParts = readonly [number, number, number, number, number, number];

/**
 * Milliseconds since 1970 of a time; undefined where there is no such time.
 * @param fraction of a second: digits behind the point
 * @param zone Z, or a sign, hours and minutes, with a colon or without
 */
export function timeOfParts(
  [y, mo, d, h, mi, s]: TimeParts,
  fraction: string,
  zone: string,
): number | undefined {
  const ms = Math.floor(Number(`0.${fraction || '0'}`) * 1000 + 1e-6);
  const date = new Date(Date.UTC(2000, mo - 1, d, h, mi, s, ms));
  // Years before 100 are years; and 31 February is none.
  date.setUTCFullYear(y, mo - 1, d);
  const isDay = date.getUTCMonth() === mo - 1 && date.getUTCDate() === d;
  const isTime = h >= 0 && h < 24 && mi < 60 && s < 60;
  if (!isDay || !isTime) return NOTHING;
  if (zone.toUpperCase() === 'Z') return date.getTime();
  const sign = zone.startsWith('-') ? 1 : -1;
  const [offsetHours, offsetMinutes] = [zone.slice(1, 3), zone.slice(3).replace(':', '') || '0'];
  return date.getTime() + sign * (Number(offsetHours) * 60 + Number(offsetMinutes)) * 60_000;
}
