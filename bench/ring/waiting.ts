/** The ways to wait that are compared. All of them end when the bell was rung since `seen`. */
import { Doorbell } from '../../src/ring/doorbell.ts';

export { Doorbell };

/** About a microsecond: long enough to catch a peer that is just about to ring. */
const SPIN_ROUNDS = 100;

export function sleep(bell: Doorbell, seen: number): void {
  bell.sleepSync(seen);
}

export function spinThenSleep(bell: Doorbell, seen: number): void {
  if (!bell.spin(seen, SPIN_ROUNDS)) bell.sleepSync(seen);
}

export function spin(bell: Doorbell, seen: number): void {
  while (!bell.spin(seen, 1_000_000));
}
