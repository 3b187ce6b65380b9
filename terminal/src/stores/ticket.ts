import { defineStore } from "pinia";
import { computed, ref } from "vue";
import { orderLookup, orderPlace } from "@/api/trading";
import { ApiProblem, NoAnswer } from "@/api/problem";
import type { Direction, NewOrder, Order } from "@/api/schema";
import { clientId } from "@/lib/client-id";
import { compareAmounts, fromMinor, isAmount, profitMinor, toMinor } from "@/lib/money";
import { useConnection } from "./connection";
import { useMarket, type MarketWord } from "./market";
import { useOrders } from "./orders";
import { usePreferences } from "./preferences";
import { useSymbols } from "./symbols";
import { useWallets } from "./wallets";

export type TicketPhase =
  | { kind: "idle" }
  | { kind: "placing"; direction: Direction }
  | { kind: "accepted"; direction: Direction; order: Order }
  | { kind: "refused"; direction: Direction; code: string; detail: string }
  | { kind: "unconfirmed"; direction: Direction; clientOrderId: string };

export type StakeFault = "empty" | "precision" | "below" | "above" | "funds";
export type BuyBlock = "no_wallet" | "cut_off" | "duration" | "stake" | Exclude<MarketWord, "open">;

const ACCEPTED_SHOWN_MS = 1600;

/** The order being prepared, and what became of the last one sent. Refusals keep everything that was entered. */
export const useTicket = defineStore("ticket", () => {
  const preferences = usePreferences();
  const symbols = useSymbols();
  const wallets = useWallets();
  const market = useMarket();
  const connection = useConnection();
  const orders = useOrders();
  const phase = ref<TicketPhase>({ kind: "idle" });

  const stakeFault = computed<StakeFault | null>(() => {
    const symbol = symbols.selected;
    const text = preferences.stake;
    if (text.trim() === "") return "empty";
    if (!isAmount(text, wallets.scale)) return "precision";
    if (!symbol) return null;
    if (compareAmounts(text, symbol.min_stake) < 0) return "below";
    if (compareAmounts(text, symbol.max_stake) > 0) return "above";
    return wallets.current && compareAmounts(text, wallets.current.balance) > 0 ? "funds" : null;
  });

  const durationFault = computed(() => {
    const symbol = symbols.selected;
    if (!symbol) return false;
    return preferences.durationS < symbol.min_duration_s || preferences.durationS > symbol.max_duration_s;
  });

  const profit = computed(() => {
    const symbol = symbols.selected;
    if (!symbol || !isAmount(preferences.stake, wallets.scale)) return null;
    return fromMinor(profitMinor(toMinor(preferences.stake, wallets.scale), symbol.payout_percent), wallets.scale);
  });

  /** Why nothing can be bought now, the weightiest reason first; null when the buttons are on. */
  const block = computed<BuyBlock | null>(() => {
    if (!wallets.current) return "no_wallet";
    if (connection.cutOff) return "cut_off";
    if (market.word !== "open") return market.word;
    if (durationFault.value) return "duration";
    return stakeFault.value === null ? null : "stake";
  });

  function draft(direction: Direction): NewOrder | null {
    const symbol = symbols.selected;
    if (!symbol || !wallets.current || block.value !== null) return null;
    return {
      wallet_id: wallets.current.id,
      symbol: symbol.code,
      direction,
      stake: fromMinor(toMinor(preferences.stake, wallets.scale), wallets.scale),
      duration_s: preferences.durationS,
      client_order_id: `web-${clientId()}`,
      min_payout_percent: symbol.payout_percent,
    };
  }

  /** Buy. A second click while the first is on its way is the same order, so it is not sent again. */
  async function buy(direction: Direction): Promise<void> {
    if (phase.value.kind === "placing") return;
    const order = draft(direction);
    if (!order) return;
    phase.value = { kind: "placing", direction };
    try {
      accept(direction, await orderPlace(order));
    } catch (error) {
      if (error instanceof ApiProblem) {
        phase.value = { kind: "refused", direction, code: error.code, detail: error.body.detail || error.body.title };
      } else if (error instanceof NoAnswer) {
        phase.value = { kind: "unconfirmed", direction, clientOrderId: order.client_order_id };
      } else {
        phase.value = { kind: "idle" };
        throw error;
      }
    }
  }

  function accept(direction: Direction, order: Order): void {
    orders.apply(order);
    const accepted: TicketPhase = { kind: "accepted", direction, order };
    phase.value = accepted;
    setTimeout(() => {
      if (phase.value.kind === "accepted" && phase.value.order.id === order.id) phase.value = { kind: "idle" };
    }, ACCEPTED_SHOWN_MS);
  }

  /** Find out what became of an order whose answer was lost. */
  async function confirm(): Promise<void> {
    const lost = phase.value;
    if (lost.kind !== "unconfirmed" || !wallets.current) return;
    const found = await orderLookup(wallets.current.ledger, lost.clientOrderId);
    if (found) accept(lost.direction, found);
    else phase.value = { kind: "idle" };
  }

  /** An event may bring the answer that the network lost. */
  function heard(order: Order): void {
    if (phase.value.kind === "unconfirmed" && phase.value.clientOrderId === order.client_order_id) accept(phase.value.direction, order);
  }

  function clear(): void {
    if (phase.value.kind !== "placing") phase.value = { kind: "idle" };
  }

  return { phase, stakeFault, durationFault, profit, block, buy, confirm, heard, clear };
});
