import { describe, expect, it } from "vitest";
import { endOf } from "./pause";

describe("the end that is shown before one confirms", () => {
  it.each([
    ["pause", 1, "2026-11-30T14:34:00.000Z", "2026-12-01T14:34:00.000Z"],
    ["exclusion", 6, "2026-11-30T14:34:00.000Z", "2027-05-30T14:34:00.000Z"],
    ["exclusion", 6, "2026-08-31T00:00:00.000Z", "2027-02-28T00:00:00.000Z"],
    ["exclusion", 18, "2026-08-31T00:00:00.000Z", "2028-02-29T00:00:00.000Z"],
    ["exclusion", 60, "2026-12-31T23:59:59.999Z", "2031-12-31T23:59:59.999Z"],
  ] as const)("%s of %i from %s ends as the server reckons", (kind, length, from, end) => {
    expect(new Date(endOf(kind, length, Date.parse(from))).toISOString()).toBe(end);
  });
});
