import type { Order } from "@/api/schema";
import { formatAmount } from "@/lib/money";
import { toPlotted, toScaled } from "@/lib/price";
import { clockUtc, parseInstant } from "@/lib/time";
import type { DrawnOrder } from "./port";

type Translate = (key: string, words?: Record<string, unknown>) => string;

/** An order as the chart draws it; null until it has an opening price. */
export function drawnOrder(order: Order, scale: number, t: Translate): DrawnOrder | null {
  if (order.open_price === null) return null;
  const plotted = (price: string): number => toPlotted(toScaled(price, scale), scale);
  const expiresMs = parseInstant(order.expires_at);
  return {
    id: order.id,
    direction: order.direction,
    result: order.state,
    openPrice: plotted(order.open_price),
    openMs: parseInstant(order.accepted_at),
    expiresMs,
    closePrice: order.close_price === null ? null : plotted(order.close_price),
    label: `${t(`positions.direction.${order.direction}`)} ${formatAmount(order.stake)}`,
    openText: formatAmount(order.open_price),
    expiryText: t("chart.expiry", { time: clockUtc(expiresMs) }),
  };
}
