const PRESETS_S = [5, 15, 30, 60, 120, 300, 900, 1800, 3600, 14_400, 86_400];

/** Lengths to practise with for whoever wants more time than the short presets give. */
export const UNHURRIED_S = [900, 1800, 3600] as const;

export type DurationUnit = "s" | "min" | "h";
const UNIT_S: Record<DurationUnit, number> = { s: 1, min: 60, h: 3600 };

/** Up to `count` presets inside a symbol's bounds, shortest first. */
export function presetsWithin(minS: number, maxS: number, count = 5): number[] {
  const fitting = PRESETS_S.filter((seconds) => seconds >= minS && seconds <= maxS);
  return fitting.filter((seconds) => seconds !== 120 || fitting.length <= count).slice(0, count);
}

/** Split a duration into the largest unit that divides it. */
export function splitDuration(seconds: number): { count: string; unit: DurationUnit } {
  for (const unit of ["h", "min"] as const) {
    if (seconds % UNIT_S[unit] === 0) return { count: String(seconds / UNIT_S[unit]), unit };
  }
  return { count: String(seconds), unit: "s" };
}

/** Join typed digits and a unit; null when the text is no whole number above zero. */
export function joinDuration(count: string, unit: DurationUnit): number | null {
  return /^[1-9]\d{0,6}$/.test(count) ? Number(count) * UNIT_S[unit] : null;
}
