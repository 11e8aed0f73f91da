/**
 * How a text writes times, as a caller says it: as whole or broken seconds since 1970, as thousandths,
 * millionths or billionths of them, as ISO 8601 has it, or by a pattern such as `DD/MM/YYYY HH:mm:ss[.fff]`.
 *
 *   YYYY MM M MMM DD D    year, month (by its English name: MMM), day; with one letter, of one digit or two
 *   HH H hh h A           hours, to 23 or to 12 with AM or PM
 *   mm ss fff             minutes, seconds, a fraction of one to nine digits; MM and SS behind HH mean the same
 *   Z                     Z, or hours and minutes from UTC; without it, times are in UTC
 *   [ … ]                 may be left out
 */
import { OmenError } from '../errors.ts';
import { show } from '../schema/show.ts';
import { timeOfParts, timeOfText } from './text-number.ts';

/** Milliseconds since 1970; undefined for what is no time in this format. */
export type ReadTime = (text: string) => number | undefined;

const MONTHS = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'];
const PER_MS = { us: 1000n, ns: 1_000_000n } as const;
const TOKEN = /YYYY|MMM|MM|M|DD|D|HH|H|hh|h|mm|ss|SS|f+|SSS|A|Z|\[|\]|[\s\S]/g;
/** Where a Date ends. */
const MS_MAX = 8.64e15;

/** Compiled ones: every block of a text asks for the same few. */
const compiled = new Map<string, ReadTime>();

/** @throws OMEN_INVALID_OPTIONS for a pattern without year, month and day, or with brackets that do not match */
export function readTime(format: string): ReadTime {
  const known = compiled.get(format);
  if (known !== undefined) return known;
  const read = compile(format);
  compiled.set(format, read);
  return read;
}

function compile(format: string): ReadTime {
  switch (format) {
    case 'iso':
      return timeOfText;
    case 's':
      return (text) => shifted(text, 3);
    case 'ms':
      return (text) => shifted(text, 0);
    case 'us':
    case 'ns':
      return (text) =>
        /^[+-]?\d{1,30}$/.test(text) ? floored(BigInt(text), PER_MS[format]) : undefined;
    default:
      return byPattern(format);
  }
}

/** A decimal with its point so many digits further on, rounded down. From its digits: no number is as exact. */
function shifted(text: string, digits: number): number | undefined {
  const found = /^([+-]?)(\d+)(?:\.(\d*))?$/.exec(text);
  if (found === null) return undefined;
  const [, sign, whole, fraction = ''] = found;
  const magnitude = Number(whole + fraction.slice(0, digits).padEnd(digits, '0'));
  const isMore = /[1-9]/.test(fraction.slice(digits));
  return inRange(sign === '-' ? -magnitude - (isMore ? 1 : 0) : magnitude);
}

function inRange(ms: number): number | undefined {
  // No NaN, and no −0.
  return Math.abs(ms) <= MS_MAX ? ms + 0 : undefined;
}

function floored(value: bigint, by: bigint): number | undefined {
  const quotient = value / by;
  return inRange(Number(value < 0n && quotient * by !== value ? quotient - 1n : quotient));
}

function byPattern(format: string): ReadTime {
  const parts = new Set<string>();
  let depth = 0;
  const part = (name: string, digits: string): string => {
    if (parts.has(name)) throw invalid(format, `it has two of the ${name}`);
    parts.add(name);
    return `(?<${name}>${digits})`;
  };
  const source = (format.match(TOKEN) ?? []).map((token): string => {
    switch (token) {
      case 'YYYY':
        return part('year', '\\d{4}');
      case 'MMM':
        return part('name', '[A-Za-z]{3}');
      case 'MM':
        return parts.has('hour') ? part('minute', '\\d\\d') : part('month', '\\d\\d');
      case 'M':
        return part('month', '\\d\\d?');
      case 'DD':
        return part('day', '\\d\\d');
      case 'D':
        return part('day', '\\d\\d?');
      case 'HH':
      case 'hh':
        return part('hour', '\\d\\d');
      case 'H':
      case 'h':
        return part('hour', '\\d\\d?');
      case 'mm':
        return part('minute', '\\d\\d');
      case 'ss':
      case 'SS':
        return part('second', '\\d\\d');
      case 'A':
        return part('half', '[AaPp][Mm]');
      case 'Z':
        return part('zone', 'Z|[+-]\\d\\d(?::?\\d\\d)?');
      case '[':
        depth++;
        return '(?:';
      case ']':
        if (depth-- === 0) throw invalid(format, 'a bracket is closed that is not open');
        return ')?';
      default:
        if (/^(f+|SSS)$/.test(token)) return part('fraction', '\\d{1,9}');
        return token.replace(/[\\^$.*+?()[\]{}|/]/, '\\$&');
    }
  });
  if (depth > 0) throw invalid(format, 'a bracket is not closed');
  const hasMonth = parts.has('month') || parts.has('name');
  if (!parts.has('year') || !hasMonth || !parts.has('day')) {
    throw invalid(format, 'it needs a year (YYYY), a month (MM) and a day (DD)');
  }
  const pattern = new RegExp(`^${source.join('')}$`);
  return (text) => {
    const found = pattern.exec(text)?.groups;
    if (found === undefined) return undefined;
    const { year, month, name, day, hour = '0', half, minute = '0', second = '0' } = found;
    const monthOf = name === undefined ? Number(month) : MONTHS.indexOf(name.toLowerCase()) + 1;
    const hourOf = half === undefined ? Number(hour) : inHalf(Number(hour), half);
    const time = [
      Number(year),
      monthOf,
      Number(day),
      hourOf,
      Number(minute),
      Number(second),
    ] as const;
    return timeOfParts(time, found.fraction ?? '', found.zone ?? 'Z');
  };
}

/** Hours of the day; −1 where there are no such hours. */
function inHalf(hour: number, half: string): number {
  if (hour < 1 || hour > 12) return -1;
  return (hour % 12) + (half.toLowerCase() === 'pm' ? 12 : 0);
}

function invalid(format: string, what: string): OmenError {
  const message = `The format of times ${show(format)} makes no sense: ${what}. It is 's', 'ms', 'us', 'ns', 'iso', or a pattern such as 'DD/MM/YYYY HH:mm:ss'.`;
  return new OmenError('OMEN_INVALID_OPTIONS', message);
}
