/**
 * Attaching: another worker thread of the process becomes a client of its own, with its own rings.
 * The handle names the thread that opened the database; the request to attach goes there as a thread
 * message with a port, over which the supervisor then speaks to the new client.
 */
import {
  isMainThread,
  MessageChannel,
  type MessagePort,
  postMessageToThread,
  threadId,
} from 'node:worker_threads';
import { expose, type Remote, wrap } from 'comlink';
import nodeEndpoint from 'comlink/dist/esm/node-adapter.mjs';
import { type ErrorCode, OmenError } from '../errors.ts';
import type { Notice } from '../shard-worker/notice.ts';
import { realStorage } from '../storage/real.ts';
import { Control } from '../view/control.ts';
import { Client, type Connection } from './client.ts';
import type { LoadCalls } from './load-book.ts';
import { type MembershipData, membershipOf } from './membership.ts';
import { revive } from './shard-thread.ts';
import { type ClientFace, faceOf, openHere, type Supervisor } from './supervisor.ts';

/** What `db.handle()` gives: plain data that can be posted to another thread. */
export interface Handle {
  readonly omendb: 1;
  readonly databaseId: string;
  readonly threadId: number;
}

/** What a client may ask of the thread that opened the database. */
export interface OwnerCalls {
  flush(): Promise<void>;
  compact(): Promise<void>;
  readonly loads: LoadCalls;
}

/** The same calls for another thread: what they throw keeps its code. */
interface CrossingCalls extends Omit<LoadCalls, 'repartition'> {
  flush(): Promise<void>;
  compact(): Promise<void>;
}

/** Lets an error through structured clone, which would drop its code. */
async function crossing<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    const code = error instanceof OmenError ? error.code : 'OMEN_SHARD_FAILED';
    throw { code, message: error instanceof Error ? error.message : String(error) };
  }
}

function crossingCalls(supervisor: Supervisor, client: number): CrossingCalls {
  const loads = supervisor.loads.callsOf(client);
  return {
    flush: () => supervisor.flush(),
    compact: () => supervisor.compact(),
    beginLoad: (name, isAlone) => crossing(loads.beginLoad(name, isAlone)),
    writeLoad: (name, shard, slice) => crossing(loads.writeLoad(name, shard, slice)),
    publishLoad: (name, ids) => crossing(loads.publishLoad(name, ids)),
    abortLoad: (name) => crossing(loads.abortLoad(name)),
  };
}

type Event =
  | {
      readonly event: 'welcome';
      readonly membership: MembershipData;
      readonly control: SharedArrayBuffer;
    }
  | ({ readonly event: 'connect' } & Connection)
  | { readonly event: 'abandon'; readonly thread: number; readonly reason: string }
  | {
      readonly event: 'refuse';
      readonly thread: number;
      readonly code: ErrorCode;
      readonly message: string;
    }
  | { readonly event: 'notify'; readonly notice: Notice }
  | { readonly event: 'close'; readonly reason: string }
  | { readonly event: 'ready' }
  | { readonly event: 'refused'; readonly code: ErrorCode; readonly message: string };

interface AttachRequest {
  readonly omendb: 'attach';
  readonly databaseId: string;
  readonly events: MessagePort;
  readonly calls: MessagePort;
}

const ATTACH_MS_MAX = 10_000;

function isAttachRequest(message: unknown): message is AttachRequest {
  return (
    typeof message === 'object' &&
    message !== null &&
    'omendb' in message &&
    message.omendb === 'attach'
  );
}

/** The supervisor's voice to a client in another thread. */
function remoteFace(events: MessagePort): ClientFace {
  const post = (event: Event, ports: MessagePort[] = []): void => events.postMessage(event, ports);
  return {
    connect: (connection) => post({ event: 'connect', ...connection }, [connection.views]),
    abandon: (thread, reason) => post({ event: 'abandon', thread, reason }),
    refuse: (thread, { code, message }) => post({ event: 'refuse', thread, code, message }),
    notify: (notice) => post({ event: 'notify', notice }),
    close: (reason) => post({ event: 'close', reason }),
  };
}

/** Answers requests to attach to databases that this thread opened. Installed once a thread. */
let isAnswering = false;

export function answerAttachRequests(): void {
  if (isAnswering) return;
  isAnswering = true;
  process.on('workerMessage', (message: unknown) => {
    if (isAttachRequest(message)) void welcome(message);
  });
}

async function welcome(request: AttachRequest): Promise<void> {
  const { events, calls } = request;
  const supervisor = openHere.get(request.databaseId);
  const refuse = (code: ErrorCode, message: string): void => {
    events.postMessage({ event: 'refused', code, message } satisfies Event);
  };
  if (supervisor === undefined) {
    refuse('OMEN_ATTACH_FAILED', 'The thread of the handle has no such database open.');
    return;
  }
  try {
    await introduce(supervisor, events, calls);
  } catch (error) {
    const code = error instanceof OmenError ? error.code : 'OMEN_ATTACH_FAILED';
    refuse(code, error instanceof Error ? error.message : String(error));
  }
}

async function introduce(
  supervisor: Supervisor,
  events: MessagePort,
  calls: MessagePort,
): Promise<void> {
  const face = remoteFace(events);
  const client = supervisor.reserveClient(face);
  events.on('close', () => supervisor.removeClient(client));
  events.unref();
  expose(crossingCalls(supervisor, client), nodeEndpoint(calls));
  calls.unref();
  const membership = supervisor.membershipData(client);
  events.postMessage({
    event: 'welcome',
    membership,
    control: supervisor.control.memory,
  } satisfies Event);
  await supervisor.addClient(client, face);
  events.postMessage({ event: 'ready' } satisfies Event);
}

/** A client in this thread, and what it may ask of the owner. */
export interface Attached {
  readonly client: Client;
  readonly calls: OwnerCalls;
  detach(): void;
}

/** @throws OMEN_ATTACH_FAILED when the handle is not of a database open in this process */
export async function attachClient(handle: Handle): Promise<Attached> {
  if (handle?.omendb !== 1 || typeof handle.databaseId !== 'string') {
    throw new OmenError('OMEN_ATTACH_FAILED', 'attach() takes what db.handle() returned.');
  }
  if (handle.threadId === threadId) return attachHere(handle);
  const events = new MessageChannel();
  const calls = new MessageChannel();
  const request: AttachRequest = {
    omendb: 'attach',
    databaseId: handle.databaseId,
    events: events.port2,
    calls: calls.port2,
  };
  const welcomed = awaitWelcome(events.port1);
  try {
    await postMessageToThread(handle.threadId, request, [events.port2, calls.port2], ATTACH_MS_MAX);
    const client = await welcomed;
    const detach = (): void => {
      client.writer.abandonAll('This thread left the database.');
      events.port1.close();
      calls.port1.close();
    };
    return { client, calls: wrapCalls(calls.port1), detach };
  } catch (error) {
    welcomed.catch(() => {});
    events.port1.close();
    calls.port1.close();
    if (error instanceof OmenError) throw error;
    throw new OmenError(
      'OMEN_ATTACH_FAILED',
      `Thread ${handle.threadId} did not answer: the database is closed, or its thread ended.`,
      { cause: error },
    );
  }
}

function wrapCalls(port: MessagePort): OwnerCalls {
  const remote: Remote<CrossingCalls> = wrap<CrossingCalls>(nodeEndpoint(port));
  // Only now: listening, which wrap() begins, holds the port.
  port.unref();
  let underWay = 0;
  /** Calls that nobody answers any more once the port is closed. */
  const waiting = new Set<(error: OmenError) => void>();
  port.on('close', () => {
    const closed = new OmenError('OMEN_CLOSED', 'This thread has left the database.');
    for (const reject of waiting) reject(closed);
  });
  const keepAlive = async <T>(call: () => Promise<T>): Promise<T> => {
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    waiting.add(reject);
    if (underWay++ === 0) port.ref();
    try {
      call().then(resolve, reject);
      return await promise;
    } finally {
      waiting.delete(reject);
      if (--underWay === 0) port.unref();
    }
  };
  const load = async <T>(call: () => Promise<T>): Promise<T> => {
    try {
      return await keepAlive(call);
    } catch (error) {
      throw revive(error);
    }
  };
  return {
    flush: () => keepAlive(() => remote.flush()),
    compact: () => keepAlive(() => remote.compact()),
    loads: {
      beginLoad: (name, isAlone) => load(() => remote.beginLoad(name, isAlone)),
      writeLoad: (name, shard, slice) => load(() => remote.writeLoad(name, shard, slice)),
      publishLoad: (name, ids) => load(() => remote.publishLoad(name, ids)),
      abortLoad: (name) => load(() => remote.abortLoad(name)),
      // Where there is this one, there are others.
      repartition: () => false,
    },
  };
}

async function attachHere(handle: Handle): Promise<Attached> {
  const supervisor = openHere.get(handle.databaseId);
  if (supervisor === undefined) {
    const where = isMainThread ? 'the main thread' : `thread ${threadId}`;
    throw new OmenError('OMEN_ATTACH_FAILED', `No such database is open in ${where}.`);
  }
  const silent: ClientFace = { connect() {}, abandon() {}, refuse() {}, notify() {}, close() {} };
  const number = supervisor.reserveClient(silent);
  const client = new Client(supervisor.membership(number), realStorage);
  await supervisor.addClient(number, faceOf(client));
  const calls = {
    flush: () => supervisor.flush(),
    compact: () => supervisor.compact(),
    loads: supervisor.loads.callsOf(number),
  };
  return { client, calls, detach: () => supervisor.removeClient(number) };
}

/** Becomes a client once the supervisor has connected it to every shard thread. */
function awaitWelcome(events: MessagePort): Promise<Client> {
  return new Promise((resolve, reject) => {
    let client: Client | null = null;
    const fail = (code: ErrorCode, message: string): void => reject(new OmenError(code, message));
    const timer = setTimeout(() => fail('OMEN_ATTACH_FAILED', 'No answer in 10 s.'), ATTACH_MS_MAX);
    events.on('message', (message: Event) => {
      if (message.event === 'welcome') {
        client = new Client(
          membershipOf(message.membership, new Control(message.control)),
          realStorage,
        );
      } else if (message.event === 'refused') {
        fail(message.code, message.message);
      } else if (message.event === 'ready' && client !== null) {
        clearTimeout(timer);
        events.unref();
        resolve(client);
      } else if (client !== null) {
        hear(client, message);
      }
    });
    events.on('close', () => {
      clearTimeout(timer);
      const reason = 'The thread that opened the database ended.';
      fail('OMEN_ATTACH_FAILED', reason);
      client?.close(reason);
      client?.writer.abandonAll(reason);
    });
  });
}

function hear(client: Client, message: Event): void {
  if (message.event === 'connect') client.connect(message);
  else if (message.event === 'abandon') client.writer.abandon(message.thread, message.reason);
  else if (message.event === 'notify') client.events.notify(message.notice);
  else if (message.event === 'close') client.close(message.reason);
  else if (message.event === 'refuse') {
    client.writer.refuse(message.thread, new OmenError(message.code, message.message));
  }
}
