/** The packages that are compared: installed where somebody benchmarks, and nowhere else. */
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** By a name the compiler does not see. @throws ERR_MODULE_NOT_FOUND where it is not installed */
export async function peer<Module>(name: string): Promise<Module> {
  return (await import(name)) as Module;
}

/** The version of an installed package. @throws ERR_MODULE_NOT_FOUND */
export function versionOf(name: string): string {
  for (let folder = dirname(fileURLToPath(import.meta.resolve(name))); ; folder = dirname(folder)) {
    const manifest = manifestIn(folder);
    if (manifest?.name === name) return manifest.version;
    if (folder === dirname(folder)) throw new Error(`The package ${name} has no manifest.`);
  }
}

function manifestIn(folder: string): { name?: string; version: string } | null {
  try {
    return JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
  } catch {
    return null;
  }
}
