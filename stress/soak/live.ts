/** The page of a soak while it goes on, at the loopback address: data as server-sent events. */
import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type PageData, pageOf } from './page.ts';

const ALL_MS = 5000;

export class LivePage {
  readonly #server: Server;
  readonly #listeners = new Set<ServerResponse>();
  readonly #data: () => PageData;
  #sentMs = Number.NEGATIVE_INFINITY;

  private constructor(data: () => PageData) {
    this.#data = data;
    const page = pageOf(null);
    this.#server = createServer((request, response) => {
      if (request.url === '/events') this.#listen(response);
      else if (request.url === '/') {
        response.writeHead(200, { 'content-type': 'text/html; charset=utf-8' }).end(page);
      } else response.writeHead(404).end();
    });
  }

  /** @param port 0: one that is free */
  static async open(port: number, data: () => PageData): Promise<LivePage> {
    const live = new LivePage(data);
    await new Promise<void>((resolve, reject) => {
      live.#server.once('error', reject);
      live.#server.listen(port, '127.0.0.1', resolve);
    });
    return live;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/`;
  }

  #listen(response: ServerResponse): void {
    response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' });
    this.#listeners.add(response);
    response.on('close', () => this.#listeners.delete(response));
    send(response, 'all', this.#data());
  }

  /** Tells how it goes; every few seconds everything that charts show. */
  now(line: string): void {
    const now = performance.now();
    const isDue = this.#listeners.size > 0 && now - this.#sentMs > ALL_MS;
    const all = isDue ? this.#data() : null;
    if (all !== null) this.#sentMs = now;
    for (const response of this.#listeners) {
      // One that does not read is let go of, not waited for.
      if (response.writableNeedDrain) response.destroy();
      else {
        send(response, 'now', line);
        if (all !== null) send(response, 'all', all);
      }
    }
  }

  async close(): Promise<void> {
    for (const response of this.#listeners) response.end();
    this.#server.closeAllConnections();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }
}

function send(response: ServerResponse, event: string, data: unknown): void {
  response.write(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`);
}
