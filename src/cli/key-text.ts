/** Keys as they are given on the command line. */
import { OmenError, type SchemaOptions } from '../index.ts';

/** What is no number, text or truth value, for JSON: whole numbers as digits, bytes as Base64. */
export function inJson(_: string, value: unknown): unknown {
  if (typeof value === 'bigint') return String(value);
  return value instanceof Uint8Array ? Buffer.from(value).toString('base64') : value;
}

/**
 * A key out of its text: digits, an ISO 8601 date or milliseconds, bytes as Base64.
 * @param what it is for, say --gte
 * @throws OMEN_INVALID_KEY
 */
export function keyOf(type: SchemaOptions['key'], text: string, what: string): unknown {
  const refuse = (expected: string): never => {
    const message = `${what}: a ${type} key is ${expected}, not ${JSON.stringify(text)}.`;
    throw new OmenError('OMEN_INVALID_KEY', message);
  };
  switch (type) {
    case 'int64':
    case 'uint64':
      return /^[+-]?\d+$/.test(text) ? BigInt(text) : refuse('a whole number');
    case 'float64': {
      const number = Number(text);
      return text.trim() === '' || Number.isNaN(number) ? refuse('a number') : number;
    }
    case 'timestamp': {
      if (/^[+-]?\d+$/.test(text) && text.length !== 4) return Number(text);
      // As in text that is loaded: UTC where it names no zone.
      const hasZone = /T.*(Z|[+-]\d\d(:?\d\d)?)$/i.test(text);
      const date = new Date(/T/i.test(text) && !hasZone ? `${text}Z` : text);
      const isIso = /^\d{4}(-\d\d(-\d\d(T[\d:.,]+(Z|[+-]\d\d(:?\d\d)?)?)?)?)?$/i.test(text);
      return isIso && !Number.isNaN(date.getTime())
        ? date
        : refuse('an ISO 8601 date or milliseconds');
    }
    case 'binary':
      return /^[A-Za-z0-9+/_-]*={0,2}$/.test(text)
        ? new Uint8Array(Buffer.from(text, 'base64'))
        : refuse('Base64');
    default:
      return text;
  }
}
