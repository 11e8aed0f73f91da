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
  /** Gone when the file runs: `import type`, `export type`. */
  readonly typeOnly: boolean;
  /** Loaded when needed, not when the file is: `import()`, or a worker's `new URL()`. */
  readonly lazy: boolean;
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
const LAZY = /\bimport\(\s*'([^']+)'|\bnew URL\(\s*[`']([^`'$]+)/g;

export function importsOf(path: string): Import[] {
  const text = read(path);
  const found = [...text.matchAll(STATIC)].map((match) =>
    describe(path, match[2], match[1] !== undefined, false),
  );
  const code = codeLines(path)
    .map((line) => line.code)
    .join('\n');
  for (const match of code.matchAll(LAZY))
    found.push(describe(path, match[1] ?? match[2], false, true));
  return found;
}

function describe(from: string, specifier: string, typeOnly: boolean, lazy: boolean): Import {
  if (!specifier.startsWith('.')) return { specifier, path: null, typeOnly, lazy };
  const named = posix.join(dirname(from), specifier);
  // A worker is named without its extension, which is .ts here and .js where it is published.
  const path = existsSync(join(ROOT, named)) ? named : `${named}.ts`;
  return { specifier, path, typeOnly, lazy };
}

/** The folder of src/ a file is in, or its name where it lies in src/ itself. */
export function partOf(path: string): string {
  const [, part] = path.split('/');
  return part ?? path;
}
