/**
 * Writes that wait instead of being refused where too many are pending: behind interfaces whose callers
 * know nothing of back-pressure.
 */
import { OmenError } from './index.ts';

/**
 * Sends a write, and again whenever there is room, until it is taken. Writes that are not awaited may
 * overtake each other then.
 * @param send encodes and sends; called again, it has to send the same
 */
export async function withRoom(
  db: { ready(): Promise<void> },
  send: () => Promise<void>,
): Promise<void> {
  for (;;) {
    try {
      return await send();
    } catch (error) {
      if (!(error instanceof OmenError) || error.code !== 'OMEN_BACKPRESSURE') throw error;
      await db.ready();
    }
  }
}
