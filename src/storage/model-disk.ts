/**
 * A model of a disk with directories, for CrashStorage: it knows what a power cut may undo.
 *
 * - `entries` is what programs see, `durable` what certainly survives. Each change of names since
 *   the last sync of the directory is one step, a rename being one step of two names. A power cut
 *   keeps any of the steps, as long as of two that share a name or a file the later is not kept
 *   without the earlier: file systems keep such an order, but no other.
 * - A file whose name is lost is lost, whether it was synced or not.
 * - A directory sync that failed leaves its steps undecided: a later one settles only what depends
 *   on them.
 */

import assert from 'node:assert/strict';
import { type CutPolicy, ModelFile, type Random } from './model-file.ts';

export type ModelNode = ModelFile | ModelDirectory;

interface Step {
  /** What each name stands for afterwards; null: nothing. */
  readonly names: ReadonlyMap<string, ModelNode | null>;
  readonly node: ModelNode;
  lost: boolean;
}

export class ModelDirectory {
  entries = new Map<string, ModelNode>();
  #durable = new Map<string, ModelNode>();
  #steps: Step[] = [];

  add(name: string, node: ModelNode): void {
    this.#take({ names: new Map([[name, node]]), node, lost: false });
  }

  remove(name: string): void {
    this.#take({ names: new Map([[name, null]]), node: this.#at(name), lost: false });
  }

  rename(from: string, to: string): void {
    const node = this.#at(from);
    if (from === to) return;
    this.#take({
      names: new Map([
        [from, null],
        [to, node],
      ]),
      node,
      lost: false,
    });
  }

  sync(): void {
    const undecided = this.#steps.filter(
      (step, i) => step.lost && !this.#steps.slice(i + 1).some((later) => depends(later, step)),
    );
    for (const step of this.#steps) if (!undecided.includes(step)) apply(this.#durable, step);
    this.#steps = undecided;
  }

  /** The sync that failed. */
  lose(): void {
    for (const step of this.#steps) step.lost = true;
  }

  clone(copies = new Map<ModelNode, ModelNode>()): ModelDirectory {
    const copy = new ModelDirectory();
    const cloned = (node: ModelNode): ModelNode => {
      const known = copies.get(node);
      if (known !== undefined) return known;
      const made = node instanceof ModelFile ? node.clone() : node.clone(copies);
      copies.set(node, made);
      return made;
    };
    for (const [name, node] of this.entries) copy.entries.set(name, cloned(node));
    for (const [name, node] of this.#durable) copy.#durable.set(name, cloned(node));
    copy.#steps = this.#steps.map((step) => ({
      names: new Map([...step.names].map(([name, node]) => [name, node && cloned(node)])),
      node: cloned(step.node),
      lost: step.lost,
    }));
    return copy;
  }

  /** A directory, with all below it, as it may be found after the power came back. */
  afterPowerCut(names: CutPolicy, content: CutPolicy, random: Random): ModelDirectory {
    const found = new Map(this.#durable);
    const undone: Step[] = [];
    const kept = Math.floor(random() * (this.#steps.length + 1));
    this.#steps.forEach((step, i) => {
      const chance =
        names === 'everything' || (names === 'prefix' && i < kept)
          ? 1
          : names === 'nothing' || names === 'prefix'
            ? 0
            : 0.5;
      if (random() < chance && !undone.some((earlier) => depends(step, earlier))) {
        apply(found, step);
      } else {
        undone.push(step);
      }
    });
    const directory = new ModelDirectory();
    for (const [name, node] of found) {
      const after =
        node instanceof ModelFile
          ? node.afterPowerCut(content, random)
          : node.afterPowerCut(names, content, random);
      directory.entries.set(name, after);
      directory.#durable.set(name, after);
    }
    return directory;
  }

  #at(name: string): ModelNode {
    const node = this.entries.get(name);
    assert(node !== undefined, 'the name is there');
    return node;
  }

  #take(step: Step): void {
    apply(this.entries, step);
    this.#steps.push(step);
  }
}

function apply(entries: Map<string, ModelNode>, step: Step): void {
  for (const [name, node] of step.names) {
    if (node === null) entries.delete(name);
    else entries.set(name, node);
  }
}

function depends(later: Step, earlier: Step): boolean {
  if (later.node === earlier.node) return true;
  return [...later.names.keys()].some((name) => earlier.names.has(name));
}
