import { defineStore } from "pinia";
import { ref, watch, type WatchStopHandle } from "vue";
import { AccountStream } from "@/api/account-stream";
import { whenUnauthorized } from "@/api/client";
import { QuotesStream } from "@/api/quotes-stream";
import type { AccountEvent, BalanceChange, Order } from "@/api/schema";
import { eventsAfter, eventsLastSeq } from "@/api/trading";
import { useAllowance } from "./allowance";
import { useBridgeAlerts, type RaisedAlert } from "./bridge-alerts";
import { useClock } from "./clock";
import { useConnection } from "./connection";
import { useOrders } from "./orders";
import { useQuotes } from "./quotes";
import { useSession } from "./session";
import { useSymbols } from "./symbols";
import { useTicket } from "./ticket";
import { useWallets } from "./wallets";

const SYMBOLS_EVERY_MS = 15_000;

export function socketUrl(path: string): string {
  return `${location.protocol === "https:" ? "wss" : "ws"}://${location.host}${path}`;
}

/** Joins the sockets to the stores: starts them at log-in and stops them at log-out. */
export const useLive = defineStore("live", () => {
  const [clock, connection, orders, quotes] = [useClock(), useConnection(), useOrders(), useQuotes()];
  const [session, symbols, ticket, wallets] = [useSession(), useSymbols(), useTicket(), useWallets()];
  const [allowance, bridgeAlerts] = [useAllowance(), useBridgeAlerts()];
  const failed = ref(false);
  const started = ref(false);
  let account: AccountStream | null = null;
  let prices: QuotesStream | null = null;
  let poll: ReturnType<typeof setInterval> | null = null;
  let unwatch: WatchStopHandle | null = null;

  function applyEvent(event: AccountEvent): void {
    if (event.type.startsWith("order.")) {
      orders.apply(event.data as Order);
      ticket.heard(event.data as Order);
    } else if (event.type === "balance.changed") {
      wallets.apply(event.data as BalanceChange);
    } else if (event.type === "account.banned") {
      allowance.setBanned(true);
      void session.read();
    } else if (event.type === "ea.alert") bridgeAlerts.apply(event.data as RaisedAlert);
    else if (event.type.startsWith("limit.")) void allowance.read();
  }

  async function readState(): Promise<void> {
    void bridgeAlerts.read();
    await Promise.all([wallets.read(), orders.read(), symbols.read()]);
  }

  /** The server did not know us: either the session ended, or it was renewed meanwhile. */
  async function recheck(): Promise<void> {
    await session.read().catch(() => undefined);
    if (session.user) account?.resume();
  }

  function openQuotes(): QuotesStream {
    return new QuotesStream({
      url: socketUrl("/ws/quotes/"),
      onTicks: quotes.apply,
      onFeed: symbols.setState,
      onState: (state) => { connection.setQuotes(state); },
    });
  }

  function openAccount(): AccountStream {
    return new AccountStream({
      url: socketUrl("/ws/v1/"),
      lastSeq: eventsLastSeq,
      eventsAfter,
      readState,
      apply: applyEvent,
      onPublic: (_type, data) => { symbols.applyPublic(data); },
      onState: (state, retryAt) => { connection.setAccount(state, retryAt); },
      onLatency: (ms) => (connection.latencyMs = Math.round(ms)),
      onSignedOut: () => void recheck(),
    });
  }

  async function start(): Promise<void> {
    if (account) return;
    failed.value = false;
    whenUnauthorized(() => void recheck());
    const [events, ticks] = [openAccount(), openQuotes()];
    [account, prices] = [events, ticks];
    try {
      await Promise.all([clock.start(), events.start()]);
    } catch {
      stop();
      failed.value = true;
      return;
    }
    ticks.start();
    unwatch = watch(() => (symbols.list ?? []).map((each) => each.code), (codes) => { ticks.watch(codes); }, { immediate: true });
    poll = setInterval(() => void symbols.read().catch(() => undefined), SYMBOLS_EVERY_MS);
    started.value = true;
  }

  function stop(): void {
    unwatch?.();
    if (poll !== null) clearInterval(poll);
    account?.stop();
    prices?.stop();
    clock.stop();
    orders.clear();
    wallets.clear();
    bridgeAlerts.clear();
    account = prices = poll = unwatch = null;
    started.value = false;
  }

  /** Come back to the screen: do not wait for the next attempt. */
  function hurry(): void {
    account?.hurry();
    prices?.hurry();
    if (!started.value) return;
    void clock.resync();
    void account?.catchUp();
  }

  return { failed, started, start, stop, hurry };
});
