/** IPv4 addresses as the numbers that keys are made of. */
import { isIPv4 } from 'node:net';

/** 1.1.1.1 → 16843009. @throws TypeError when it is no IPv4 address */
export function parseAddress(text: string): number {
  if (!isIPv4(text)) throw new TypeError(`"${text}" is not an IPv4 address such as 1.1.1.1.`);
  return text.split('.').reduce((sum, part) => 256 * sum + Number(part), 0);
}

/** 16843009 → 1.1.1.1 */
export function formatAddress(address: number): string {
  return [24, 16, 8, 0].map((shift) => (address >>> shift) & 255).join('.');
}
