import { ref } from "vue";
import { useI18n } from "vue-i18n";
import { AuthRefused } from "@/api/auth";
import { PasskeyFailed } from "@/lib/webauthn";
import { confirmed, ReauthDeclined } from "./reauth";

type Translate = (key: string, values?: Record<string, unknown>) => string;

const KNOWN = [
  "incorrect_code", "incorrect_password", "enter_current_password", "password_too_short", "password_too_common", "password_too_similar", "password_entirely_numeric",
  "email_taken", "max_email_addresses", "add_email_blocked", "same_as_current", "duplicate_email", "invalid", "required", "unverified_email", "rate_limited",
];

/** Where a platform can be opened by name when its address is a number. */
export const namedUrl = (): string => `${location.protocol}//localhost${location.port === "" ? "" : `:${location.port}`}`;

/** Words for whatever went wrong in an action. */
export function actionFault(error: unknown, t: Translate): string {
  if (error instanceof PasskeyFailed) return t(`security.passkeys.${error.fault}`, { url: namedUrl() });
  if (!(error instanceof AuthRefused)) return t("faults.network");
  const first = error.errors[0];
  if (!first) return t("security.fault.generic");
  return KNOWN.includes(first.code) ? t(`security.fault.${first.code}`) : first.message;
}

/** Run one action at a time: it is repeated after a question who this is, and what failed stands beside its field. */
export function useAction() {
  const { t } = useI18n();
  const busy = ref(false);
  const refusal = ref("");
  const faults = ref<Record<string, string>>({});

  function clear(): void {
    refusal.value = "";
    faults.value = {};
  }

  /** True when it was done. */
  async function run(call: () => Promise<void>, fields: readonly string[] = []): Promise<boolean> {
    if (busy.value) return false;
    busy.value = true;
    clear();
    try {
      await confirmed(call);
      return true;
    } catch (error) {
      if (error instanceof ReauthDeclined) return false;
      const param = error instanceof AuthRefused ? error.errors[0]?.param : undefined;
      if (param !== undefined && fields.includes(param)) faults.value = { [param]: actionFault(error, t) };
      else refusal.value = actionFault(error, t);
      return false;
    } finally {
      busy.value = false;
    }
  }

  const fault = (field: string): string => faults.value[field] ?? "";
  return { busy, refusal, faults, fault, run, clear };
}
