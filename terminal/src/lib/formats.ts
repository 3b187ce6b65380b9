/** How figures and times are shown: by the chosen language and zone. What goes over the wire keeps its own form. */

import { i18n } from "@/i18n";
import { usePreferences, type Locale, type Zone } from "@/stores/preferences";
import { MINUS } from "./money";
import { zoneName } from "./time";

const DECIMAL = /^(-?)(\d+)(?:\.(\d+))?$/;
const NBSP = "\u00a0";
const QUARTER_MS = 900_000;

interface Separators {
  group: string;
  point: string;
}

const separators = new Map<string, Separators>();
const offsets = new Map<string, number>();
const days = new Map<string, Intl.DateTimeFormat>();
const wallClocks = new Map<string, Intl.DateTimeFormat>();
let here: { name: string; offset: number } | null = null;

/** The language with the region the browser names: Mexico writes 1,234.50 where Spain writes 1.234,50. */
function regional(locale: Locale): string {
  if (locale !== "es") return locale === "en" ? "en-GB" : locale;
  return navigator.languages.find((each) => each.startsWith("es-")) ?? "es";
}

export function separatorsOf(tag: string): Separators {
  const known = separators.get(tag);
  if (known) return known;
  const parts = new Intl.NumberFormat(tag, { useGrouping: true }).formatToParts(1_234_567.5);
  const of = (type: string): string => parts.find((part) => part.type === type)?.value ?? "";
  const found = { group: of("group") || ",", point: of("decimal") || "." };
  separators.set(tag, found);
  return found;
}

/** Group the digits of a decimal string; its scale is kept and a minus is a true one. */
export function grouped(text: string, { group, point }: Separators): string {
  const match = DECIMAL.exec(text);
  if (!match) return text;
  const whole = (match[2] ?? "").replace(/\B(?=(\d{3})+(?!\d))/g, group);
  return `${match[1] ? MINUS : ""}${whole}${match[3] === undefined ? "" : point + match[3]}`;
}

/** What was typed into a field of an amount, as the wire has it: a comma is a point, spaces are nothing. */
export function typedAmount(text: string): string {
  return text.replace(/[\s\u00a0\u202f']/g, "").replace(",", ".");
}

/** The device's own zone; asked again only when its clock has moved, since a formatter is dear and this runs with every time shown. */
function localName(): string {
  const offset = new Date().getTimezoneOffset();
  if (here?.offset !== offset) here = { name: new Intl.DateTimeFormat().resolvedOptions().timeZone, offset };
  return here.name;
}

function nameOf(zone: Zone): string {
  if (zone === "utc") return "UTC";
  return zone === "local" ? localName() : zone;
}

/** Minutes east of Greenwich in a zone at an instant; a zone the browser does not know counts as UTC. */
export function offsetMinutes(zone: Zone, ms: number): number {
  const name = nameOf(zone);
  if (name === "UTC") return 0;
  const key = `${name} ${String(Math.floor(ms / QUARTER_MS))}`;
  const known = offsets.get(key);
  if (known !== undefined) return known;
  if (offsets.size > 2000) offsets.clear();
  const found = measured(name, ms);
  offsets.set(key, found);
  return found;
}

function wallClock(name: string): Intl.DateTimeFormat {
  const known = wallClocks.get(name);
  if (known) return known;
  const made = new Intl.DateTimeFormat("en-US", {
    timeZone: name, hourCycle: "h23", year: "numeric", month: "numeric", day: "numeric", hour: "numeric", minute: "numeric", second: "numeric",
  });
  wallClocks.set(name, made);
  return made;
}

function measured(name: string, ms: number): number {
  try {
    const parts = wallClock(name).formatToParts(ms);
    const of = (type: string): number => Number(parts.find((part) => part.type === type)?.value ?? 0);
    const there = Date.UTC(of("year"), of("month") - 1, of("day"), of("hour"), of("minute"), of("second"));
    return Math.round((there - Math.floor(ms / 1000) * 1000) / 60_000);
  } catch {
    return 0;
  }
}

function day(tag: string): Intl.DateTimeFormat {
  const known = days.get(tag);
  if (known) return known;
  const made = new Intl.DateTimeFormat(tag, { timeZone: "UTC", day: "numeric", month: "short", year: "numeric" });
  days.set(tag, made);
  return made;
}

/** `30 Nov 2026`: day, month and year only, without the words some languages put between them. */
function dayName(tag: string, shownMs: number): string {
  return day(tag).formatToParts(shownMs).filter((part) => ["day", "month", "year"].includes(part.type)).map((part) => part.value).join(" ");
}

/** Formats that follow the chosen language and zone; call them in a template or a computed and they stay current. */
export function useFormats() {
  const preferences = usePreferences();
  const t = (key: string, values: Record<string, unknown> = {}): string => i18n.global.t(key, values);
  const tag = (): string => regional(preferences.locale);
  const shown = (ms: number): Date => new Date(ms + offsetMinutes(preferences.zone, ms) * 60_000);
  const amount = (text: string): string => grouped(text, separatorsOf(tag()));
  const unit = (value: string, name: "s" | "min" | "h" | "d"): string => `${grouped(value, separatorsOf(tag()))}${NBSP}${t(`units.${name}`)}`;
  const clock = (ms: number): string => shown(ms).toISOString().slice(11, 19);
  const clockMs = (ms: number): string => `${clock(ms)}${separatorsOf("en").point}${shown(ms).toISOString().slice(20, 23)}`;
  const date = (ms: number): string => dayName(tag(), shown(ms).getTime());

  function signed(text: string): string {
    if (/^-?0*(?:\.0*)?$/.test(text)) return amount(text.replace("-", ""));
    return text.startsWith("-") ? amount(text) : `+${amount(text)}`;
  }

  function duration(seconds: number): string {
    if (seconds > 0 && seconds % 86_400 === 0) return unit(String(seconds / 86_400), "d");
    if (seconds > 0 && seconds % 3600 === 0) return unit(String(seconds / 3600), "h");
    if (seconds > 0 && seconds % 60 === 0) return unit(String(seconds / 60), "min");
    return unit(String(seconds), "s");
  }

  function age(ms: number): string {
    const whole = Math.max(0, ms);
    if (whole < 59_950) return unit((whole / 1000).toFixed(1), "s");
    if (whole < 3_600_000) return unit(String(Math.floor(whole / 60_000)), "min");
    if (whole < 86_400_000) return unit(String(Math.floor(whole / 3_600_000)), "h");
    return unit(String(Math.floor(whole / 86_400_000)), "d");
  }

  return {
    /** `9,957.00` */
    amount,
    /** `+8.50`, `−10.00`, `0.00` */
    signed,
    /** `85 %`, `54.1 %` */
    percent: (value: number | string): string => `${amount(String(value))}${NBSP}%`,
    /** `48,210` */
    count: (value: number | bigint): string => amount(value.toString()),
    /** `67,412.50`: grouped, the scale kept. */
    price: amount,
    /** `14:34:12` */
    clock,
    /** `14:34:12.281` */
    clockMs,
    /** `30 Nov 2026` */
    date,
    /** `30 Nov 2026, 14:34:12` */
    dateTime: (ms: number): string => `${date(ms)}, ${clock(ms)}`,
    /** `30 Nov 2026, 14:34:12.281` */
    dateTimeMs: (ms: number): string => `${date(ms)}, ${clockMs(ms)}`,
    /** `UTC+3`, at the given instant or now. */
    zone: (ms: number = Date.now()): string => zoneName(offsetMinutes(preferences.zone, ms)),
    /** `15 s`, `1 min`, `2 h`: the largest whole unit. */
    duration,
    /** `0.2 s` below a minute, then whole minutes, hours and days. */
    age,
    /** The tag for `Intl`, such as `en-GB`. */
    tag,
  };
}
