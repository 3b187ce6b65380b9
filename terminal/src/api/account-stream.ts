import { EventCursor } from "@/lib/event-cursor";
import { ReconnectingSocket, type SocketState } from "@/lib/socket";
import { accountMessage } from "./messages";
import { ApiProblem } from "./problem";
import type { AccountEvent } from "./schema";

const ACCOUNT = 1;
const SYMBOLS = 2;
const CURSOR_EXPIRED = "events.cursor_expired";
const SESSION_GONE = [4401];

export interface AccountStreamOptions {
  url: string;
  lastSeq: () => Promise<number>;
  eventsAfter: (seq: number) => Promise<{ data: AccountEvent[]; last_seq: number }>;
  /** Read the whole state anew; events after the cursor are applied on top of it. */
  readState: () => Promise<void>;
  apply: (event: AccountEvent) => void;
  onPublic: (type: string, data: unknown) => void;
  onState: (state: SocketState, retryAtMs: number | null) => void;
  onLatency: (ms: number) => void;
  onSignedOut: () => void;
}

/**
 * The account's events, each applied once and in order. The cursor is taken before the state is read, so
 * whatever happens during the reading is replayed on top; a hole in the numbers is filled from the store.
 */
export class AccountStream {
  private cursor: EventCursor | null = null;
  private held: AccountEvent[] | null = null;
  private readonly socket: ReconnectingSocket;

  constructor(private readonly options: AccountStreamOptions) {
    this.socket = new ReconnectingSocket({
      url: options.url,
      onOpen: () => { this.subscribe(); },
      onMessage: (message) => { this.receive(message); },
      onState: options.onState,
      onLatency: options.onLatency,
      finalCodes: SESSION_GONE,
      onFinal: options.onSignedOut,
    });
  }

  get seq(): number | null {
    return this.cursor?.seq ?? null;
  }

  async start(): Promise<void> {
    await this.reset();
    this.socket.start();
  }

  stop(): void {
    this.socket.stop();
  }

  hurry(): void {
    this.socket.hurry();
  }

  /** Come back after the session proved to be alive. */
  resume(): void {
    this.socket.start();
  }

  /** Ask for what was missed while the page slept; the socket may not know yet that it is dead. */
  async catchUp(): Promise<void> {
    if (!this.cursor || this.held) return;
    this.held = [];
    await this.recover(() => this.fillGap());
  }

  /** Begin anew from the present: cursor first, then state, then what came meanwhile. */
  private async reset(): Promise<void> {
    this.held = [];
    const cursor = new EventCursor(await this.options.lastSeq());
    await this.options.readState();
    this.cursor = cursor;
    this.release();
  }

  private subscribe(): void {
    if (!this.cursor) return;
    this.socket.send({ id: ACCOUNT, type: "subscribe", channel: "account", after_seq: this.cursor.seq });
    this.socket.send({ id: SYMBOLS, type: "subscribe", channel: "symbols" });
  }

  private receive(raw: unknown): void {
    const message = accountMessage(raw);
    if (message.kind === "event") this.take(message.event);
    else if (message.kind === "public") this.options.onPublic(message.type, message.data);
    else if (message.kind === "error" && message.error.code === CURSOR_EXPIRED) void this.recover(() => this.resetAndSubscribe());
  }

  private take(event: AccountEvent): void {
    if (this.held) {
      this.held.push(event);
      return;
    }
    const verdict = this.cursor?.judge(event);
    if (verdict === "apply") this.applyOne(event);
    else if (verdict === "gap") {
      this.held = [event];
      void this.recover(() => this.fillGap());
    }
  }

  private applyOne(event: AccountEvent): void {
    this.options.apply(event);
    this.cursor?.advance(event.seq);
  }

  private async resetAndSubscribe(): Promise<void> {
    await this.reset();
    this.subscribe();
  }

  /** Run a repair; when it fails for want of a connection, the next connection begins from the same cursor. */
  private async recover(repair: () => Promise<void>): Promise<void> {
    try {
      await repair();
    } catch (error) {
      if (error instanceof ApiProblem && error.code === CURSOR_EXPIRED) {
        await this.recover(() => this.resetAndSubscribe());
        return;
      }
      this.held = null;
      this.socket.restart();
    }
  }

  private async fillGap(): Promise<void> {
    const cursor = this.cursor;
    if (!cursor) return;
    for (;;) {
      const { data, last_seq: lastSeq } = await this.options.eventsAfter(cursor.seq);
      for (const event of data) if (event.seq > cursor.seq) this.applyOne(event);
      if (data.length === 0 || cursor.seq >= lastSeq) break;
    }
    this.release();
  }

  private release(): void {
    const held = this.held ?? [];
    this.held = null;
    for (const event of held) this.take(event);
  }
}
