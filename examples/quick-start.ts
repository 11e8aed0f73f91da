/** The shortest way through OmenDB: open, write, read. In a project of your own, import 'omendb'. */
import { open } from '../src/index.ts';

await using db = await open('./data/quick-start', {
  key: 'timestamp',
  columns: { sensor: 'int32', celsius: 'float64', note: 'utf8?' },
});

await db.put(Date.UTC(2026, 0, 1, 12), { sensor: 7, celsius: 21.5 }); // resolves once it is on disk
await db.batch([
  { type: 'put', key: Date.UTC(2026, 0, 1, 13), value: { sensor: 7, celsius: 22.1, note: 'sun' } },
  { type: 'put', key: Date.UTC(2026, 0, 1, 14), value: { sensor: 7, celsius: 22.9 } },
]);

console.log(db.get(Date.UTC(2026, 0, 1, 13))); // synchronous: { sensor: 7, celsius: 22.1, note: 'sun' }
console.log(db.floor(Date.UTC(2026, 0, 1, 13, 30))?.[1].celsius); // the last before half past one: 22.1
for (const [time, row] of db.entries({ gte: Date.UTC(2026, 0, 1) })) console.log(time, row.celsius);
