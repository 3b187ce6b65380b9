import { describe, expect, it } from "vitest";
import { joinDuration, presetsWithin, splitDuration } from "./durations";
import { percentOfBalance, stepStake, tidyStake } from "./stakes";

const bounds = { min: "1.00", max: "1000.00" };

describe("durations", () => {
  it("offer only what the symbol takes", () => {
    expect(presetsWithin(5, 86_400)).toEqual([5, 15, 30, 60, 300]);
    expect(presetsWithin(60, 300)).toEqual([60, 120, 300]);
  });

  it("split and join in the largest unit", () => {
    expect(splitDuration(90)).toEqual({ count: "90", unit: "s" });
    expect(splitDuration(7200)).toEqual({ count: "2", unit: "h" });
    expect(joinDuration("2", "min")).toBe(120);
    expect(joinDuration("0", "s")).toBeNull();
    expect(joinDuration("1.5", "min")).toBeNull();
  });
});

describe("stakes", () => {
  it("step by a width that grows with them, within the bounds", () => {
    expect(stepStake("10.00", 1, bounds, 2)).toBe("11.00");
    expect(stepStake("20.00", 1, bounds, 2)).toBe("25.00");
    expect(stepStake("20.00", -1, bounds, 2)).toBe("19.00");
    expect(stepStake("1.50", -1, bounds, 2)).toBe("1.00");
    expect(stepStake("999.00", 1, bounds, 2)).toBe("1000.00");
    expect(stepStake("what", 1, bounds, 2)).toBe("1.00");
  });

  it("take one percent of the balance, floored", () => {
    expect(percentOfBalance("9957.99", bounds, 2)).toBe("99.57");
    expect(percentOfBalance("50.00", bounds, 2)).toBe("1.00");
  });

  it("are written in the currency's scale and otherwise left as typed", () => {
    expect(tidyStake(" 10,5 ", 2)).toBe("10.50");
    expect(tidyStake("10.555", 2)).toBe("10.555");
  });
});
