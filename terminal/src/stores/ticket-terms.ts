import { defineStore } from "pinia";
import { computed } from "vue";
import { compareAmounts, fromMinor, isAmount, profitMinor, toMinor } from "@/lib/money";
import { useAllowance } from "./allowance";
import { useConnection } from "./connection";
import { useExpiry } from "./expiry";
import { useMarket, type MarketWord } from "./market";
import { usePreferences } from "./preferences";
import { useSymbols } from "./symbols";
import { useWallets } from "./wallets";

export type StakeFault = "empty" | "precision" | "below" | "above" | "funds";
export type BuyBlock = "no_wallet" | "banned" | "excluded" | "on_break" | "cut_off" | "expiry" | "no_funds" | "stake" | Exclude<MarketWord, "open">;

/** What the order being prepared comes to, and what stands in its way. */
export const useTicketTerms = defineStore("ticket-terms", () => {
  const [preferences, symbols, wallets] = [usePreferences(), useSymbols(), useWallets()];
  const [market, connection, allowance, expiry] = [useMarket(), useConnection(), useAllowance(), useExpiry()];

  const stakeFault = computed<StakeFault | null>(() => {
    const symbol = symbols.selected;
    const text = preferences.stake.trim().replace(",", ".");
    if (text === "") return "empty";
    if (!isAmount(text, wallets.scale)) return "precision";
    if (!symbol) return null;
    if (compareAmounts(text, symbol.min_stake) < 0) return "below";
    if (compareAmounts(text, symbol.max_stake) > 0) return "above";
    return wallets.current && compareAmounts(text, wallets.current.balance) > 0 ? "funds" : null;
  });

  /** The stake as the wire takes it; null while it cannot be read. */
  const stake = computed(() => {
    const text = preferences.stake.trim().replace(",", ".");
    return isAmount(text, wallets.scale) ? fromMinor(toMinor(text, wallets.scale), wallets.scale) : null;
  });

  const profit = computed(() => {
    const symbol = symbols.selected;
    if (!symbol || stake.value === null) return null;
    return fromMinor(profitMinor(toMinor(stake.value, wallets.scale), symbol.payout_percent), wallets.scale);
  });

  /** Why nothing can be bought now, the weightiest reason first; null when the buttons are on. */
  const block = computed<BuyBlock | null>(() => {
    if (allowance.barred) return allowance.barred.kind;
    if (!wallets.current) return "no_wallet";
    if (connection.cutOff) return "cut_off";
    if (market.word !== "open") return market.word;
    if (symbols.selected && compareAmounts(wallets.current.balance, symbols.selected.min_stake) < 0) return "no_funds";
    if (expiry.fault !== null) return "expiry";
    return stakeFault.value === null ? null : "stake";
  });

  return { stakeFault, stake, profit, block };
});
