import test from 'ava';
import { filesUnder, read } from './sources.ts';

interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly devDependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}

const manifests = ['package.json', 'bench/package.json'].filter((path) => filesUnder(path).length);

for (const path of manifests) {
  const manifest: Manifest = JSON.parse(read(path));
  const lockPath = path.replace(/package\.json$/, 'package-lock.json');

  test(`${path} pins every dependency to one version`, (t) => {
    const all = { ...manifest.dependencies, ...manifest.devDependencies };
    const loose = Object.entries(all).filter(
      ([, version]) => !/^\d+\.\d+\.\d+[\w.-]*$/.test(version),
    );
    t.deepEqual(loose, []);
  });

  test(`${lockPath} agrees with ${path}, checks what it installs and names no registry`, (t) => {
    const lock: {
      packages: Record<
        string,
        Manifest & { integrity?: string; link?: boolean; inBundle?: boolean }
      >;
    } = JSON.parse(read(lockPath));
    const { '': root, ...packages } = lock.packages;
    t.deepEqual(root.dependencies, manifest.dependencies);
    t.deepEqual(root.devDependencies, manifest.devDependencies);
    t.false(read(lockPath).includes('"resolved"'));
    const unchecked = Object.entries(packages).filter(
      ([, entry]) => !entry.integrity && !entry.inBundle,
    );
    t.deepEqual(unchecked, []);
    // `npm ci` refuses a lock file that leaves out a package, be it one of another platform.
    const missing = Object.entries(packages).flatMap(([path, entry]) =>
      Object.keys({ ...entry.dependencies, ...entry.optionalDependencies }).filter(
        (name) => !isReachable(packages, path, name),
      ),
    );
    t.deepEqual(missing, []);
  });
}

/** Whether a package is installed where Node, coming from the package at `path`, looks for it. */
function isReachable(packages: object, path: string, name: string): boolean {
  for (let folder = path; ; folder = folder.replace(/\/?node_modules\/(@[^/]+\/)?[^/]+$/, '')) {
    if (`${folder === '' ? '' : `${folder}/`}node_modules/${name}` in packages) return true;
    if (folder === '') return false;
  }
}
