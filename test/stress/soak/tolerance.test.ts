import test from 'ava';
import {
  mayBeRefused,
  mayBeUnknown,
  setTolerance,
  toleranceMemory,
  toleranceOf,
} from '../../../stress/soak/tolerance.ts';

test('a fault explains what is under way at any time while it lasts, and nothing else', (t) => {
  const words = new Int32Array(toleranceMemory());
  const before = toleranceOf(words);
  t.false(mayBeUnknown(words, before));
  setTolerance(words, { refused: false, unknown: true });
  const during = toleranceOf(words);
  t.true(mayBeUnknown(words, before) && mayBeUnknown(words, during));
  setTolerance(words, { refused: false, unknown: true });
  setTolerance(words, { refused: false, unknown: false });
  const after = toleranceOf(words);
  t.true(mayBeUnknown(words, before) && mayBeUnknown(words, during));
  t.false(mayBeUnknown(words, after));
  t.false([before, during, after].some((begun) => mayBeRefused(words, begun)));
  setTolerance(words, { refused: true, unknown: false });
  t.true(mayBeRefused(words, before) && !mayBeUnknown(words, after));
  setTolerance(words, { refused: false, unknown: false });
  t.true(mayBeRefused(words, after));
  t.false(mayBeRefused(words, toleranceOf(words)));
});
