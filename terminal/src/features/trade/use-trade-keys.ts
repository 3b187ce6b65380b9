import { useI18n } from "vue-i18n";
import { presetsWithin } from "@/features/ticket/durations";
import { stepStake } from "@/features/ticket/stakes";
import { useFormats } from "@/lib/formats";
import { useShortcut, type ShortcutGroup } from "@/lib/shortcuts";
import { useAnnouncer } from "@/stores/announcer";
import { useExpiry } from "@/stores/expiry";
import { usePreferences } from "@/stores/preferences";
import { useSymbols } from "@/stores/symbols";
import { useTicket } from "@/stores/ticket";
import { useTradeView } from "@/stores/trade-view";
import { useWallets } from "@/stores/wallets";

/** Trading without a mouse. What buys needs Shift, so that an arrow meant for scrolling never does. */
export function useTradeKeys(): void {
  const { t } = useI18n();
  const formats = useFormats();
  const [ticket, preferences, symbols, wallets] = [useTicket(), usePreferences(), useSymbols(), useWallets()];
  const [expiry, view, announcer] = [useExpiry(), useTradeView(), useAnnouncer()];

  const offer = (id: string, keys: string, name: string, group: ShortcutGroup, run: () => void): void => {
    useShortcut({ id, keys, label: () => t(`keyNames.${name}`), group, run });
  };

  function stake(direction: 1 | -1): void {
    const bounds = { min: symbols.selected?.min_stake ?? "1.00", max: symbols.selected?.max_stake ?? "1.00" };
    preferences.stake = stepStake(ticket.stake ?? "", direction, bounds, wallets.scale);
    announcer.say(t("keyNames.stakeNow", { amount: formats.amount(preferences.stake) }));
  }

  function sayExpiry(): void {
    const at = expiry.expiresAt;
    announcer.say(t("keyNames.expiryNow", { value: at === null ? formats.duration(preferences.durationS) : `${formats.clock(at)} ${formats.zone(at)}` }));
  }

  function length(direction: 1 | -1): void {
    const symbol = symbols.selected;
    expiry.step(direction, presetsWithin(symbol?.min_duration_s ?? 0, symbol?.max_duration_s ?? 0, 12));
    sayExpiry();
  }

  function asset(direction: 1 | -1): void {
    symbols.step(direction);
    announcer.say(symbols.selected?.name ?? "");
  }

  offer("trade.up", "Shift+ArrowUp", "up", "trade", () => void ticket.press("up"));
  offer("trade.down", "Shift+ArrowDown", "down", "trade", () => void ticket.press("down"));
  offer("stake.more", "+", "stakeMore", "ticket", () => { stake(1); });
  offer("stake.less", "-", "stakeLess", "ticket", () => { stake(-1); });
  offer("expiry.more", "Shift+ArrowRight", "expiryMore", "ticket", () => { length(1); });
  offer("expiry.less", "Shift+ArrowLeft", "expiryLess", "ticket", () => { length(-1); });
  offer("expiry.mode", "E", "expiryMode", "ticket", () => { expiry.mode = expiry.mode === "clock" ? "duration" : "clock"; sayExpiry(); });
  offer("asset.next", "N", "assetNext", "view", () => { asset(1); });
  offer("asset.previous", "Shift+N", "assetPrevious", "view", () => { asset(-1); });
  offer("asset.choose", "A", "assets", "view", () => { view.picking = true; });
  offer("orders.toggle", "O", "dock", "view", () => { preferences.dockOpen = !preferences.dockOpen; });
}
