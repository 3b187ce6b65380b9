import { describe, expect, it } from "vitest";
import { ServerClock } from "./server-clock";

describe("server clock", () => {
  it("trusts the shortest round trip and survives a step of the local clock", () => {
    let monotonic = 0;
    let wall = 5_000_000;
    const clock = new ServerClock(() => monotonic, () => wall);
    expect(clock.now()).toBe(5_000_000);
    clock.sample(1_000_000, 0, 100);
    clock.sample(2_000_000, 200, 1200);
    monotonic = 100;
    wall = 0;
    expect(clock.now()).toBe(1_000_050);
  });
});
