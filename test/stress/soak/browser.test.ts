/** The page of a soak in a browser: live, and as a report. */
import test, { type ExecutionContext } from 'ava';
import type { Page } from 'playwright-core';
import { columnsOf } from '../../../stress/soak/columns.ts';
import { LivePage } from '../../../stress/soak/live.ts';
import { type PageData, pageOf } from '../../../stress/soak/page.ts';
import { openPage } from '../../browser.ts';
import { sample } from './samples.ts';

const CHARTS = 11;

function dataOf(samples: number, faults: number): PageData {
  return {
    title: `Soak of ${samples} minutes`,
    about: 'a few keys',
    verdicts: [
      { promise: 'No row is lost', holds: true, figure: '</script><b>0</b>', bound: '0' },
      { promise: 'No growth', holds: false, figure: '7 %', bound: '1 %' },
      { promise: 'No drift', holds: null, figure: 'too short', bound: '1.5' },
    ],
    broken: [{ atMs: 90_000, step: 'put 7', what: 'a row of <i>yesterday</i>' }],
    faults: Array.from({ length: faults }, (_, i) => ({
      ...{ atMs: 60_000 * i, ms: 20, name: i % 2 === 0 ? 'kill' : 'stop' },
      ...{ expected: 'all is there', seen: 'all' },
    })),
    columns: columnsOf(Array.from({ length: samples }, (_, i) => sample(i))),
  };
}

/** Of each chart, in how many columns of pixels the line of its first series is seen. In the browser. */
const COLUMNS_DRAWN = `[...document.querySelectorAll('#charts canvas')].map((canvas) => {
  const { width, height } = canvas;
  const { data } = canvas.getContext('2d').getImageData(0, 0, width, height);
  const columns = new Set();
  for (let at = 0; at < data.length; at += 4) {
    // At its edges a line is partly transparent.
    const isNear = (channel, value) => Math.abs(data[at + channel] - value) < 16;
    const isBlue = data[at + 3] > 64 && isNear(0, 0x3b) && isNear(1, 0x7d) && isNear(2, 0xd8);
    if (isBlue) columns.add((at / 4) % width);
  }
  return columns.size;
})`;

async function checkDrawn(t: ExecutionContext, page: Page): Promise<void> {
  const columns = await page.evaluate<number[]>(COLUMNS_DRAWN);
  t.is(columns.length, CHARTS);
  t.true(
    columns.every((count) => count > 50),
    String(columns),
  );
}

const texts = (page: Page, selector: string) => page.locator(selector).allTextContents();

test('live: charts are drawn, and follow what comes', async (t) => {
  const page = await openPage(t);
  if (page === null) return;
  let data = dataOf(4, 1);
  const live = await LivePage.open(0, () => data);
  t.teardown(() => live.close());
  await page.goto(live.url);
  await page.waitForSelector('#charts canvas');
  t.deepEqual(await texts(page, 'h1'), ['Soak of 4 minutes']);
  t.deepEqual(await texts(page, '#verdicts td.mark'), ['✓ holds', '✗ broken', '– not shown']);
  await checkDrawn(t, page);
  data = dataOf(9, 3);
  live.now('0:09:00 of 1:00:00 · no promise broken');
  await page.getByText('Soak of 9 minutes').waitFor();
  t.deepEqual(await texts(page, '#now'), ['0:09:00 of 1:00:00 · no promise broken']);
  t.deepEqual(await texts(page, '#faults > table tbody tr td:nth-child(2)'), ['2', '1']);
  await checkDrawn(t, page);
  await page.locator('summary').click();
  t.is(await page.locator('#faults details tbody tr').count(), 3);
  await live.close();
  await page.getByText('The soak has ended, or cannot be reached.').waitFor();
});

test('a report stands for itself, fits a narrow window, and text in it is text', async (t) => {
  const page = await openPage(t);
  if (page === null) return;
  const requests: string[] = [];
  page.on('request', (request) => requests.push(request.url()));
  await page.setContent(pageOf(dataOf(30, 2)));
  await page.waitForSelector('#charts canvas');
  t.deepEqual(
    requests.filter((url) => !url.startsWith('data:')),
    [],
  );
  t.deepEqual(await texts(page, '#verdicts tbody tr:first-child td'), [
    '✓ holds',
    'No row is lost',
    '</script><b>0</b>',
    '0',
  ]);
  t.deepEqual(await texts(page, '#broken td'), ['0:01:30', 'put 7', 'a row of <i>yesterday</i>']);
  for (const width of [1200, 380]) {
    await page.setViewportSize({ width, height: 900 });
    await page.waitForFunction(
      `[...document.querySelectorAll('#charts canvas')].every((canvas) => canvas.clientWidth < ${width})`,
    );
    const { scrollWidth, clientWidth } = await page.evaluate<Record<string, number>>(
      '({ scrollWidth: document.documentElement.scrollWidth, clientWidth: document.documentElement.clientWidth })',
    );
    t.is(scrollWidth, clientWidth, `${width} pixels wide`);
    await checkDrawn(t, page);
  }
});
