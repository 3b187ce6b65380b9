import { describe, expect, it } from "vitest";
import { nameFaults, rowsOf, typedValue, valuesWanted } from "./params-form";

describe("the form of an expert's parameters", () => {
  it("keeps the kind of what was not touched", () => {
    const before = { stake: "1.00", expiry_s: 60, on: true };
    expect(valuesWanted(rowsOf(before), before)).toEqual(before);
  });

  it("reads switches, numbers and text from what is typed", () => {
    expect(["true", "-2.5", "0", "007", "1e3", "breakout "].map(typedValue)).toEqual([true, -2.5, 0, "007", "1e3", "breakout "]);
  });

  it("refuses names that are missing, wrong or there already", () => {
    expect(nameFaults([{ name: "stake", value: "" }, { name: "", value: "" }, { name: "a b", value: "" }, { name: "stake", value: "" }])).toEqual([1, 2, 3]);
  });
});
