/**
 * Installs what is missing, then gets out of the way: `pretest`, `prestart` and the like run this,
 * so that a fresh clone needs nothing done by hand.
 *
 * It runs under whatever Node the machine has (20 or newer) and so uses no dependency and no
 * TypeScript. The pinned Node comes out of the lock file; npm starts each script in a shell of its
 * own with node_modules/.bin first in PATH, which is why setting up is a script of its own too.
 *
 *   node scripts/setup.js [folder ...]       folders that hold a package-lock.json; default: here
 */
import { spawnSync } from 'node:child_process';
import { existsSync, lstatSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/**
 * @typedef {{ version?: string, integrity?: string, optional?: boolean, devOptional?: boolean }} LockEntry
 * @typedef {{ packages: Record<string, LockEntry> }} Lock
 */

for (const folder of process.argv.length > 2 ? process.argv.slice(2) : ['.']) {
  const reason = staleness(folder);
  if (reason === null) continue;
  if (isLink(join(folder, 'node_modules'))) leave(folder, reason);
  else install(folder, reason);
}

/**
 * Why node_modules is not what the lock file says, or null. npm leaves a lock file of what it really
 * installed inside node_modules, as its last step: comparing with it also finds an install that was
 * interrupted, and does not disturb one made by hand.
 *
 * @param {string} folder
 * @returns {string | null}
 */
function staleness(folder) {
  const installed = readLock(join(folder, 'node_modules', '.package-lock.json'));
  if (installed === null) return 'nothing is installed';
  const wanted = readLock(join(folder, 'package-lock.json'));
  if (wanted === null) return 'there is no lock file';
  for (const [path, entry] of Object.entries(wanted.packages)) {
    if (path === '') continue;
    const found = installed.packages[path];
    // Packages of other platforms are in the lock file, but never installed.
    if (found === undefined && (entry.optional || entry.devOptional)) continue;
    if (found?.version !== entry.version || found?.integrity !== entry.integrity)
      return `${path} is not ${entry.version}`;
  }
  const pinsNode = 'node_modules/node' in wanted.packages;
  if (pinsNode && !existsSync(join(folder, 'node_modules', 'node', 'bin', 'node')))
    return 'the pinned Node is missing';
  return null;
}

/**
 * @param {string} path
 * @returns {Lock | null}
 */
function readLock(path) {
  return existsSync(path) ? JSON.parse(readFileSync(path, 'utf8')) : null;
}

/** @param {string} path */
function isLink(path) {
  return lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink() ?? false;
}

/**
 * `npm ci` begins by removing all there is in node_modules, also through a link: the packages of another
 * checkout, which may be in use there.
 *
 * @param {string} folder
 * @param {string} reason
 */
function leave(folder, reason) {
  console.error(
    `setup: ${reason} in ${folder}. Its node_modules is a link, and left alone: install where it leads, ` +
      'or remove the link.',
  );
}

/**
 * @param {string} folder
 * @param {string} reason
 */
function install(folder, reason) {
  console.error(`setup: npm ci in ${folder} (${reason})`);
  // The npm that runs this script, where there is one: PATH may hold another, or none.
  const cli = process.env.npm_execpath;
  // Warnings of engines would be about this Node: what is installed runs under the pinned one.
  const args = ['ci', '--include=dev', '--include=optional', '--loglevel=error'];
  const { status, error } = cli?.endsWith('.js')
    ? spawnSync(process.execPath, [cli, ...args], { cwd: folder, stdio: 'inherit' })
    : spawnSync('npm', args, { cwd: folder, stdio: 'inherit', shell: true });
  if (error) throw error;
  if (status !== 0) {
    console.error(`setup: npm ci failed in ${folder}`);
    process.exit(status ?? 1);
  }
}
