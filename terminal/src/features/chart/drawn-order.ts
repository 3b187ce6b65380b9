import type { Order } from "@/api/schema";
import { toPlotted, toScaled } from "@/lib/price";
import { parseInstant } from "@/lib/time";
import type { DrawnOrder } from "./port";

export interface OrderTexts {
  t: (key: string, words?: Record<string, unknown>) => string;
  amount: (text: string) => string;
  price: (text: string) => string;
  clock: (ms: number) => string;
}

/** An order as the chart draws it; one without an opening price waits for its first tick. */
export function drawnOrder(order: Order, scale: number, { t, amount, price, clock }: OrderTexts): DrawnOrder | null {
  // A refund of an order that never opened has no place on the axis of prices.
  if (order.open_price === null && order.state !== "open") return null;
  const plotted = (text: string): number => toPlotted(toScaled(text, scale), scale);
  const expiresMs = parseInstant(order.expires_at);
  const label = `${t(`positions.direction.${order.direction}`)} ${amount(order.stake)}`;
  const expiryText = t("chart.expiry", { time: clock(expiresMs) });
  const result = order.state === "open" ? expiryText : t(`result.${order.state}`);
  return {
    id: order.id,
    direction: order.direction,
    result: order.state,
    openPrice: order.open_price === null ? null : plotted(order.open_price),
    openMs: parseInstant(order.entered_at ?? order.accepted_at),
    expiresMs,
    closePrice: order.close_price === null ? null : plotted(order.close_price),
    label,
    openText: order.open_price === null ? "" : price(order.open_price),
    expiryText,
    spoken: t("chart.mark", { order: label, symbol: order.symbol, result }),
  };
}
