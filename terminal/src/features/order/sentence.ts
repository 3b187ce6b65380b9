import type { Order } from "@/api/schema";

/** Key of the sentence, below `order.sentence`, that tells in plain words how an order stands. */
export function sentenceKey(order: Order): string {
  switch (order.state) {
    case "won":
      return order.direction === "up" ? "wonUp" : "wonDown";
    case "lost":
      return order.direction === "up" ? "lostUp" : "lostDown";
    case "tied":
      return "tied";
    case "refunded":
      return REASONS.has(order.reason ?? "") ? `refunded.${String(order.reason)}` : "refunded.other";
    default:
      return order.open_price === null ? "waiting" : "open";
  }
}

const REASONS = new Set(["no_tick", "stale_tick", "feed_closed", "no_entry_tick", "revision", "price_moved"]);
