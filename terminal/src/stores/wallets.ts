import { defineStore } from "pinia";
import { computed, ref } from "vue";
import { walletRefill, walletsList } from "@/api/trading";
import type { BalanceChange, Wallet } from "@/api/schema";
import { clientId } from "@/lib/client-id";
import { scaleOf } from "@/lib/money";
import { usePreferences } from "./preferences";

/** The user's wallets as the server last told them; every later change comes from `balance.changed`. */
export const useWallets = defineStore("wallets", () => {
  const preferences = usePreferences();
  const wallets = ref<Wallet[] | null>(null);

  /** The wallet the ticket trades from; null where the chosen account has none. */
  const current = computed(() => wallets.value?.find((each) => each.ledger === preferences.ledger && each.kind !== "bonus") ?? null);
  const scale = computed(() => (current.value ? scaleOf(current.value.balance) : 2));
  const currency = computed(() => current.value?.currency ?? "USD");

  async function read(): Promise<void> {
    wallets.value = await walletsList();
  }

  function apply(change: BalanceChange): void {
    const wallet = wallets.value?.find((each) => each.id === change.wallet_id);
    if (!wallet) return;
    wallet.balance = change.balance;
    wallet.open_stakes = change.open_stakes;
  }

  /** Set the demo wallet back to its opening balance; the event brings the new figures. */
  async function refill(): Promise<void> {
    const demo = wallets.value?.find((each) => each.ledger === "demo");
    if (demo) await walletRefill(demo.id, clientId());
  }

  function clear(): void {
    wallets.value = null;
  }

  return { wallets, current, scale, currency, read, apply, refill, clear };
});
