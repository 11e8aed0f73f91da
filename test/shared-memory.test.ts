import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import test from 'ava';
import { sharedMemory } from '../src/shared-memory.ts';

const MODULE = new URL('../src/shared-memory.ts', import.meta.url).href;
const POLICY = '/sys/kernel/mm/transparent_hugepage/enabled';

/** Why huge pages cannot be asked for here, or null. */
function obstacle(): string | null {
  if (process.platform !== 'linux') return 'not Linux';
  if (process.getBuiltinModule('node:ffi') === undefined) return 'this Node has no node:ffi';
  return readFileSync(POLICY, 'utf8').includes('[madvise]') ? null : 'they are not for the asking';
}

/**
 * How many bytes of the process may lie in huge pages, by the flags of its memory, before and after it
 * makes 64 MiB of shared memory; and what it said to stderr.
 */
function inAnotherProcess(environment: NodeJS.ProcessEnv, ...nodeOptions: string[]) {
  const script = `
    import { readFileSync } from 'node:fs';
    import { sharedMemory } from '${MODULE}';
    const advised = () => readFileSync('/proc/self/smaps', 'utf8').split(/^(?=[0-9a-f]+-)/m)
      .filter((part) => /^VmFlags:.* hg/m.test(part))
      .reduce((sum, part) => sum + 1024 * Number(/^Size: +(\\d+)/m.exec(part)[1]), 0);
    const before = advised();
    const memory = sharedMemory(2 ** 26);
    console.log(advised() - before, memory.byteLength, Buffer.from(memory).equals(Buffer.alloc(2 ** 26)));`;
  const options = [...nodeOptions, '--input-type=module', '--eval', script];
  const env = { ...process.env, ...environment };
  const { stdout, stderr, status } = spawnSync(process.execPath, options, {
    encoding: 'utf8',
    env,
  });
  return { stdout: stdout.trim(), stderr, status };
}

test('shared memory is zeros of the length asked for, whatever its size', (t) => {
  for (const bytes of [0, 1, 4096, 2 ** 22 - 1, 2 ** 22, 2 ** 22 + 1, 2 ** 24 + 12345]) {
    const memory = sharedMemory(bytes);
    t.is(memory.byteLength, bytes);
    t.true(Buffer.from(memory).equals(Buffer.alloc(bytes)));
  }
});

test('large memory is asked for in huge pages, in silence', (t) => {
  const reason = obstacle();
  if (reason !== null) {
    t.log(`SKIPPED: ${reason}`);
    t.pass();
    return;
  }
  const { stdout, stderr, status } = inAnotherProcess({ OMENDB_HUGE_PAGES: undefined });
  t.is(stderr, '');
  t.is(status, 0);
  const [advised, bytes, isZero] = stdout.split(' ');
  t.true(Number(advised) >= 2 ** 26 - 2 ** 22, advised);
  t.deepEqual([bytes, isZero], [String(2 ** 26), 'true']);
});

test('where huge pages are not wanted, or not permitted, memory is as the system gives it', (t) => {
  if (process.platform !== 'linux') {
    t.log('SKIPPED: not Linux');
    t.pass();
    return;
  }
  const expected = { stdout: `0 ${2 ** 26} true`, stderr: '', status: 0 };
  t.deepEqual(inAnotherProcess({ OMENDB_HUGE_PAGES: 'never' }), expected);
  t.deepEqual(inAnotherProcess({}, '--permission', '--allow-fs-read=*'), expected);
});
