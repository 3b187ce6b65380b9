import { describe, expect, it } from "vitest";
import { payloadOf } from "./payload";

describe("what a signal's bytes say", () => {
  it("is read where it is there", () => {
    expect(payloadOf('{"direction":"call","stake":{"mode":"fixed","value":"5.00","currency":"USD"}}')).toEqual({ direction: "up", amount: "5.00", unit: "USD" });
    expect(payloadOf('{"direction":"put","stake":{"mode":"percent","value":"2.5"}}')).toEqual({ direction: "down", amount: "2.5", unit: "%" });
  });

  it.each(["", "null", "[]", '{"stake":7,"direction":"up"}', '{"stake":{"value":"<b>"}}', '{"a"'])("is nothing where they say something else: %s", (raw) => {
    expect(payloadOf(raw)).toMatchObject({ direction: null, amount: "" });
  });
});
