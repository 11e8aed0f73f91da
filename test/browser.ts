/** A headless Chromium for tests of pages: the machine's, or that of Debian's package, unpacked aside. */
import type { ExecutionContext } from 'ava';
import { chromium, type Page } from 'playwright-core';
import { findProgram, type Program, withDependencies } from '../stress/debian.ts';

/** Null where it is neither here nor to be had. */
function findChromium(): Program | null {
  const installed = findProgram('chromium', []);
  if (installed !== null) return installed;
  const name = 'chromium-headless-shell';
  return findProgram(name, withDependencies(name), 'usr/lib/chromium');
}

/**
 * A page in a browser of this test's own, closed when it is over; null where there is no browser, which is
 * said. What the page complains of fails the test.
 */
export async function openPage(t: ExecutionContext): Promise<Page | null> {
  const program = findChromium();
  if (program === null) {
    t.log('SKIPPED: there is no Chromium, and its package cannot be had');
    t.pass();
    return null;
  }
  const env = program.env as Record<string, string>;
  const browser = await chromium.launch({
    executablePath: program.command,
    env,
    // As root, which tests may be, it has no sandbox; pages are this project's own.
    args: ['--no-sandbox'],
  });
  const complaints: string[] = [];
  t.teardown(async () => {
    await browser.close();
    if (complaints.length > 0) throw new Error(complaints.join('\n'));
  });
  const page = await browser.newPage({ viewport: { width: 1200, height: 900 } });
  page.on('pageerror', (error) => complaints.push(error.message));
  page.on('console', (message) => {
    // A server may end while the page is there.
    const isOfNetwork = message.text().startsWith('Failed to load resource: net::');
    if (message.type() === 'error' && !isOfNetwork) complaints.push(message.text());
  });
  return page;
}
