import { Script } from 'node:vm';
import test from 'ava';
import { columnsOf } from '../../../stress/soak/columns.ts';
import { LivePage } from '../../../stress/soak/live.ts';
import { type PageData, pageOf } from '../../../stress/soak/page.ts';
import { sample } from './samples.ts';

const DATA: PageData = {
  title: 'Soak of 0:01:00',
  about: 'little',
  verdicts: [{ promise: 'nothing is lost', holds: true, figure: '</script><b>', bound: 'none' }],
  broken: [],
  faults: [{ atMs: 1, ms: 2, name: 'kill', expected: 'all', seen: 'all' }],
  columns: columnsOf(Array.from({ length: 10 }, (_, i) => sample(i))),
};

test('a report is one page with scripts that can be read, and its data in it', (t) => {
  const page = pageOf(DATA);
  t.false(page.includes('</script><b>'));
  t.false(/\b(src|href)="(?!data:)/.test(page));
  const scripts = [...page.matchAll(/<script>([\s\S]*?)<\/script>/g)].map(([, text]) => text);
  t.is(scripts.length, 2);
  for (const text of scripts) t.notThrows(() => new Script(text));
  t.true(scripts[1].includes('nothing is lost'));
});

test('columns are thinned out, of a stretch the worst latency', (t) => {
  const columns = columnsOf(
    Array.from({ length: 12 }, (_, i) => sample(i)),
    4,
  );
  t.deepEqual(columns.minutes, [2, 5, 8, 11]);
  t.deepEqual(columns.operations, [10, 40, 70, 100]);
  t.deepEqual(columns.p999[0], [2, 5, 8, 11]);
  t.deepEqual(columnsOf([sample(0)]).p999[0], [null]);
});

test('live, the page is sent what there is, and then how it goes', async (t) => {
  const live = await LivePage.open(0, () => DATA);
  t.true(live.url.startsWith('http://127.0.0.1:'));
  t.regex(await (await fetch(live.url)).text(), /const given = null/);
  t.is((await fetch(`${live.url}else`)).status, 404);
  const { body } = await fetch(`${live.url}events`);
  const reader = body?.pipeThrough(new TextDecoderStream()).getReader();
  t.regex((await reader?.read())?.value ?? '', /^event: all\ndata: .*nothing is lost/);
  live.now('a line');
  t.regex((await reader?.read())?.value ?? '', /event: now\ndata: "a line"/);
  await reader?.cancel();
  await live.close();
});
