import { describe, expect, it } from "vitest";
import { EventCursor } from "./event-cursor";

describe("event cursor", () => {
  it("applies an event whose predecessor is the last one seen", () => {
    const cursor = new EventCursor(11);
    expect(cursor.judge({ seq: 12, prev_seq: 11 })).toBe("apply");
  });

  it("finds the gap when an event between was never seen", () => {
    expect(new EventCursor(11).judge({ seq: 14, prev_seq: 13 })).toBe("gap");
  });

  it("skips repeats of a replay", () => {
    const cursor = new EventCursor(11);
    cursor.advance(14);
    expect(cursor.judge({ seq: 14, prev_seq: 13 })).toBe("repeat");
    expect(cursor.judge({ seq: 12, prev_seq: 11 })).toBe("repeat");
  });

  it("takes numbers that this subscription cannot see as no gap", () => {
    const cursor = new EventCursor(11);
    expect(cursor.judge({ seq: 20, prev_seq: 11 })).toBe("apply");
    expect(new EventCursor(15).judge({ seq: 20, prev_seq: 11 })).toBe("apply");
  });

  it("never moves back", () => {
    const cursor = new EventCursor(11);
    cursor.advance(5);
    expect(cursor.seq).toBe(11);
  });
});
