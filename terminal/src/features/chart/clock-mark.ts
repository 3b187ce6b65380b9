import type { ClockMark } from "./port";
import type { ChartTexts } from "./texts";

/** The expiry that the ticket would buy in clock mode, in Unix milliseconds; null in any other mode. */
export function clockExpiry(ticket: object): number | null {
  const { mode, expiresAt } = ticket as { mode?: unknown; expiresAt?: unknown };
  if (mode !== "clock") return null;
  if (typeof expiresAt === "number") return Number.isFinite(expiresAt) ? expiresAt : null;
  const parsed = typeof expiresAt === "string" ? Date.parse(expiresAt) : Number.NaN;
  return Number.isFinite(parsed) ? parsed : null;
}

export function clockMark(expiresMs: number, deadlineS: number, t: (key: string, words: Record<string, unknown>) => string, texts: ChartTexts): ClockMark {
  const deadlineMs = expiresMs - deadlineS * 1000;
  return {
    expiresMs,
    deadlineMs,
    expiryText: t("chart.expiry", { time: texts.clock(expiresMs) }),
    deadlineText: t("chart.deadline", { time: texts.clock(deadlineMs) }),
  };
}
