/** The kernel in WebAssembly that our batches are measured against: it must find what they find. */
import test from 'ava';
import { makeSet, SET_NAMES } from '../../bench/rmi/key-sets.ts';
import { trainSubject } from '../../bench/rmi/subject.ts';
import { assemble, kernelOver, verifyKernel } from '../../bench/rmi/wasm/kernel.ts';
import { type SharedSubject, share } from '../../bench/rmi/wasm/memory.ts';

/** Users never install `wabt`: `npm run bench` does. */
const program = await assemble();
const testKernel = program === null ? test.skip : test;
const noProgram = new Uint8Array(0);

function sharedOf(name: string, count: number): SharedSubject | null {
  const set = makeSet(name, count);
  if (set.form !== 'f64') return null;
  const [subject] = trainSubject(set, 100);
  return subject.form === 'f64' ? share(subject) : null;
}

testKernel('the kernel finds every key of every set of numbers, and no other', (t) => {
  let sets = 0;
  for (const name of SET_NAMES) {
    for (const count of [1, 2, 15, 16, 17, 5000]) {
      const shared = sharedOf(name, count);
      if (shared === null) continue;
      verifyKernel(kernelOver(program ?? noProgram, shared), shared);
      sets++;
    }
  }
  t.true(sets > 40);
});

testKernel('the kernel finds keys wherever the model says they are', (t) => {
  const shared = sharedOf('wiki', 5000);
  if (shared === null) return t.fail();
  const { cells } = shared.subject.model;
  cells.fill(0);
  verifyKernel(kernelOver(program ?? noProgram, shared), shared);
  cells.fill(4999);
  verifyKernel(kernelOver(program ?? noProgram, shared), shared);
  t.pass();
});

testKernel('a kernel over other keys does not pass for right', (t) => {
  const shared = sharedOf('holes', 500);
  if (shared === null) return t.fail();
  const kernel = kernelOver(program ?? noProgram, shared);
  const keys = shared.subject.set.keys.slice();
  keys[200] += 0.5;
  const { subject } = shared;
  const other = { ...shared, subject: { ...subject, set: { ...subject.set, keys } } };
  t.throws(() => verifyKernel(kernel, other), { message: /The kernel finds/ });
});

test('a subject moves into shared memory as it is', (t) => {
  const shared = sharedOf('uniform', 3000);
  if (shared === null) return t.fail();
  const { memory, subject, probes } = shared;
  t.is(subject.set.keys.buffer, memory.buffer);
  subject.positions.forEach((position, i) => {
    t.is(probes.wanted[i], subject.set.keys[position]);
    t.is(subject.index.find(probes.wanted[i]), position);
  });
});
