import { ref, type Ref } from "vue";
import { useI18n } from "vue-i18n";
import { useRouter } from "vue-router";
import { useFormats } from "@/lib/formats";
import { useExpiry } from "@/stores/expiry";
import { usePreferences } from "@/stores/preferences";
import { useSymbols } from "@/stores/symbols";
import { useTicket } from "@/stores/ticket";
import { useTradeView } from "@/stores/trade-view";
import { useWallets } from "@/stores/wallets";
import type { Remedy } from "./remedies";

/** Names what would work, and does it. */
export function useRemedy(): { busy: Ref<boolean>; nameOf: (remedy: Remedy) => string; apply: (remedy: Remedy) => Promise<void> } {
  const { t } = useI18n();
  const formats = useFormats();
  const router = useRouter();
  const [ticket, expiry, preferences, symbols, wallets, view] = [useTicket(), useExpiry(), usePreferences(), useSymbols(), useWallets(), useTradeView()];
  const busy = ref(false);

  function nameOf(remedy: Remedy): string {
    switch (remedy.kind) {
      case "stake": return t("ticket.remedy.stake", { amount: formats.amount(remedy.stake) });
      case "duration": return t("ticket.remedy.duration", { length: formats.duration(remedy.seconds) });
      case "expiry": return t("ticket.remedy.expiry", { time: formats.clock(remedy.at) });
      case "buy_payout": return t("ticket.remedy.buyPayout", { payout: formats.percent(remedy.percent) });
      case "buy_price": return t("ticket.remedy.buyPrice", { price: formats.price(remedy.price) });
      case "buy_again": return t("ticket.remedy.buyAgain");
      default: return t(`ticket.remedy.${remedy.kind}`);
    }
  }

  async function buyAgain(minPayout?: number): Promise<void> {
    const { phase } = ticket;
    if (phase.kind === "refused" || phase.kind === "untaken") await ticket.buy(phase.direction, minPayout === undefined ? {} : { minPayout });
  }

  async function refill(): Promise<void> {
    busy.value = true;
    try {
      await wallets.refill();
      ticket.clear();
    } finally {
      busy.value = false;
    }
  }

  async function apply(remedy: Remedy): Promise<void> {
    switch (remedy.kind) {
      case "stake": preferences.stake = remedy.stake; break;
      case "duration": preferences.durationS = remedy.seconds; break;
      case "expiry": expiry.choose(remedy.at); break;
      case "buy_payout": await buyAgain(remedy.percent); return;
      case "buy_price":
      case "buy_again": await buyAgain(); return;
      case "asset": view.picking = true; break;
      case "demo": preferences.ledger = "demo"; break;
      case "refill": await refill(); return;
      case "reload": await Promise.all([wallets.read(), symbols.read()]).catch(() => { location.reload(); }); break;
      default: await router.push(`/${remedy.kind}`); return;
    }
    ticket.clear();
  }

  return { busy, nameOf, apply };
}
