/** What the house rules look at: the files of the project, their text and what they import. */
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, posix } from 'node:path';

export const ROOT = join(import.meta.dirname, '../..');

const GENERATED = new Set(['node_modules', 'results']);

export interface Import {
  /** As written: './frame.ts', 'node:fs', 'comlink'. */
  readonly specifier: string;
  /** Path from the root of the project where it names a file of it, null for packages. */
  readonly path: string | null;
  /**
   * `static`: loaded with the file that names it. `type`: gone when that file runs.
   * `dynamic`: loaded by `import()`, when needed. `thread`: a worker's entry, named by `new URL()`.
   */
  readonly how: 'static' | 'type' | 'dynamic' | 'thread';
}

/** The files below a folder, or the file itself, as paths from the root with forward slashes. */
export function filesUnder(path: string, extensions: readonly string[] = ['.ts']): string[] {
  const absolute = join(ROOT, path);
  if (!existsSync(absolute)) return [];
  if (statSync(absolute).isFile()) return [path];
  return readdirSync(absolute, { withFileTypes: true })
    .filter((entry) => !GENERATED.has(entry.name))
    .flatMap((entry) => filesUnder(posix.join(path, entry.name), extensions))
    .filter((file) => extensions.some((extension) => file.endsWith(extension)))
    .sort();
}

export function read(path: string): string {
  return readFileSync(join(ROOT, path), 'utf8');
}

/** The lines that are not comments, numbered from 1, without the comment behind the code. */
export function codeLines(path: string): { line: number; code: string }[] {
  return read(path)
    .split('\n')
    .map((text, index) => ({ line: index + 1, code: text.replace(/(^|\s)\/\/ .*$/, '') }))
    .filter(({ code }) => !/^\s*(\/?\*|\/\/|$)/.test(code));
}

/** `file:line` of every line of code that matches. */
export function linesMatching(files: readonly string[], pattern: RegExp): string[] {
  return files.flatMap((file) =>
    codeLines(file)
      .filter(({ code }) => pattern.test(code))
      .map(({ line, code }) => `${file}:${line}: ${code.trim()}`),
  );
}

/** The formatter puts every import and re-export at the start of a line, so no parser is needed. */
const STATIC = /^(?:import|export)(\s+type)?\s(?:[^'";]*?\sfrom\s)?\s*'([^']+)'/gm;
const DYNAMIC = /\bimport\(\s*'([^']+)'/g;
const THREAD = /\bnew URL\(\s*[`']([^`'$]+)/g;

export function importsOf(path: string): Import[] {
  const code = codeLines(path)
    .map((line) => line.code)
    .join('\n');
  return [
    ...[...read(path).matchAll(STATIC)].map(([, type, specifier]) =>
      resolve(path, specifier, type === undefined ? 'static' : 'type'),
    ),
    ...[...code.matchAll(DYNAMIC)].map(([, specifier]) => resolve(path, specifier, 'dynamic')),
    ...[...code.matchAll(THREAD)].map(([, specifier]) => resolve(path, specifier, 'thread')),
  ];
}

function resolve(from: string, specifier: string, how: Import['how']): Import {
  if (!specifier.startsWith('.')) return { specifier, path: null, how };
  const named = posix.join(dirname(from), specifier);
  // A worker is named without its extension, which is .ts here and .js where it is published.
  return { specifier, path: existsSync(join(ROOT, named)) ? named : `${named}.ts`, how };
}

/** The files that are reached from some files through imports of the given kinds, these included. */
export function reachedFrom(files: readonly string[], kinds: readonly Import['how'][]): string[] {
  const reached = new Set(files);
  for (const file of reached)
    for (const { path, how } of importsOf(file))
      if (path !== null && kinds.includes(how) && filesUnder(path).length > 0) reached.add(path);
  return [...reached].sort();
}

/** The folder of src/ a file is in, or its name where it lies in src/ itself. */
export function partOf(path: string): string {
  const [, part] = path.split('/');
  return part ?? path;
}
