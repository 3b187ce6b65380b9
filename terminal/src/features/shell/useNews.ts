import { onMounted, onUnmounted, watch } from "vue";
import { useI18n } from "vue-i18n";
import { useFormats } from "@/lib/formats";
import { useAnnouncer, type Tone } from "@/stores/announcer";
import { useConnection } from "@/stores/connection";
import { useLive } from "@/stores/live";
import { useOrders } from "@/stores/orders";
import { usePreferences } from "@/stores/preferences";
import { useWallets } from "@/stores/wallets";

/** Keep the page joined to the server while it is open, and say what happened: results, and the connection. */
export function useNews(): void {
  const { t } = useI18n();
  const formats = useFormats();
  const [live, orders, wallets] = [useLive(), useOrders(), useWallets()];
  const [connection, announcer, preferences] = [useConnection(), useAnnouncer(), usePreferences()];

  function onVisible(): void {
    if (!document.hidden) live.hurry();
  }

  onMounted(() => {
    document.addEventListener("visibilitychange", onVisible);
    void live.start();
  });
  onUnmounted(() => {
    document.removeEventListener("visibilitychange", onVisible);
    live.stop();
  });

  watch(() => orders.lastSettled, (order) => {
    if (!order || order.state === "open") return;
    const tone: Tone = order.state;
    const words = { result: t(`result.${order.state}`), profit: formats.signed(order.profit ?? "0.00"), currency: wallets.currency };
    announcer.show(tone, t("announce.settledTitle", words), `${t(`account.${order.ledger}`)}: ${order.symbol} ${t(`positions.direction.${order.direction}`)}`);
  });

  watch(() => connection.cutOff, (cutOff, before) => {
    if (cutOff) announcer.say(t("announce.lost"));
    else if (before) announcer.show("accepted", t("announce.reconnected"));
  });

  watch(() => preferences.ledger, (ledger) => {
    announcer.say(t("account.spoken", { name: t(`account.${ledger}`), hint: t(`account.${ledger}Hint`) }));
  });
}
