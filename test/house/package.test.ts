import test from 'ava';
import { filesUnder, read } from './sources.ts';

interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly devDependencies?: Readonly<Record<string, string>>;
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
  });
}
