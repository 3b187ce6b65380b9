import type { Signal } from "@/api/bridge";

type Translate = (key: string, values?: Record<string, unknown>) => string;

export const SIGNAL_STATES = ["received", "validated", "routed", "submitted", "accepted", "open", "settled", "denied", "expired", "rejected", "cancelled", "unknown"] as const;
const RESULTS = ["won", "lost", "tied", "refunded"] as const;
const HELD_BACK = ["denied", "expired", "rejected", "cancelled"];

export type Result = (typeof RESULTS)[number];

/** A code in words where there are any, else the code itself: a newer server may know more of them. */
export function codeWords(code: string, symbol: string, t: Translate, knows: (key: string) => boolean): string {
  const name = code.replaceAll(".", "_");
  if (knows(`bridge.code.${name}`)) return t(`bridge.code.${name}`, { symbol });
  // Ranges that the ticket shows beside such a refusal are not known here.
  if (knows(`refusal.${name}`) && !code.endsWith("out_of_range")) return t(`refusal.${name}`, { symbol });
  return code;
}

/** The result of a signal whose order is settled. */
export function resultOf({ state, code }: Pick<Signal, "state" | "code">): Result | null {
  return state === "settled" ? (RESULTS.find((each) => each === code) ?? null) : null;
}

export function stateWord(state: string, t: Translate, knows: (key: string) => boolean): string {
  return knows(`bridge.is.${state}`) ? t(`bridge.is.${state}`) : state;
}

export const isHeldBack = (state: string): boolean => HELD_BACK.includes(state);

export const symbolOf = ({ symbol, raw_symbol }: Pick<Signal, "symbol" | "raw_symbol">): string => symbol ?? raw_symbol ?? "?";
