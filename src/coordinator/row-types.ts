/** The types of keys and rows that follow from the options of `open`. */
import type { OpenOptions } from './options.ts';

type Integer<O> = O extends { readonly bigints: true } ? bigint : number;

type Value<T, O> = T extends `${infer Bare}?`
  ? Value<Bare, O> | null
  : T extends 'int64'
    ? Integer<O>
    : T extends 'utf8'
      ? string
      : T extends 'binary'
        ? Uint8Array
        : T extends 'bool'
          ? boolean
          : T extends 'json'
            ? Json
            : number;

type Input<T> = T extends `${infer Bare}?`
  ? Input<Bare> | null | undefined
  : T extends 'int64'
    ? number | bigint
    : T extends 'timestamp'
      ? number | Date
      : T extends 'utf8'
        ? string
        : T extends 'binary'
          ? Uint8Array
          : T extends 'bool'
            ? boolean
            : T extends 'json'
              ? unknown
              : number;

type NullableNames<C> = {
  [Name in keyof C]: C[Name] extends `${string}?` ? Name : never;
}[keyof C];

/** Whatever JSON can say. */
export type Json = string | number | boolean | null | Json[] | { [name: string]: Json };

/** What keys come back as. */
export type KeyOf<O extends OpenOptions> = O extends { readonly key: infer K extends string }
  ? K extends 'int64' | 'uint64'
    ? Integer<O>
    : K extends 'utf8'
      ? string
      : K extends 'binary'
        ? Uint8Array
        : string extends K
          ? AnyKey
          : number
  : AnyKey;

type AnyKey = number | bigint | string | Uint8Array;

/** What keys are given as. */
export type KeyInputOf<O extends OpenOptions> = O extends { readonly key: infer K extends string }
  ? K extends 'int64' | 'uint64'
    ? number | bigint
    : K extends 'timestamp'
      ? number | Date
      : K extends 'utf8'
        ? string
        : K extends 'binary'
          ? Uint8Array
          : string extends K
            ? AnyKey | Date
            : number
  : AnyKey | Date;

/** What a row, or the bare value, comes back as. */
export type RowOf<O extends OpenOptions> = O extends { readonly columns: infer C }
  ? { [Name in keyof C]: Value<C[Name], O> }
  : O extends { readonly value: infer V }
    ? Value<V, O>
    : Record<string, unknown>;

/** What a row, or the bare value, is given as. */
export type RowInputOf<O extends OpenOptions> = O extends { readonly columns: infer C }
  ? { [Name in Exclude<keyof C, NullableNames<C>>]: Input<C[Name]> } & {
      [Name in NullableNames<C>]?: Input<C[Name]>;
    }
  : O extends { readonly value: infer V }
    ? Input<V>
    : unknown;
