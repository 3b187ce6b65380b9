import { watch } from "vue";
import { useI18n } from "vue-i18n";
import { useFormats } from "@/lib/formats";
import { useAnnouncer } from "@/stores/announcer";
import { useTicket } from "@/stores/ticket";
import { useNotice } from "./use-notice";

/** Says aloud what becomes of an order: asked, accepted, refused, lost from sight. */
export function useTicketSpeech(): void {
  const { t } = useI18n();
  const formats = useFormats();
  const [ticket, announcer] = [useTicket(), useAnnouncer()];
  const message = useNotice();

  watch(() => ticket.phase, (phase) => {
    if (phase.kind === "refused") announcer.say(t("announce.refused", { reason: message.value?.body ?? phase.refusal.code }));
    else if (phase.kind === "accepted") {
      const { symbol, direction, stake, ledger } = phase.order;
      announcer.say(t("announce.accepted", { account: t(`account.${ledger}`), symbol, direction: t(`positions.direction.${direction}`), stake: formats.amount(stake) }));
    } else if (phase.kind !== "idle" && phase.kind !== "placing" && message.value) announcer.say(`${message.value.title}. ${message.value.body}`);
  });
}
