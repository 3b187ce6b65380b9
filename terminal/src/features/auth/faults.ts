import { AuthRefused, type FieldError } from "@/api/auth";

export interface Faults {
  /** Message per field name. */
  fields: Record<string, string>;
  /** Message that belongs to no field. */
  general: string;
}

const KNOWN = ["too_many_login_attempts", "email_password_mismatch", "incorrect_code"] as const;
type Translate = (key: string) => string;

function worded(error: FieldError, t: Translate): string {
  const known = KNOWN.find((code) => code === error.code);
  return known ? t(`auth.fault.${known}`) : error.message;
}

/** Sort a failure into messages beside their fields and one for the form. */
export function faultsFrom(error: unknown, fields: readonly string[], t: Translate): Faults {
  if (!(error instanceof AuthRefused)) return { fields: {}, general: t("auth.fault.network") };
  const faults: Faults = { fields: {}, general: "" };
  for (const each of error.errors) {
    const general = KNOWN.some((code) => code === each.code && code !== "incorrect_code");
    if (!general && each.param !== undefined && fields.includes(each.param)) faults.fields[each.param] = worded(each, t);
    else faults.general = worded(each, t);
  }
  if (error.errors.length === 0) faults.general = t("auth.fault.generic");
  return faults;
}
