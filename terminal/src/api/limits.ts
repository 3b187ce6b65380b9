import { http, unwrap } from "./client";
import type { LimitName, Limits, LimitsWanted } from "./schema";

/** Own limits in the order in which orders are judged by them. */
export const LIMIT_NAMES = ["loss_day", "loss_7d", "loss_30d", "stake_day", "deposit_day", "open_orders", "session"] as const satisfies readonly LimitName[];

export function limitsRead(): Promise<Limits> {
  return unwrap(http.GET("/api/v1/limits"));
}

/** Set limits: a tighter one holds at once, a looser one waits and is confirmed by sending it again. */
export function limitsSet(wanted: LimitsWanted): Promise<Limits> {
  return unwrap(http.PUT("/api/v1/limits", { body: wanted }));
}

export function breakBegin(days: number): Promise<Limits> {
  return unwrap(http.POST("/api/v1/limits/break", { body: { days } }));
}

export function exclusionBegin(months: number): Promise<Limits> {
  return unwrap(http.POST("/api/v1/limits/exclusion", { body: { months } }));
}
