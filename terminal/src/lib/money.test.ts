import { describe, expect, it } from "vitest";
import { breakEvenPercent, compareAmounts, formatAmount, formatSigned, fromMinor, isAmount, profitMinor, toMinor } from "./money";

describe("money as minor units", () => {
  it("parses and writes back without loss, beyond what a float holds", () => {
    expect(toMinor("10.00")).toBe(1000n);
    expect(toMinor("10.5")).toBe(1050n);
    expect(toMinor("-0.01")).toBe(-1n);
    expect(fromMinor(toMinor("90071992547409931.07"))).toBe("90071992547409931.07");
    expect(fromMinor(-5n)).toBe("-0.05");
    expect(fromMinor(7n, 0)).toBe("7");
  });

  it("refuses more decimals than the currency has", () => {
    expect(() => toMinor("1.001")).toThrow(RangeError);
    expect(() => toMinor("1e3")).toThrow(RangeError);
    expect(isAmount("1.001")).toBe(false);
    expect(isAmount("")).toBe(false);
    expect(isAmount("12.30")).toBe(true);
  });

  it("floors the profit of a win (rules 2)", () => {
    expect(profitMinor(1000n, 85)).toBe(850n);
    expect(profitMinor(101n, 85)).toBe(85n);
    expect(profitMinor(1n, 85)).toBe(0n);
  });

  it("rounds the break-even rate to one decimal", () => {
    expect(breakEvenPercent(85)).toBe("54.1");
    expect(breakEvenPercent(80)).toBe("55.6");
    expect(breakEvenPercent(100)).toBe("50.0");
  });
});

describe("money as text", () => {
  it("groups thousands and uses a true minus sign", () => {
    expect(formatAmount("9957.00")).toBe("9,957.00");
    expect(formatAmount("-1234567.5")).toBe("\u22121,234,567.5");
    expect(formatAmount("999")).toBe("999");
  });

  it("shows the direction of a change and leaves zero neutral", () => {
    expect(formatSigned("8.50")).toBe("+8.50");
    expect(formatSigned("-10.00")).toBe("\u221210.00");
    expect(formatSigned("0.00")).toBe("0.00");
    expect(formatSigned("-0.00")).toBe("0.00");
  });

  it("compares amounts of different scale by value", () => {
    expect(compareAmounts("1.0", "1.00")).toBe(0);
    expect(compareAmounts("9.99", "10")).toBe(-1);
    expect(compareAmounts("10.001", "10")).toBe(1);
  });
});
