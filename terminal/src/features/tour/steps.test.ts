import { describe, expect, it } from "vitest";
import { placeBeside } from "./steps";

const card = { width: 320, height: 200 };
const desk = { width: 1440, height: 900 };
const whole = (at: { top: number; left: number }, view: { width: number; height: number }): boolean =>
  at.top >= 0 && at.left >= 0 && at.top + card.height <= view.height && at.left + card.width <= view.width;

describe("the card of a step", () => {
  it("stands left of the ticket and covers none of it", () => {
    const at = placeBeside({ top: 100, left: 1120, width: 320, height: 300 }, card, desk);
    expect(at.left + card.width).toBeLessThanOrEqual(1120);
  });

  it("stands below the account switch", () => {
    expect(placeBeside({ top: 8, left: 160, width: 250, height: 34 }, card, desk).top).toBeGreaterThan(42);
  });

  it("is whole on a phone wherever it points", () => {
    const phone = { width: 340, height: 640 };
    for (const top of [0, 60, 300, 560]) expect(whole(placeBeside({ top, left: 0, width: 340, height: 80 }, card, phone), phone)).toBe(true);
  });

  it("stands in the middle without a place to point at", () => {
    expect(placeBeside(null, card, desk)).toEqual({ top: 350, left: 560 });
  });
});
