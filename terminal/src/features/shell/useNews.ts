import { onMounted, onUnmounted, watch } from "vue";
import { useI18n } from "vue-i18n";
import { useFormats } from "@/lib/formats";
import { bringBridgeWords } from "@/features/bridge/words";
import { useAnnouncer, type Tone } from "@/stores/announcer";
import { useBridgeAlerts } from "@/stores/bridge-alerts";
import { useConnection } from "@/stores/connection";
import { useLive } from "@/stores/live";
import { useOrders } from "@/stores/orders";
import { usePreferences } from "@/stores/preferences";
import { useWallets } from "@/stores/wallets";

/** Keep the page joined to the server while it is open, and say what happened: results, and the connection. */
export function useNews(): void {
  const { t, te } = useI18n();
  const formats = useFormats();
  const [live, orders, wallets] = [useLive(), useOrders(), useWallets()];
  const [connection, announcer, preferences] = [useConnection(), useAnnouncer(), usePreferences()];

  const bridgeAlerts = useBridgeAlerts();

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

  watch(() => bridgeAlerts.last, async (alert) => {
    if (!alert) return;
    // Without its words the alert is told by the name of its kind.
    await bringBridgeWords().catch(() => undefined);
    const kind = `bridge.alerts.kind.${alert.kind}`;
    const [account, address] = [t("announce.bridgeAt", { account: alert.account, server: alert.server }), alert.address === "" ? "" : t("announce.bridgeFrom", { address: alert.address })];
    announcer.show(alert.kind === "paired" ? "accepted" : "refused", t("announce.bridge", { what: te(kind) ? t(kind) : alert.kind }), `${account}${address}`, { to: { name: "bridge-alerts" }, label: t("announce.bridgeSee") });
  });

  watch(() => connection.cutOff, (cutOff, before) => {
    if (cutOff) announcer.say(t("announce.lost"));
    else if (before) announcer.show("accepted", t("announce.reconnected"));
  });

  watch(() => preferences.ledger, (ledger) => {
    announcer.say(t("account.spoken", { name: t(`account.${ledger}`), hint: t(`account.${ledger}Hint`) }));
  });
}
