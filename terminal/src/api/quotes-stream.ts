import { FrameBatch } from "@/lib/frame";
import { ReconnectingSocket, type SocketState } from "@/lib/socket";
import { quotesMessage, type QuoteTick } from "./messages";
import type { MarketState } from "./schema";

export interface QuotesStreamOptions {
  url: string;
  /** All ticks since the last frame, in the order they came. */
  onTicks: (ticks: QuoteTick[]) => void;
  onFeed: (symbol: string, state: MarketState) => void;
  onState: (state: SocketState, retryAtMs: number | null) => void;
}

/** Live quotes of a set of symbols; subscriptions survive a reconnect. */
export class QuotesStream {
  private readonly wanted = new Set<string>();
  private readonly frame: FrameBatch<QuoteTick>;
  private readonly socket: ReconnectingSocket;
  private requests = 0;

  constructor(private readonly options: QuotesStreamOptions) {
    this.frame = new FrameBatch(options.onTicks);
    this.socket = new ReconnectingSocket({
      url: options.url,
      onOpen: () => { this.ask("subscribe", [...this.wanted]); },
      onMessage: (message) => { this.receive(message); },
      onState: options.onState,
    });
  }

  start(): void {
    this.socket.start();
  }

  stop(): void {
    this.frame.stop();
    this.socket.stop();
  }

  hurry(): void {
    this.socket.hurry();
  }

  /** Make the subscriptions exactly these symbols. */
  watch(symbols: readonly string[]): void {
    const next = new Set(symbols);
    const added = symbols.filter((code) => !this.wanted.has(code));
    const dropped = [...this.wanted].filter((code) => !next.has(code));
    for (const code of added) this.wanted.add(code);
    for (const code of dropped) this.wanted.delete(code);
    this.ask("subscribe", added);
    this.ask("unsubscribe", dropped);
  }

  private ask(type: "subscribe" | "unsubscribe", symbols: readonly string[]): void {
    if (symbols.length === 0) return;
    this.requests += 1;
    this.socket.send({ id: this.requests, type, symbols });
  }

  private receive(raw: unknown): void {
    const message = quotesMessage(raw);
    if (message.kind === "ticks") for (const tick of message.ticks) this.frame.push(tick);
    else if (message.kind === "feed") this.options.onFeed(message.symbol, message.state);
  }
}
