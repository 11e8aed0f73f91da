/** `--json` takes a file, and did without one when there was only standard output: both are understood. */
export function withJsonValue(args: readonly string[], names: readonly string[]): string[] {
  return args.flatMap((arg, i) => {
    if (arg !== '--json') return [arg];
    const next = args[i + 1];
    const isFile =
      next !== undefined && (next === '-' || !next.startsWith('-')) && !names.includes(next);
    return isFile ? [arg] : ['--json=-'];
  });
}
