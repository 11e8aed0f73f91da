/** Small things that every piece of the page needs. */

export function escapeText(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;');
}

/** 12345.6 → "12,346", 0.01234 → "0.012". */
export function figure(value: number): string {
  if (value !== 0 && Math.abs(value) < 10) return String(Number(value.toPrecision(2)));
  return Math.round(value).toLocaleString('en');
}

/** Distances and keys, short: 1.2e+15 → "1.2·10¹⁵", −48000 → "−48 k". */
export function short(value: number): string {
  if (value < 0) return `−${short(-value)}`;
  const size = value;
  if (size >= 1e15) {
    const [digits, exponent] = value.toExponential(1).split('e');
    const raised = [...String(Number(exponent))]
      .map((digit) => '⁰¹²³⁴⁵⁶⁷⁸⁹'[Number(digit)])
      .join('');
    return `${digits.replace(/\.0$/, '')}·10${raised}`;
  }
  for (const [unit, name] of [
    [1e12, ' T'],
    [1e9, ' G'],
    [1e6, ' M'],
    [1e3, ' k'],
  ] as const) {
    if (size >= unit) return `${Number((value / unit).toPrecision(3))}${name}`;
  }
  return String(Number(value.toPrecision(3)));
}

/** Two decimals, for coordinates. */
export function at(value: number): string {
  return String(Math.round(value * 100) / 100);
}
