/** What a pool of the tests does with a task. */
export default function double(task: number): number {
  if (task < 0) throw new RangeError('negative');
  return 2 * task;
}
