/** What an owner looks for in the bytes of a signal; empty where the bytes do not say it. */
export interface Told {
  direction: "up" | "down" | null;
  amount: string;
  /** A currency, or `%`. */
  unit: string;
}

const isRecord = (value: unknown): value is Record<string, unknown> => typeof value === "object" && value !== null;
const text = (value: unknown): string => (typeof value === "string" ? value : "");

/** Read a signal's payload with care: it is whatever a client has sent. */
export function payloadOf(raw: string): Told {
  let found: unknown;
  try {
    found = JSON.parse(raw);
  } catch {
    found = null;
  }
  const payload = isRecord(found) ? found : {};
  const stake = isRecord(payload["stake"]) ? payload["stake"] : {};
  const value = text(stake["value"]);
  const amount = /^\d{1,15}(?:\.\d+)?$/.test(value) ? value : "";
  const direction = payload["direction"] === "call" ? "up" : payload["direction"] === "put" ? "down" : null;
  return { direction, amount, unit: stake["mode"] === "percent" ? "%" : text(stake["currency"]) || text(payload["currency"]) };
}
