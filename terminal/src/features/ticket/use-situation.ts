import { computed, type ComputedRef } from "vue";
import { useAllowance } from "@/stores/allowance";
import { useClock } from "@/stores/clock";
import { useExpiry } from "@/stores/expiry";
import { useMarket } from "@/stores/market";
import { usePreferences } from "@/stores/preferences";
import { useSymbols } from "@/stores/symbols";
import { useTicket } from "@/stores/ticket";
import { useWallets } from "@/stores/wallets";
import type { Situation } from "./remedies";

/** All that decides what would work instead of what was refused. */
export function useSituation(): ComputedRef<Situation | null> {
  const [symbols, wallets, ticket, expiry, market] = [useSymbols(), useWallets(), useTicket(), useExpiry(), useMarket()];
  const [clock, preferences, allowance] = [useClock(), usePreferences(), useAllowance()];
  const second = computed(() => Math.ceil(clock.nowMs / 1000) * 1000);
  return computed(() => {
    const symbol = symbols.selected;
    if (!symbol) return null;
    return {
      symbol, wallet: wallets.current, stake: ticket.stake, scale: wallets.scale, durationS: preferences.durationS, mode: expiry.mode,
      bounds: expiry.bounds, nowMs: second.value, price: market.price, left: allowance.left?.amount ?? null,
    };
  });
}
