import { describe, expect, it } from "vitest";
import { orderWith } from "@/test-data";
import { marked } from "./use-countdown-speech";

const ends = Date.parse("2026-11-20T10:01:00.000Z") / 1000;

describe("the spoken countdown", () => {
  it("speaks at thirty and ten seconds of a minute, and at no other second", () => {
    const spoken = Array.from({ length: 61 }, (_, each) => each).filter((left) => marked([orderWith()], ends - left) !== null);
    expect(spoken).toEqual([10, 30]);
  });

  it("joins orders that end together into one sentence", () => {
    const due = marked([orderWith(), orderWith({ id: "o2" })], ends - 30);
    expect(due).toMatchObject({ left: 30 });
    expect(due?.orders).toHaveLength(2);
  });
});
