import { ApiProblem, NoAnswer } from "@/api/problem";

type Translate = (key: string) => string;

const KNOWN = ["rate.limited", "request.invalid", "auth.csrf", "auth.session_required", "limit.break_shorter", "limit.exclusion_shorter", "account.banned"];

/** What to say about a failed request: our own words where the code is known, else the server's. */
export function faultWords(error: unknown, t: Translate): string {
  if (error instanceof NoAnswer) return t("faults.network");
  if (!(error instanceof ApiProblem)) return t("faults.generic");
  if (KNOWN.includes(error.code)) return t(`faults.${error.code.replaceAll(".", "_")}`);
  return [error.body.title, error.body.detail].filter((part) => part !== "").join(" ");
}

/** Messages of a refused form by the names of its fields. */
export function fieldFaults(error: unknown): Record<string, string> {
  if (!(error instanceof ApiProblem)) return {};
  return Object.fromEntries(error.body.errors.filter((each) => each.field !== "").map((each) => [each.field, each.message]));
}
