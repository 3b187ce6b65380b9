import { fullJitterMs, type BackoffBounds } from "./backoff";

export type SocketState = "idle" | "connecting" | "open" | "waiting";

export interface SocketOptions {
  url: string;
  onOpen: () => void;
  onMessage: (message: unknown) => void;
  onState: (state: SocketState, retryAtMs: number | null) => void;
  onLatency?: (ms: number) => void;
  /** Close codes after which there is no use in coming back, such as a lost session. */
  finalCodes?: readonly number[];
  onFinal?: (code: number) => void;
  backoff?: BackoffBounds;
  pingEveryMs?: number;
  pongWithinMs?: number;
  random?: () => number;
}

const DEFAULT_BACKOFF: BackoffBounds = { baseMs: 1000, maxMs: 15_000 };
const HEALTHY_AFTER_MS = 10_000;

/**
 * A WebSocket that comes back: full-jitter back-off, a ping each 20 s, and a silent peer counts as gone.
 * It carries JSON and keeps no cursor; what was missed is the business of its user.
 */
export class ReconnectingSocket {
  private socket: WebSocket | null = null;
  private wanted = false;
  private attempt = 0;
  private retryTimer: ReturnType<typeof setTimeout> | null = null;
  private pingTimer: ReturnType<typeof setInterval> | null = null;
  private pongTimer: ReturnType<typeof setTimeout> | null = null;
  private healthyTimer: ReturnType<typeof setTimeout> | null = null;
  private pingedAt: number | null = null;

  constructor(private readonly options: SocketOptions) {}

  start(): void {
    if (this.wanted) return;
    this.wanted = true;
    addEventListener("online", this.hurry);
    addEventListener("offline", this.drop);
    this.connect();
  }

  stop(): void {
    this.wanted = false;
    removeEventListener("online", this.hurry);
    removeEventListener("offline", this.drop);
    this.clearTimers();
    this.detach();
    this.options.onState("idle", null);
  }

  send(message: unknown): boolean {
    if (this.socket?.readyState !== WebSocket.OPEN) return false;
    this.socket.send(JSON.stringify(message));
    return true;
  }

  /** Open a connection at once instead of waiting, unless there is one. */
  readonly hurry = (): void => {
    if (!this.wanted || this.socket?.readyState === WebSocket.OPEN) return;
    this.attempt = 0;
    this.clearTimers();
    this.detach();
    this.connect();
  };

  /** Give up the present connection, sound or not, and come back after the usual wait. */
  restart(): void {
    if (this.wanted) this.lost();
  }

  private readonly drop = (): void => {
    if (this.wanted) this.lost();
  };

  private connect(): void {
    this.options.onState("connecting", null);
    const socket = new WebSocket(this.options.url);
    this.socket = socket;
    socket.onopen = () => {
      if (this.socket === socket) this.opened();
    };
    socket.onmessage = (event: MessageEvent<unknown>) => {
      if (this.socket === socket) this.received(event.data);
    };
    socket.onclose = (event) => {
      if (this.socket === socket) this.lost(event.code);
    };
  }

  private opened(): void {
    this.healthyTimer = setTimeout(() => (this.attempt = 0), HEALTHY_AFTER_MS);
    this.pingTimer = setInterval(this.ping, this.options.pingEveryMs ?? 20_000);
    this.options.onState("open", null);
    this.options.onOpen();
    this.ping();
  }

  private readonly ping = (): void => {
    if (!this.send({ type: "ping" })) return;
    this.pingedAt = performance.now();
    if (this.pongTimer !== null) clearTimeout(this.pongTimer);
    this.pongTimer = setTimeout(() => { this.lost(); }, this.options.pongWithinMs ?? 10_000);
  };

  private received(data: unknown): void {
    if (this.pongTimer !== null) clearTimeout(this.pongTimer);
    this.pongTimer = null;
    const message = parsed(data);
    if (message === undefined) return;
    if (isPong(message)) {
      if (this.pingedAt !== null) this.options.onLatency?.(performance.now() - this.pingedAt);
      this.pingedAt = null;
      return;
    }
    this.options.onMessage(message);
  }

  private lost(code?: number): void {
    this.clearTimers();
    this.detach();
    if (!this.wanted) return;
    if (code !== undefined && this.options.finalCodes?.includes(code)) {
      this.stop();
      this.options.onFinal?.(code);
      return;
    }
    const waitMs = fullJitterMs(this.attempt, this.options.backoff ?? DEFAULT_BACKOFF, this.options.random);
    this.attempt += 1;
    this.options.onState("waiting", Date.now() + waitMs);
    this.retryTimer = setTimeout(() => { this.connect(); }, waitMs);
  }

  private detach(): void {
    const socket = this.socket;
    this.socket = null;
    if (!socket) return;
    socket.onopen = socket.onmessage = socket.onclose = null;
    if (socket.readyState <= WebSocket.OPEN) socket.close();
  }

  private clearTimers(): void {
    for (const timer of [this.retryTimer, this.pongTimer, this.healthyTimer]) if (timer !== null) clearTimeout(timer);
    if (this.pingTimer !== null) clearInterval(this.pingTimer);
    this.retryTimer = this.pongTimer = this.healthyTimer = this.pingTimer = null;
    this.pingedAt = null;
  }
}

function parsed(data: unknown): unknown {
  if (typeof data !== "string") return undefined;
  try {
    return JSON.parse(data) as unknown;
  } catch {
    return undefined;
  }
}

function isPong(message: unknown): boolean {
  return typeof message === "object" && message !== null && "type" in message && message.type === "pong";
}
