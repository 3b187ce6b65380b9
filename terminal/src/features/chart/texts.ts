import { formatAmount } from "@/lib/money";
import { ageName, clockUtc, clockUtcMs, dayUtc } from "@/lib/time";

/** How the chart writes figures and instants. */
export interface ChartTexts {
  amount: (text: string) => string;
  price: (text: string) => string;
  clock: (ms: number) => string;
  clockMs: (ms: number) => string;
  date: (ms: number) => string;
  age: (ms: number) => string;
}

export function useChartTexts(): ChartTexts {
  return { amount: formatAmount, price: formatAmount, clock: clockUtc, clockMs: clockUtcMs, date: dayUtc, age: ageName };
}
