import type { PlainTick } from "@/lib/candles";
import { toScaled } from "@/lib/price";
import { parseInstant } from "@/lib/time";
import { http, unwrap } from "./client";

/** Read the stored ticks of `[from, to)`, ascending by number; at most an hour at once. */
export async function ticksRead(code: string, scale: number, from: string, to: string): Promise<PlainTick[]> {
  const params = { path: { code }, query: { from, to } };
  const list = await unwrap(http.GET("/api/v1/symbols/{code}/ticks", { params }));
  return list.data.map((tick) => ({ seq: tick.seq, atMs: parseInstant(tick.at), price: toScaled(tick.price, scale) }));
}
