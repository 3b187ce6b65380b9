import { useI18n } from "vue-i18n";
import type { Receipt, ReceiptTick } from "@/api/schema";
import { useFormats } from "@/lib/formats";
import { parseInstant } from "@/lib/time";
import { isMean, isNextTick } from "./receipt-view";
import { useOffsets } from "./useOffsets";

/** Why the marked tick counts and its neighbour does not, in sentences. */
export function useWhy() {
  const { t } = useI18n();
  const formats = useFormats();
  const { length } = useOffsets();
  const say = (key: string, values: Record<string, unknown> = {}): string => t(`order.why.${key}`, values);
  const no = (tick: ReceiptTick): string => formats.count(tick.seq);
  const gapless = (tick: ReceiptTick, next: ReceiptTick): string[] => (next.seq === tick.seq + 1 ? [say("gapless")] : []);

  function notEntered({ order, opening, terms }: Receipt): string[] {
    const came = opening.tick ?? opening.after;
    if (order.state === "open") return [];
    if (came === null) return [say("openNone")];
    if (order.reason === "price_moved") {
      return [say("openMoved", { seq: no(came), expected: formats.price(terms.expected_price ?? ""), drift: formats.price(terms.max_price_drift ?? "") })];
    }
    const overMs = parseInstant(came.at) - parseInstant(terms.entry_until ?? came.at);
    return overMs > 0 ? [say("openLate", { seq: no(came), age: length(overMs) })] : [];
  }

  function opening(receipt: Receipt): string[] {
    const { tick, before, after } = receipt.opening;
    if (tick === null || receipt.order.open_tick === null || receipt.order.reason === "price_moved") return notEntered(receipt);
    if (isNextTick(receipt)) {
      const first = before === null ? [] : [say("openNext", { seq: no(tick), before: no(before) })];
      return [...first, ...(after === null ? [] : [say("openSecond", { next: no(after) })])];
    }
    const acceptedMs = parseInstant(receipt.order.accepted_at);
    const said = [say("openLast", { seq: no(tick), age: length(acceptedMs - parseInstant(tick.at)) })];
    if (after === null) return [...said, say("nextUnknown")];
    const laterMs = parseInstant(after.at) - acceptedMs;
    said.push(laterMs > 0 ? say("openAfter", { next: no(after), age: length(laterMs) }) : say("openStored", { next: no(after) }));
    return [...said, ...gapless(tick, after)];
  }

  function closing(receipt: Receipt): string[] {
    const { evidence, order, terms } = receipt;
    if (!evidence) return [];
    if (order.reason === "feed_closed") return [say("closed", { said: evidence.feed_said ?? "" })];
    const { tick, after } = evidence;
    if (tick === null) return [say("closeNone")];
    const expiresMs = parseInstant(order.expires_at);
    const ageMs = expiresMs - parseInstant(tick.at);
    const said: string[] = [];
    if (order.reason === "stale_tick") said.push(say("closeOld", { seq: no(tick), age: length(ageMs), limit: length(terms.max_tick_age_ms) }));
    else if (!isMean(receipt)) said.push(ageMs === 0 ? say("closeSame", { seq: no(tick) }) : say("closeAt", { seq: no(tick), age: length(ageMs) }));
    if (after === null) return [...said, say("nextUnknown")];
    said.push(say("closeAfter", { next: no(after), age: length(parseInstant(after.at) - expiresMs) }));
    return [...said, ...gapless(tick, after)];
  }

  return { opening, closing };
}
