import { mount } from "@vue/test-utils";
import { expect, it } from "vitest";
import type { FiguresGroup } from "@/api/schema";
import { i18n } from "@/i18n";
import { spoken } from "@/i18n/compile";
import { journal } from "@/i18n/en/journal";
import { barOf, bucketOf, judged } from "./figures";
import GroupTable from "./GroupTable.vue";

i18n.global.mergeLocaleMessage("en", spoken(journal));
const group = (key: string, changes: Partial<FiguresGroup> = {}): FiguresGroup => ({
  key, orders: 40, decided: 40, won: 30, lost: 10, tied: 0, refunded: 0, win_percent: "75.0", interval: ["59.8", "85.8"], break_even_percent: "54.1",
  verdict: "above", turnover: "400.00", profit: "155.00", expectancy: "3.8750", return_percent: "38.75", ...changes,
});

it("draws nothing where there is no share", () => {
  expect(barOf(group("1"))).toEqual({ low: 59.8, high: 85.8, share: 75, needed: 54.1 });
  expect(barOf(group("1", { win_percent: null, interval: null, break_even_percent: null }))).toBeNull();
});

it("names the bounds of each bucket of lengths", () => {
  expect([bucketOf("15"), bucketOf("300"), bucketOf("more")]).toEqual([{ fromS: 0, toS: 15 }, { fromS: 60, toS: 300 }, { fromS: 3600, toS: null }]);
});

it("says in words what the bar shows, and that a small group is too small", () => {
  const rows = [group("9"), group("10", { decided: 3, verdict: "too_few" })];
  expect(judged(rows)).toBe(1);
  const table = mount(GroupTable, { props: { kind: "hour", rows }, global: { plugins: [i18n] } });
  const [first, second] = table.findAll("tbody tr").map((row) => row.text());
  expect(first).toContain("09:00");
  expect(first).toContain("above break-even");
  expect(first).toContain("59.8 to 85.8");
  expect(second).toContain("too few to tell");
});
