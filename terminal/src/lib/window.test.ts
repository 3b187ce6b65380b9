import { describe, expect, it } from "vitest";
import { sliceOf } from "./window";

describe("a window on a long list", () => {
  it("draws what is in sight and a few rows more, and keeps the height of all", () => {
    const slice = sliceOf(500, 60, 6000, 240);
    expect(slice).toEqual({ from: 94, to: 110, before: 5640, after: 23_400 });
    expect(slice.before + slice.after + (slice.to - slice.from) * 60).toBe(500 * 60);
  });

  it("draws a short list whole, and an empty one not at all", () => {
    expect(sliceOf(3, 60, 0, 240)).toEqual({ from: 0, to: 3, before: 0, after: 0 });
    expect(sliceOf(0, 60, 0, 240)).toEqual({ from: 0, to: 0, before: 0, after: 0 });
  });

  it("does not run past the end of a list that shrank", () => {
    expect(sliceOf(3, 60, 6000, 240)).toEqual({ from: 3, to: 3, before: 180, after: 0 });
  });
});
