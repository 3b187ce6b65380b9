import { describe, expect, it } from "vitest";
import { deadlineOf, faultOf, nextExpiries, snapped, typedInstant, type ExpiryBounds } from "./expiries";

const at = (time: string): number => Date.parse(`2026-11-20T${time}Z`);
const bounds: ExpiryBounds = { minS: 5, maxS: 86_400, deadlineS: 10, sessionEndMs: null };
const utc = (): number => 0;
const clocks = (found: number[]): string[] => found.map((ms) => new Date(ms).toISOString().slice(11, 16));

describe("expiries by the clock", () => {
  it("offer the next minute, five minutes, quarter and half hour, each once", () => {
    expect(clocks(nextExpiries(at("14:34:12.000"), bounds))).toEqual(["14:35", "14:40", "14:45", "15:00"]);
    expect(clocks(nextExpiries(at("14:44:12.000"), { ...bounds, maxS: 300 }))).toEqual(["14:45", "14:46", "14:47", "14:48"]);
  });

  it("leave out what the purchase deadline has closed, to the millisecond", () => {
    expect(faultOf(at("14:35:00.000"), at("14:34:49.999"), bounds)).toBeNull();
    expect(faultOf(at("14:35:00.000"), at("14:34:50.000"), bounds)).toBe("past_deadline");
    expect(clocks(nextExpiries(at("14:34:50.000"), bounds, 1))).toEqual(["14:36"]);
    expect(deadlineOf(at("14:35:00.000"), bounds)).toBe(at("14:34:49.999"));
  });

  it("keep the shortest duration where it is longer than the deadline", () => {
    expect(clocks(nextExpiries(at("14:34:12.000"), { ...bounds, minS: 60 }, 1))).toEqual(["14:36"]);
  });

  it("end with the session and the longest duration", () => {
    expect(clocks(nextExpiries(at("14:34:12.000"), { ...bounds, sessionEndMs: at("14:36:00.000") }))).toEqual(["14:35", "14:36"]);
    expect(faultOf(at("14:40:00.000"), at("14:34:12.000"), { ...bounds, maxS: 300 })).toBe("out_of_range");
    expect(nextExpiries(at("14:34:12.000"), { ...bounds, sessionEndMs: at("14:34:30.000") })).toEqual([]);
  });

  it("snap a choice that was missed to the next round one, and keep one that can be bought", () => {
    expect(snapped(at("14:35:00.000"), at("14:34:55.000"), bounds)).toBe(at("14:36:00.000"));
    expect(snapped(at("14:35:30.000"), at("14:34:55.000"), bounds)).toBe(at("14:35:30.000"));
  });

  it("read a typed time in the zone that is shown, tomorrow when it has passed", () => {
    expect(typedInstant("14:40", at("14:34:12.000"), utc)).toBe(at("14:40:00.000"));
    expect(typedInstant("17:40:30", at("14:34:12.000"), () => 180)).toBe(at("14:40:30.000"));
    expect(typedInstant("14.30", at("14:34:12.000"), utc)).toBe(at("14:30:00.000") + 86_400_000);
    expect(typedInstant("25:00", at("14:34:12.000"), utc)).toBeNull();
    expect(typedInstant("soon", at("14:34:12.000"), utc)).toBeNull();
  });
});
