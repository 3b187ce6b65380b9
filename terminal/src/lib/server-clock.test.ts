import { describe, expect, it } from "vitest";
import { ServerClock } from "./server-clock";

describe("server clock", () => {
  it("trusts the shortest round trip and survives a step of the local clock", () => {
    let monotonic = 0;
    let wall = 5_000_000;
    const clock = new ServerClock(() => monotonic, () => wall);
    expect(clock.now()).toBe(5_000_000);
    clock.sample(1_000_000, 0, 100);
    clock.sample(1_000_900, 200, 1200);
    monotonic = 100;
    wall = 0;
    expect(clock.now()).toBe(1_000_050);
  });

  it("takes a worse sample when the device slept and the monotonic clock stood still", () => {
    const clock = new ServerClock(() => 5000, () => 0);
    clock.sample(1_000_000, 1000, 1010);
    clock.sample(1_600_000, 2000, 2200);
    expect(clock.now()).toBe(1_600_000 + 100 + 2800);
  });
});
