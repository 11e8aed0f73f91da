/** Arguments of commands as what they mean. What makes no sense is commander's to tell, as bad usage. */
import { InvalidArgumentError } from 'commander';
import { parseBytes } from './figures.ts';

/** A name and, behind the last colon, a type. */
export interface Field {
  readonly name: string;
  readonly type: string | undefined;
}

/** "512MB" as a number of bytes. */
export function bytesArgument(text: string): number {
  const value = parseBytes(text);
  if (value !== undefined) return value;
  throw new InvalidArgumentError('It is a number of bytes, such as 512MB or 2GiB.');
}

export function wholeArgument(text: string): number {
  if (/^\d+$/.test(text)) return Number(text);
  throw new InvalidArgumentError('It is a whole number.');
}

/** A whole number, or "all" for as many as there are. */
export function countArgument(text: string): number {
  return text === 'all' ? Number.POSITIVE_INFINITY : wholeArgument(text);
}

/** One character; "tab" and "\t" are a tab. */
export function delimiterArgument(text: string): string {
  if (text === 'tab' || text === '\\t') return '\t';
  if (text.length === 1) return text;
  throw new InvalidArgumentError('It is one character, or "tab".');
}

const TYPE = /^[a-z0-9]+\??$/;

/** "NAME" or "NAME:TYPE". */
export function fieldArgument(text: string): Field {
  const colon = text.lastIndexOf(':');
  if (colon > 0 && TYPE.test(text.slice(colon + 1))) {
    return { name: text.slice(0, colon), type: text.slice(colon + 1) };
  }
  if (text !== '' && colon < 0) return { name: text, type: undefined };
  throw new InvalidArgumentError('It is NAME or NAME:TYPE, such as time:timestamp or note:utf8?.');
}

/** "COLUMN=FIELD", a field by its name or, as "#3", by its number from 0. */
export function mapArgument(text: string): readonly [column: string, field: string | number] {
  const [, column, field] = /^([^=]+)=(.+)$/s.exec(text) ?? [];
  if (column === undefined) {
    throw new InvalidArgumentError('It is COLUMN=FIELD, a field by its name or as #3, from 0.');
  }
  return [column, numbered(field)];
}

/** A field's name, or, as "#3", its number from 0. */
export function numbered(field: string): string | number {
  return /^#\d+$/.test(field) ? Number(field.slice(1)) : field;
}

/** "FORMAT" of all times, or "COLUMN=FORMAT". */
export function timesArgument(text: string): string | readonly [column: string, format: string] {
  const [, column, format] = /^([^=]+)=(.+)$/s.exec(text) ?? [];
  return column === undefined ? text : [column, format];
}

/** For options that may be given again and again. */
export function several<T>(parse: (text: string) => T) {
  return (text: string, before: readonly T[] | undefined): readonly T[] => [
    ...(before ?? []),
    parse(text),
  ];
}
