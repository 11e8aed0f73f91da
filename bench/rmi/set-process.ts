/**
 * A process that measures one set of keys, sends progress and the result to the process that forked
 * it, and ends: the next set begins with an empty heap, and with loops that have seen no other form of
 * keys.
 */
import { measureSet, type SetOptions, type SetResult } from './measure-set.ts';

export type Message = { readonly progress: string } | { readonly result: SetResult };

process.once('message', async (options: SetOptions) => {
  const send = (message: Message, done = () => {}): void => {
    process.send?.(message, done);
  };
  // Whoever asked is gone, or has the answer.
  process.once('disconnect', () => process.exit());
  const result = await measureSet(options, (progress) => send({ progress }));
  send({ result }, () => process.disconnect?.());
});
