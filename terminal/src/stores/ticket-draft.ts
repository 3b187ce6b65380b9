import type { Direction, NewOrder } from "@/api/schema";
import { clientId } from "@/lib/client-id";
import { toInstant } from "@/lib/time";
import { useExpiry } from "./expiry";
import { useMarket } from "./market";
import { usePreferences } from "./preferences";
import { useSymbols } from "./symbols";
import { useTradeSettings } from "./trade-settings";
import { useWallets } from "./wallets";

/** What a second attempt takes over from a refusal: the payout or the price that is there now. */
export interface DraftChanges {
  minPayout?: number;
}

/** The order that the ticket shows now, under an id of its own; null while it cannot be told. */
export function orderFrom(direction: Direction, stake: string | null, changes: DraftChanges): NewOrder | null {
  const [preferences, symbols, wallets, expiry, market] = [usePreferences(), useSymbols(), useWallets(), useExpiry(), useMarket()];
  const [symbol, wallet] = [symbols.selected, wallets.current];
  if (!symbol || !wallet || stake === null) return null;
  const guard = useTradeSettings().guardOf(symbol.code);
  const payout = changes.minPayout ?? (guard.payout === "shown" ? symbol.payout_percent : guard.payout);
  const ends = expiry.expiresAt;
  if (expiry.mode === "clock" && ends === null) return null;
  return {
    wallet_id: wallet.id,
    symbol: symbol.code,
    direction,
    stake,
    client_order_id: `web-${clientId()}`,
    ...(ends === null ? { duration_s: preferences.durationS } : { expires_at: toInstant(ends) }),
    ...(payout === "any" ? {} : { min_payout_percent: payout }),
    ...(guard.drift === null || market.price === null ? {} : { max_price_drift: guard.drift, expected_price: market.price }),
  };
}
