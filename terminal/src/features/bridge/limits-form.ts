import { SIDES, type Bounds, type RiskLimits, type Side } from "@/api/bridge";
import { typedAmount } from "@/lib/formats";

export type Kind = "money" | "percent" | "factor" | "whole";

/** A field of the form; `part` names the member of a limit that has several. */
export interface LimitField {
  limit: string;
  part: string;
  kind: Kind;
  least?: number;
  most?: number;
}

const field = (limit: string, kind: Kind, least?: number, most?: number, part = ""): LimitField => ({ limit, part, kind, ...(least === undefined ? {} : { least }), ...(most === undefined ? {} : { most }) });

/** All limits but the news, in groups that a trader thinks in; within them in the order of the checks. */
export const GROUPS: readonly { group: "order" | "open" | "pace" | "loss"; fields: readonly LimitField[] }[] = [
  {
    group: "order",
    fields: [
      field("stake_min", "money"), field("stake_max", "money"), field("stake_step", "money"), field("balance_percent", "percent"), field("martingale", "factor"), field("min_payout", "whole", 1, 100),
      field("price_drift", "percent"),
    ],
  },
  {
    group: "open",
    fields: [
      field("open_strategy", "money"), field("open_symbol", "money"), field("open_currency", "money"), field("open_direction", "money"), field("desk", "money"), field("correlated", "money"),
      field("same_expiry", "money", undefined, undefined, "stake"), field("same_expiry", "whole", 0, 86_400, "within_s"), field("open_options", "whole", 1, 100_000),
    ],
  },
  { group: "pace", fields: [field("orders_per_minute", "whole", 1, 6_000), field("cool_down", "whole", 1, 1_000, "losses"), field("cool_down", "whole", 1, 31 * 86_400, "pause_s")] },
  { group: "loss", fields: [field("loss_day", "money"), field("loss_week", "money"), field("loss_month", "money"), field("drawdown", "money")] },
];
export const FIELDS: readonly LimitField[] = GROUPS.flatMap(({ fields }) => fields);

export interface NewsRow {
  /** Whether orders are noted or refused meanwhile. */
  side: Side;
  from: string;
  to: string;
  currencies: string;
  name: string;
}

/** What stands in the fields, by side and by the field's key; and the times around news, of both sides in one list. */
export interface LimitsForm {
  soft: Record<string, string>;
  hard: Record<string, string>;
  news: NewsRow[];
}

export const keyOf = ({ limit, part }: LimitField): string => (part === "" ? limit : `${limit}.${part}`);
const isRecord = (value: unknown): value is Record<string, unknown> => typeof value === "object" && value !== null && !Array.isArray(value);

/** The value of a field in a side of the document, as text; empty where there is no limit. */
export function valueOf(bounds: Bounds, { limit, part }: LimitField): string {
  const value = bounds[limit];
  const own = part === "" ? value : isRecord(value) ? value[part] : null;
  return typeof own === "string" ? own : typeof own === "number" ? String(own) : "";
}

const minute = (instant: unknown): string => (typeof instant === "string" && !Number.isNaN(Date.parse(instant)) ? new Date(instant).toISOString().slice(0, 16) : "");

export function formOf({ soft, hard }: Pick<RiskLimits, "soft" | "hard">): LimitsForm {
  const texts = (bounds: Bounds): Record<string, string> => Object.fromEntries(FIELDS.map((each) => [keyOf(each), valueOf(bounds, each)]));
  const news = (side: Side, bounds: Bounds): NewsRow[] => (Array.isArray(bounds["news"]) ? bounds["news"].filter(isRecord) : []).map((row) => ({
    side, from: minute(row["from"]), to: minute(row["to"]), currencies: Array.isArray(row["currencies"]) ? row["currencies"].join(" ") : "", name: typeof row["name"] === "string" ? row["name"] : "",
  }));
  return { soft: texts(soft), hard: texts(hard), news: [...news("hard", hard), ...news("soft", soft)] };
}

/** Where a row of news stands in the document: the server counts each side by itself. */
export function newsPlace({ news }: LimitsForm, at: number): string {
  const side = news[at]?.side ?? "hard";
  return `${side}.news[${String(news.slice(0, at).filter((row) => row.side === side).length)}]`;
}

function typedWell({ kind, least = 0, most = Number.MAX_SAFE_INTEGER }: LimitField, typed: string): boolean {
  if (kind === "whole") return /^\d{1,9}$/.test(typed) && Number(typed) >= least && Number(typed) <= most;
  const pattern = kind === "money" ? /^\d{1,12}(?:\.\d{1,2})?$/ : /^\d{1,3}(?:\.\d{1,4})?$/;
  return pattern.test(typed) && /[1-9]/.test(typed);
}

/** What is wrong in the form: the key of a message by `side.field`, or `news.number`. */
export function formFaults(form: LimitsForm): Record<string, string> {
  const faults: Record<string, string> = {};
  for (const side of SIDES) {
    for (const each of FIELDS) {
      const typed = typedAmount(form[side][keyOf(each)] ?? "");
      if (typed !== "" && !typedWell(each, typed)) faults[`${side}.${keyOf(each)}`] = `bridge.limits.fault.${each.kind}`;
    }
    for (const { limit, parts } of pairs()) {
      const empty = parts.filter((each) => (form[side][keyOf(each)] ?? "").trim() === "");
      const [first] = empty;
      if (first && empty.length < parts.length && !(limit === "same_expiry" && first.part === "within_s")) faults[`${side}.${keyOf(first)}`] = "bridge.limits.fault.pair";
    }
  }
  for (const [at, row] of form.news.entries()) if (row.from === "" || row.to === "" || row.to <= row.from) faults[newsPlace(form, at)] = "bridge.limits.fault.news";
  return faults;
}

function pairs(): { limit: string; parts: LimitField[] }[] {
  const names = [...new Set(FIELDS.filter((each) => each.part !== "").map((each) => each.limit))];
  return names.map((limit) => ({ limit, parts: FIELDS.filter((each) => each.limit === limit) }));
}

/** The side of the document that the fields ask for; what the form does not know stays as it was. */
function boundsOf(form: LimitsForm, side: Side, before: Bounds): Bounds {
  const next: Bounds = { ...before };
  for (const { limit } of FIELDS) Reflect.deleteProperty(next, limit);
  for (const each of FIELDS) {
    const typed = typedAmount(form[side][keyOf(each)] ?? "");
    if (typed === "") continue;
    const value = each.kind === "whole" ? Number(typed) : typed;
    if (each.part === "") next[each.limit] = value;
    else next[each.limit] = { ...(isRecord(next[each.limit]) ? (next[each.limit] as Bounds) : {}), [each.part]: value };
  }
  const news = form.news.filter((row) => row.side === side);
  if (news.length === 0) Reflect.deleteProperty(next, "news");
  else {
    next["news"] = news.map((row) => ({ from: `${row.from}:00.000Z`, to: `${row.to}:00.000Z`, currencies: row.currencies.toUpperCase().split(/[\s,;]+/).filter((each) => each !== ""), name: row.name.trim() }));
  }
  return next;
}

export function limitsWanted(form: LimitsForm, before: RiskLimits): { version: number; soft: Bounds; hard: Bounds } {
  return { version: before.version, soft: boundsOf(form, "soft", before.soft), hard: boundsOf(form, "hard", before.hard) };
}

/** The limits that are set on either side, for the list. */
export function limitsSet({ soft, hard }: Pick<RiskLimits, "soft" | "hard">): LimitField[] {
  return FIELDS.filter((each) => valueOf(soft, each) !== "" || valueOf(hard, each) !== "");
}
