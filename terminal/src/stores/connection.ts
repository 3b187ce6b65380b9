import { defineStore } from "pinia";
import { computed, ref } from "vue";
import type { SocketState } from "@/lib/socket";
import { useMarket } from "./market";

export type ConnectionWord = "live" | "delayed" | "connecting" | "reconnecting" | "offline";

/** How the page is joined to the server, in one word the user can rely on. */
export const useConnection = defineStore("connection", () => {
  const market = useMarket();
  const account = ref<SocketState>("idle");
  const quotes = ref<SocketState>("idle");
  const retryAtMs = ref<number | null>(null);
  const latencyMs = ref<number | null>(null);
  const online = ref(navigator.onLine);
  const everLive = ref(false);

  addEventListener("online", () => (online.value = true));
  addEventListener("offline", () => (online.value = false));

  const whole = computed(() => account.value === "open" && quotes.value === "open");
  const word = computed<ConnectionWord>(() => {
    if (!online.value) return "offline";
    if (!whole.value) return everLive.value ? "reconnecting" : "connecting";
    return market.late ? "delayed" : "live";
  });
  const cutOff = computed(() => word.value === "offline" || word.value === "reconnecting");

  function setAccount(state: SocketState, retryAt: number | null): void {
    account.value = state;
    retryAtMs.value = retryAt;
    if (whole.value) everLive.value = true;
  }

  function setQuotes(state: SocketState): void {
    quotes.value = state;
    if (whole.value) everLive.value = true;
  }

  return { account, quotes, retryAtMs, latencyMs, online, whole, word, cutOff, setAccount, setQuotes };
});
