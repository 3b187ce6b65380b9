import { typedAmount } from "@/lib/formats";

export const EXPIRIES_S = [60, 120, 300, 900, 1800, 3600] as const;

/** What the message of an alert is made of. */
export interface MessageAsk {
  /** A strategy says in each alert whether it bought or sold; an indicator's alert says one direction. */
  from: "strategy" | "indicator";
  direction: "call" | "put";
  strategy: string;
  stake: string;
  mode: "fixed" | "percent";
  expiryS: number;
  secret: string | null;
}

/** Whether it is a stake that an alert may ask for: an amount, or a share of the balance. */
export function stakeGood(typed: string, mode: MessageAsk["mode"]): boolean {
  const text = typedAmount(typed);
  return /^\d{1,12}(?:\.\d{1,2})?$/.test(text) && Number(text) > 0 && (mode === "fixed" || Number(text) <= 100);
}

/** The text for the field Message of an alert; TradingView fills what stands in double braces. */
export function alertMessage({ from, direction, strategy, stake, mode, expiryS, secret }: MessageAsk): string {
  const members = {
    ...(secret === null ? {} : { secret }),
    ...(strategy === "" ? {} : { strategy }),
    ticker: "{{exchange}}:{{ticker}}",
    action: from === "strategy" ? "{{strategy.order.action}}" : direction,
    time: "{{time}}",
    timenow: "{{timenow}}",
    price: "{{close}}",
    stake: typedAmount(stake),
    ...(mode === "percent" ? { stake_mode: mode } : {}),
    expiry_s: expiryS,
  };
  return JSON.stringify(members, null, 2);
}

const PRIVATE = /^(localhost|127\.|10\.|192\.168\.|172\.(1[6-9]|2\d|3[01])\.|169\.254\.|\[)|\.(local|internal|localhost)$/;

/** Whether TradingView can post there: it reaches ports 80 and 443 of public addresses of IPv4. */
export function reachable(address: string): boolean {
  const { hostname, port } = new URL(address);
  return port === "" && !PRIVATE.test(hostname);
}
