import { builtinModules } from 'node:module';
import test from 'ava';
import { EXCEPTIONS, LAYERS, type Layer, PURE_NODE, SLOW } from './layers.ts';
import { filesUnder, type Import, importsOf, partOf, reachedFrom } from './sources.ts';

const sources = filesUnder('src');

function packageOf(specifier: string): string {
  return specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/');
}

/** What is wrong with an import, or null. */
function fault(from: string, layer: Layer, { specifier, path, how }: Import): string | null {
  const part = partOf(from);
  if (path !== null) {
    if (!path.startsWith('src/')) return 'is outside src/';
    const other = partOf(path);
    if (other === part || layer.uses.includes(other)) return null;
    if (!layer.types?.includes(other)) return `is not below ${part}`;
    return how === 'type' ? null : 'may be imported as a type only';
  }
  if (how === 'type' && specifier.startsWith('node:')) return null;
  if (PURE_NODE.includes(specifier) || layer.node?.includes(specifier)) return null;
  if (EXCEPTIONS[from]?.includes(specifier)) return null;
  if (specifier.startsWith('node:')) return `is not for ${part}`;
  if (builtinModules.includes(specifier)) return 'lacks its node: prefix';
  const name = packageOf(specifier);
  if (layer.packages?.includes(name)) return null;
  if (!layer.types?.includes(name)) return `is no dependency of ${part}`;
  return how === 'type' ? null : 'may be imported as a type only';
}

test('every part of src/ has its place in the layering', (t) => {
  const parts = new Set(sources.map(partOf));
  t.deepEqual([...parts].filter((part) => !(part in LAYERS)).sort(), []);
});

test('imports go downward only', (t) => {
  const faults = sources.flatMap((file) =>
    importsOf(file).flatMap((imported) => {
      const what = fault(file, LAYERS[partOf(file)] ?? { uses: [] }, imported);
      return what === null ? [] : [`${file}: '${imported.specifier}' ${what}`];
    }),
  );
  t.deepEqual(faults, []);
});

test('every import of a file of the project finds it', (t) => {
  const known = new Set(filesUnder('src'));
  const missing = sources.flatMap((file) =>
    importsOf(file)
      .filter(({ path }) => path?.startsWith('src/') && !known.has(path))
      .map(({ specifier }) => `${file}: '${specifier}'`),
  );
  t.deepEqual(missing, []);
});

test('opening a database loads no package that is slow to load', (t) => {
  const threads = sources.flatMap((file) =>
    importsOf(file).flatMap(({ path, how }) => (how === 'thread' && path !== null ? [path] : [])),
  );
  t.true(threads.length > 0, 'the workers were not found');
  const slow = reachedFrom(['src/index.ts', ...threads], ['static']).filter((file) =>
    importsOf(file).some(
      ({ specifier, how }) => how === 'static' && SLOW.includes(packageOf(specifier)),
    ),
  );
  t.deepEqual(slow, []);
});

test('no parts import each other in a circle, not even types', (t) => {
  const edges = new Map<string, Set<string>>();
  for (const file of sources)
    for (const { path } of importsOf(file)) {
      if (path === null || partOf(path) === partOf(file)) continue;
      edges.set(partOf(file), (edges.get(partOf(file)) ?? new Set()).add(partOf(path)));
    }
  const finished = new Set<string>();
  const circles: string[] = [];
  const visit = (part: string, trail: readonly string[]): void => {
    if (trail.includes(part)) {
      circles.push([...trail.slice(trail.indexOf(part)), part].join(' → '));
    } else if (!finished.has(part)) {
      for (const next of edges.get(part) ?? []) visit(next, [...trail, part]);
      finished.add(part);
    }
  };
  for (const part of edges.keys()) visit(part, []);
  t.deepEqual(circles, []);
});

test('the rules above see what they must refuse', (t) => {
  const layer: Layer = { uses: ['schema'], types: ['storage', '@b/c'], packages: ['a'] };
  const at = (specifier: string, path: string | null, how: Import['how'] = 'static') =>
    fault('src/wal/reader.ts', layer, { specifier, path, how });
  t.is(at('./frame.ts', 'src/wal/frame.ts'), null);
  t.is(at('../schema/key.ts', 'src/schema/key.ts'), null);
  t.is(at('../storage/storage.ts', 'src/storage/storage.ts', 'type'), null);
  t.is(at('a/deep', null), null);
  t.is(at('@b/c/deep', null, 'type'), null);
  t.is(at('node:zlib', null), null);
  t.regex(at('../storage/real.ts', 'src/storage/real.ts') ?? '', /type only/);
  t.regex(at('../rmi/model.ts', 'src/rmi/model.ts', 'type') ?? '', /not below wal/);
  t.regex(at('../../test/x.ts', 'test/x.ts') ?? '', /outside/);
  t.regex(at('node:fs', null) ?? '', /not for wal/);
  t.regex(at('fs', null) ?? '', /prefix/);
  t.regex(at('d', null) ?? '', /no dependency/);
  t.regex(at('@b/c', null, 'dynamic') ?? '', /type only/);
  const slow = reachedFrom(['src/arrow/record-batch.ts'], ['static']);
  t.true(slow.some((file) => importsOf(file).some(({ specifier }) => SLOW.includes(specifier))));
});
