/** Figures as people read and write them on the command line. */

const WHOLE = new Intl.NumberFormat('en-US', { maximumFractionDigits: 0 });
const UNITS = ['B', 'kB', 'MB', 'GB', 'TB'];
const FACTORS: Readonly<Record<string, number>> = {
  ...{ '': 1, b: 1, kb: 1e3, mb: 1e6, gb: 1e9, tb: 1e12 },
  ...{ kib: 2 ** 10, mib: 2 ** 20, gib: 2 ** 30, tib: 2 ** 40 },
  ...{ k: 2 ** 10, m: 2 ** 20, g: 2 ** 30, t: 2 ** 40 },
};

export function count(value: number): string {
  return WHOLE.format(value);
}

/** "1 row", "2 rows". */
export function counted(value: number, noun: string): string {
  return `${count(value)} ${noun}${value === 1 ? '' : 's'}`;
}

/** Three digits and a unit of a thousand. */
export function short(value: number): string {
  const step = value < 1000 ? 0 : Math.min(3, Math.floor(Math.log10(value) / 3));
  if (step === 0) return count(value);
  const scaled = value / 1000 ** step;
  return `${scaled.toFixed(scaled < 100 ? 1 : 0)} ${['', 'k', 'M', 'G'][step]}`;
}

export function bytes(value: number): string {
  const step = value < 1000 ? 0 : Math.min(4, Math.floor(Math.log10(value) / 3));
  if (step === 0) return `${count(value)} B`;
  const scaled = value / 1000 ** step;
  return `${scaled.toFixed(scaled < 100 ? 1 : 0)} ${UNITS[step]}`;
}

/** A length of time: "0.4 s", "12 s", "3:05", "2:03:05". */
export function duration(ms: number): string {
  if (ms < 9950) return `${(ms / 1000).toFixed(1)} s`;
  const seconds = Math.round(ms / 1000);
  if (seconds < 60) return `${seconds} s`;
  const two = (value: number) => String(value).padStart(2, '0');
  const [h, m, s] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, two(seconds % 60)];
  return h > 0 ? `${h}:${two(m)}:${s}` : `${m}:${s}`;
}

/** Bytes of a text such as "512MB" (millions) or "512MiB" (of 1,024 times 1,024); undefined for none. */
export function parseBytes(text: string): number | undefined {
  const found = /^(\d+(?:\.\d+)?)\s*([a-z]*)$/i.exec(text.trim());
  const factor = FACTORS[found?.[2].toLowerCase() ?? 'none'];
  return found === null || factor === undefined ? undefined : Math.floor(Number(found[1]) * factor);
}
