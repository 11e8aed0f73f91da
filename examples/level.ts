/** Code that was written for Level, on OmenDB. In a project of your own, import 'omendb/level'. */
import { OmenLevel } from '../src/level.ts';

const db = new OmenLevel<string, { born: number }>('./data/level', { valueEncoding: 'json' });

await db.put('ada', { born: 1815 });
await db.batch([
  { type: 'put', key: 'grace', value: { born: 1906 } },
  { type: 'put', key: 'margaret', value: { born: 1936 } },
]);

console.log(await db.get('grace')); // { born: 1906 }
console.log(db.getSync('nobody')); // undefined
for await (const [name, { born }] of db.iterator({ gte: 'b', reverse: true })) {
  console.log(name, born); // margaret 1936, grace 1906
}

const visits = db.sublevel<string, number>('visits', { valueEncoding: 'json' });
const before = db.snapshot();
await visits.put('ada', 1);
console.log(await visits.get('ada', { snapshot: before }), await visits.get('ada')); // undefined 1
await before.close();

// What Level has no words for is one property away: here, how many keys there are, without reading them.
console.log(db.database.count()); // 4
await db.clear();
await db.close();
