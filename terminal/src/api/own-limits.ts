import { http, unwrap } from "./client";
import type { OwnLimits } from "./schema";

/** What the user has set for themselves, and what is left of it now. */
export function ownLimitsRead(): Promise<OwnLimits> {
  return unwrap(http.GET("/api/v1/limits"));
}
