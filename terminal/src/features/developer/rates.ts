import { reactive } from "vue";
import { http } from "@/api/client";

/** What a group of requests has left, as an answer's headers told at an instant. */
export interface Rate {
  group: string;
  left: number;
  all: number;
  perSecond: number;
  atMs: number;
}

const rates = reactive(new Map<string, Rate>());
let watching = false;

/** Read `RateLimit` and `RateLimit-Policy`; nothing when an answer has none. */
export function rateRead(headers: Headers, atMs: number): Rate | null {
  const limit = /^"([^"]+)";r=(\d+)/.exec(headers.get("RateLimit") ?? "");
  const policy = /^"[^"]+";q=(\d+);w=(\d+)/.exec(headers.get("RateLimit-Policy") ?? "");
  if (!limit || !policy) return null;
  const [all, window] = [Number(policy[1]), Number(policy[2])];
  return { group: limit[1] ?? "", left: Number(limit[2]), all, perSecond: window > 0 ? all / window : 0, atMs };
}

/** What is left now: it fills up again by the second. */
export function leftNow(rate: Rate, nowMs: number): number {
  const filled = rate.left + (Math.max(0, nowMs - rate.atMs) / 1000) * rate.perSecond;
  return Math.min(rate.all, Math.floor(filled));
}

export function rateNote(headers: Headers): void {
  const rate = rateRead(headers, Date.now());
  if (rate) rates.set(rate.group, rate);
}

/** The rates that were told since the page was opened first; every answer of the typed client is listened to. */
export function useRates(): Map<string, Rate> {
  if (!watching) {
    watching = true;
    http.use({ onResponse({ response }) { rateNote(response.headers); } });
  }
  return rates;
}
