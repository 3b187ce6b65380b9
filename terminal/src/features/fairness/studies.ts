/** Turns the studies' rows into tables: one row for each case, one column for each rule. */

import type { LeadRow, OutlierRow } from "@/api/fairness";

export interface StudyCell {
  percent: string | null;
  interval: [string, string] | null;
  count: number;
  /** Whether the whole interval lies above the mark. */
  strong: boolean;
}

export interface StudyRow {
  name: string;
  cells: (StudyCell | null)[];
}

export const distinct = <T>(values: readonly T[]): T[] => [...new Set(values)];

/** Lay rows out by their case and their rule; a case without an answer for a rule has an empty cell. */
export function laidOut<T>(rows: readonly T[], columns: readonly string[], nameOf: (row: T) => string, ruleOf: (row: T) => string, cellOf: (row: T) => StudyCell): StudyRow[] {
  return distinct(rows.map(nameOf)).map((name) => ({
    name,
    cells: columns.map((column) => {
      const found = rows.find((row) => nameOf(row) === name && ruleOf(row) === column);
      return found ? cellOf(found) : null;
    }),
  }));
}

export function leadCell(row: LeadRow, breakEven: string): StudyCell {
  const strong = row.interval !== null && Number(row.interval[0]) > Number(breakEven);
  return { percent: row.win_percent, interval: row.interval, count: row.won + row.lost, strong };
}

export function outlierCell(row: OutlierRow): StudyCell {
  return { percent: row.changed_percent, interval: row.interval, count: row.orders, strong: row.interval !== null && Number(row.interval[0]) > 5 };
}
