import { describe, expect, it } from "vitest";
import { formatDistance, fromScaled, splitPrice, toScaled } from "./price";

describe("prices", () => {
  it("become exact integers and come back", () => {
    expect(toScaled("1.08512", 5)).toBe(108512);
    expect(toScaled("67412.5", 2)).toBe(6741250);
    expect(fromScaled(108512, 5)).toBe("1.08512");
    expect(fromScaled(5, 5)).toBe("0.00005");
    expect(() => toScaled("1e5", 2)).toThrow(RangeError);
  });

  it("set off their last two digits", () => {
    expect(splitPrice("1.08536")).toEqual({ head: "1.085", tail: "36" });
    expect(splitPrice("67412.50")).toEqual({ head: "67,412.", tail: "50" });
    expect(splitPrice("151.2")).toEqual({ head: "15", tail: "1.2" });
  });

  it("show the distance with its sign", () => {
    expect(formatDistance("1.08512", "1.08536", 5)).toBe("+0.00024");
    expect(formatDistance("1.08536", "1.08512", 5)).toBe("\u22120.00024");
    expect(formatDistance("1.1", "1.1", 5)).toBe("0.00000");
  });
});
