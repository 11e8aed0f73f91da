/** A cache that survives the process: Keyv over OmenDB. In a project of your own, import 'omendb/keyv'. */
import Keyv from 'keyv';
import { open } from '../src/index.ts';
import { KEYV_LAYOUT, OmenKeyv } from '../src/keyv.ts';

// Several namespaces share one database; for a single Keyv, `new OmenKeyv('./data/keyv')` opens its own.
await using db = await open('./data/keyv', KEYV_LAYOUT);
const users = new Keyv<{ name: string }>({ store: new OmenKeyv(db), namespace: 'users' });
const pages = new Keyv<string>({ store: new OmenKeyv(db), namespace: 'pages', ttl: 60_000 });

await users.set('42', { name: 'Ada' });
await pages.set('/', '<h1>Hello</h1>');
await pages.set('/old', '<h1>Goodbye</h1>', 1); // gone after a millisecond

console.log(await users.get('42')); // { name: 'Ada' }
console.log(await pages.has('/'), await users.has('/')); // true false
await pages.clear(); // a range of keys, deleted by one record a shard
console.log(await pages.get('/'), await users.has('42')); // undefined true
