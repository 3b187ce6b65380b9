import { useFormats } from "@/lib/formats";

/** How the chart writes figures and instants. */
export interface ChartTexts {
  amount: (text: string) => string;
  price: (text: string) => string;
  clock: (ms: number) => string;
  clockMs: (ms: number) => string;
  /** `30 Nov`, where the year is plain. */
  day: (ms: number) => string;
  date: (ms: number) => string;
  age: (ms: number) => string;
}

export function useChartTexts(): ChartTexts {
  const { amount, price, clock, clockMs, date, age } = useFormats();
  return { amount, price, clock, clockMs, date, age, day: (ms) => date(ms).split(" ").slice(0, 2).join(" ") };
}
