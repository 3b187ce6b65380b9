import { describe, expect, it } from "vitest";
import { contrast, over, parseColour } from "./contrast";

describe("contrast", () => {
  it("is 21 for black on white and 1 for a colour on itself", () => {
    expect(contrast(parseColour("rgb(0, 0, 0)"), parseColour("rgb(255, 255, 255)"))).toBeCloseTo(21, 5);
    expect(contrast(parseColour("rgb(63, 199, 177)"), parseColour("rgb(63, 199, 177)"))).toBe(1);
  });

  it("knows the grey of the standard's example", () => {
    expect(contrast(parseColour("rgb(118, 118, 118)"), parseColour("rgb(255, 255, 255)"))).toBeCloseTo(4.54, 2);
  });

  it("lays a see-through tint over its surface first", () => {
    expect(over(parseColour("rgba(255, 255, 255, 0.5)"), parseColour("rgb(0, 0, 0)")).map(Math.round)).toEqual([128, 128, 128, 1]);
    expect(parseColour("color(srgb 1 0.5 0)").map(Math.round)).toEqual([255, 128, 0, 1]);
  });
});
