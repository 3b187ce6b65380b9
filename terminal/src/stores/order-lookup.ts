import { defineStore } from "pinia";
import { ref } from "vue";
import { orderLookup } from "@/api/trading";
import type { NewOrder, Order } from "@/api/schema";
import { useWallets } from "./wallets";

// The first look may come before the lost request itself does; it is believed only when a later look says the same.
const LOOKS_AFTER_MS = [0, 1500, 4000];

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Finds out what became of an order whose answer was lost. */
export const useOrderLookup = defineStore("order-lookup", () => {
  const looking = ref(false);

  /** The order, or that it was not taken, or that nobody can tell now because the server does not answer. */
  async function find(sent: NewOrder, wanted: () => boolean): Promise<Order | "untaken" | "unknown"> {
    const ledger = useWallets().wallets?.find((each) => each.id === sent.wallet_id)?.ledger;
    if (looking.value || ledger === undefined) return "unknown";
    looking.value = true;
    try {
      for (const wait of LOOKS_AFTER_MS) {
        if (wait > 0) await pause(wait);
        if (!wanted()) return "unknown";
        const found = await orderLookup(ledger, sent.client_order_id);
        if (found) return found;
      }
      return "untaken";
    } catch {
      return "unknown";
    } finally {
      looking.value = false;
    }
  }

  return { looking, find };
});
