import { describe, expect, it } from "vitest";
import { ageName, clockUtcMs, countdown, durationName, parseInstant, zoneName } from "./time";

describe("times", () => {
  it("keep milliseconds and UTC", () => {
    expect(clockUtcMs(parseInstant("2026-11-20T14:34:12.281Z"))).toBe("14:34:12.281");
  });

  it("count down in started seconds and stop at zero", () => {
    expect(countdown(5000)).toBe("00:05");
    expect(countdown(4001)).toBe("00:05");
    expect(countdown(1)).toBe("00:01");
    expect(countdown(-3000)).toBe("00:00");
    expect(countdown(3_730_000)).toBe("1:02:10");
  });

  it("name lengths, ages and zones", () => {
    expect([5, 90, 60, 7200, 86_400].map(durationName)).toEqual(["5 s", "90 s", "1 min", "2 h", "1 d"]);
    expect([200, 4200, 61_000, 7_300_000].map(ageName)).toEqual(["0.2 s", "4.2 s", "1 min", "2 h"]);
    expect([0, 180, -210].map(zoneName)).toEqual(["UTC", "UTC+3", "UTC\u22123:30"]);
  });
});
