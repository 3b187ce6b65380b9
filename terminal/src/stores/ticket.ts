import { defineStore, storeToRefs } from "pinia";
import { computed, shallowRef, watch } from "vue";
import { orderPlace } from "@/api/trading";
import { ApiProblem, NoAnswer } from "@/api/problem";
import type { Direction, NewOrder, Order } from "@/api/schema";
import { useAllowance } from "./allowance";
import { useClock } from "./clock";
import { useConnection } from "./connection";
import { useExpiry } from "./expiry";
import { useOrderLookup } from "./order-lookup";
import { useOrders } from "./orders";
import { usePreferences } from "./preferences";
import { useSymbols } from "./symbols";
import { orderFrom, type DraftChanges } from "./ticket-draft";
import { useTicketTerms } from "./ticket-terms";
import { useTradeSettings } from "./trade-settings";

export interface Refusal {
  code: string;
  detail: string;
  /** When the server said that it may be tried again, in the server's time. */
  againAtMs: number | null;
  sent: NewOrder;
}

export type TicketPhase =
  | { kind: "idle" }
  | { kind: "confirming"; direction: Direction }
  | { kind: "placing"; direction: Direction }
  | { kind: "accepted"; direction: Direction; order: Order }
  | { kind: "refused"; direction: Direction; refusal: Refusal }
  | { kind: "unconfirmed"; direction: Direction; sent: NewOrder }
  | { kind: "untaken"; direction: Direction };

export type { BuyBlock, StakeFault } from "./ticket-terms";

const ACCEPTED_SHOWN_MS = 1600;
const LOOK_AGAIN_MS = 5000;

/** The order being prepared, and what became of the last one sent. Refusals keep everything that was entered. */
export const useTicket = defineStore("ticket", () => {
  const [preferences, symbols, settings, terms] = [usePreferences(), useSymbols(), useTradeSettings(), useTicketTerms()];
  const [connection, orders, allowance, expiry, lookup] = [useConnection(), useOrders(), useAllowance(), useExpiry(), useOrderLookup()];
  const { stake, stakeFault, profit, block } = storeToRefs(terms);
  const phase = shallowRef<TicketPhase>({ kind: "idle" });

  /** Real money asks before it goes, unless one-click was switched on since the page was loaded. */
  const asksFirst = computed(() => preferences.ledger === "real" && !settings.oneClickReal);

  /**
   * A press of a buy button. `again` marks a press that belongs to the gesture before it (a double click): it is
   * the same order, so it neither buys again nor answers the question.
   */
  async function press(direction: Direction, again = false): Promise<void> {
    const now = phase.value;
    if (again || now.kind === "placing" || now.kind === "unconfirmed" || block.value !== null) return;
    if (asksFirst.value && !(now.kind === "confirming" && now.direction === direction)) {
      phase.value = { kind: "confirming", direction };
      return;
    }
    await buy(direction);
  }

  /** Buy. While an order is on its way there is no second one: whatever is pressed then is the same order. */
  async function buy(direction: Direction, changes: DraftChanges = {}): Promise<void> {
    if (phase.value.kind === "placing" || phase.value.kind === "unconfirmed" || block.value !== null) return;
    const sent = orderFrom(direction, stake.value, changes);
    if (!sent) return;
    phase.value = { kind: "placing", direction };
    try {
      accept(direction, await orderPlace(sent));
    } catch (error) {
      if (error instanceof ApiProblem) refuse(direction, sent, error);
      else if (error instanceof NoAnswer) {
        phase.value = { kind: "unconfirmed", direction, sent };
        void confirm();
      } else {
        phase.value = { kind: "idle" };
        throw error;
      }
    }
  }

  function refuse(direction: Direction, sent: NewOrder, problem: ApiProblem): void {
    const againAtMs = problem.retryAfterS === null ? null : useClock().now() + problem.retryAfterS * 1000;
    phase.value = { kind: "refused", direction, refusal: { code: problem.code, detail: problem.body.detail || problem.body.title, againAtMs, sent } };
    if (problem.code === "account.banned") allowance.setBanned(true);
    if (problem.code.startsWith("limit.") || problem.code.startsWith("account.")) void allowance.read();
    if (/^(market|symbol|order\.payout)/.test(problem.code)) void symbols.read().catch(() => undefined);
  }

  function accept(direction: Direction, order: Order): void {
    orders.apply(order);
    phase.value = { kind: "accepted", direction, order };
    setTimeout(() => {
      if (phase.value.kind === "accepted" && phase.value.order.id === order.id) phase.value = { kind: "idle" };
    }, ACCEPTED_SHOWN_MS);
  }

  /** Find out what became of an order whose answer was lost. Only the server's word ends the question. */
  async function confirm(): Promise<void> {
    const lost = phase.value;
    if (lost.kind !== "unconfirmed") return;
    const found = await lookup.find(lost.sent, () => phase.value === lost);
    if (phase.value !== lost) return;
    if (found === "unknown") {
      if (connection.whole) setTimeout(() => void confirm(), LOOK_AGAIN_MS);
      return;
    }
    if (found === "untaken") phase.value = { kind: "untaken", direction: lost.direction };
    else accept(lost.direction, found);
  }

  /** An event may bring the answer that the network lost. */
  function heard(order: Order): void {
    if (phase.value.kind === "unconfirmed" && phase.value.sent.client_order_id === order.client_order_id) accept(phase.value.direction, order);
  }

  function clear(): void {
    if (phase.value.kind !== "placing" && phase.value.kind !== "unconfirmed") phase.value = { kind: "idle" };
  }

  watch(() => connection.whole, (whole) => { if (whole) void confirm(); });
  // A question and a refusal belong to what was entered: once that changes they no longer say anything true.
  watch([() => preferences.stake, () => preferences.durationS, () => preferences.symbol, () => preferences.ledger, () => expiry.mode, () => expiry.expiresAt], () => {
    if (phase.value.kind === "refused" || phase.value.kind === "confirming" || phase.value.kind === "untaken") clear();
  });
  watch([() => symbols.selected?.payout_percent, block], () => { if (phase.value.kind === "confirming") clear(); });

  return {
    phase, stakeFault, stake, profit, block, asksFirst, press, buy, confirm, heard, clear,
    // What the chart draws of the order being prepared.
    mode: computed(() => expiry.mode), expiresAt: computed(() => expiry.expiresAt), deadlineAt: computed(() => expiry.deadlineAt),
  };
});
