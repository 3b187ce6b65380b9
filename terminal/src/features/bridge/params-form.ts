import type { ParameterValue } from "@/api/bridge";

export interface ParamRow {
  name: string;
  value: string;
}

const NAME = /^[A-Za-z0-9._]{1,40}$/;
const NUMBER = /^-?(?:0|[1-9]\d{0,14})(?:\.\d{1,12})?$/;

export function rowsOf(values: Record<string, ParameterValue>): ParamRow[] {
  return Object.entries(values).map(([name, value]) => ({ name, value: String(value) }));
}

/** What is typed, as the expert gets it: `true` and `false` are switches, digits are numbers, everything else is text. */
export function typedValue(typed: string): ParameterValue {
  const trimmed = typed.trim();
  if (trimmed === "true" || trimmed === "false") return trimmed === "true";
  return NUMBER.test(trimmed) ? Number(trimmed) : typed;
}

/** Places of rows whose name cannot be sent: none, a wrong one, or one that stands twice. */
export function nameFaults(rows: readonly ParamRow[]): number[] {
  return rows.flatMap(({ name }, at) => (NAME.test(name.trim()) && rows.findIndex((each) => each.name.trim() === name.trim()) === at ? [] : [at]));
}

/** All values; a value that was not touched keeps its kind, so that the text "1" does not become a number by being looked at. */
export function valuesWanted(rows: readonly ParamRow[], before: Record<string, ParameterValue>): Record<string, ParameterValue> {
  return Object.fromEntries(rows.map(({ name, value }) => {
    const old = before[name.trim()];
    return [name.trim(), old !== undefined && String(old) === value ? old : typedValue(value)];
  }));
}
