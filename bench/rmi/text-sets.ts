/** Keys as programs make them of text: each generator gives them in order, so that none is sorted. */
import { type Random, randomFrom } from '../datasets.ts';
import { type ByteSet, collect } from './byte-set.ts';

export function urls(count: number): ByteSet {
  return collect('utf8', count, urlsInOrder(count, randomFrom(1)));
}

/** Forty sections of a shop, sixty bytes alike at the front, some with a query behind. */
function* urlsInOrder(count: number, random: Random): Generator<string> {
  const each = Math.ceil(count / 40);
  let article = 0;
  for (let i = 0; i < count; i++) {
    article += 1 + Math.floor(30 * random());
    const section = String(Math.floor(i / each)).padStart(2, '0');
    const name = Math.floor(random() * 2 ** 40).toString(36);
    const query = random() < 0.2 ? '?utm_source=newsletter' : '';
    yield `https://www.example.com/en/shop/catalogue/section-${section}/articles/${String(article).padStart(10, '0')}-${name}.html${query}`;
  }
}

export function uuids(count: number): ByteSet {
  return collect('utf8', count, uuidsInOrder(count, randomFrom(1)));
}

/** Version 4. Distinct in their first 48 bits, by which they are in order. */
function* uuidsInOrder(count: number, random: Random): Generator<string> {
  const heads = new Float64Array(count);
  for (let i = 0; i < count; i++) heads[i] = Math.floor(random() * 2 ** 48);
  heads.sort();
  for (let i = 0; i < count; i++) {
    if (i > 0 && heads[i] === heads[i - 1]) continue;
    const head = heads[i].toString(16).padStart(12, '0');
    const middle = Math.floor(random() * 2 ** 12).toString(16);
    const tail = Math.floor(random() * 2 ** 12).toString(16);
    const node = Math.floor(random() * 2 ** 48).toString(16);
    const variant = '89ab'[Math.floor(4 * random())];
    yield `${head.slice(0, 8)}-${head.slice(8)}-4${middle.padStart(3, '0')}-${variant}${tail.padStart(3, '0')}-${node.padStart(12, '0')}`;
  }
}

export function composites(count: number): ByteSet {
  return collect('utf8', count, compositesInOrder(count, randomFrom(1)));
}

/** Tenants, a few of them large; the times of each; a sensor. */
function* compositesInOrder(count: number, random: Random): Generator<string> {
  for (let tenant = 0, made = 0; made < count; tenant++) {
    const rows = Math.max(1, Math.floor(count / 1000 / (1 - random())));
    let ms = Date.UTC(2026, 0, 1);
    for (let i = 0; i < rows && made < count; i++, made++) {
      ms += 1 + Math.floor(20_000 * random());
      const sensor = Math.floor(40 * random());
      yield `tenant/${String(tenant).padStart(6, '0')}/${new Date(ms).toISOString()}/sensor-${sensor}`;
    }
  }
}
