import { describe, expect, it } from "vitest";
import { flag, listOf, measure, oneOf, optional, recordOf, shape, ShapeFault, text, whole } from "./shape";

const key = shape({ kid: text, revoked_at: optional(text), state: oneOf("active", "halted"), sizes: listOf(whole), on: flag, revs: recordOf(whole) });
const document = { kid: "k", state: "active", sizes: [1, 2], on: true, revs: { a: 1 }, more: "later" };

describe("the shape of an answer", () => {
  it("takes what fits, leaves out what is not known, and null for what is not there", () => {
    expect(key(document)).toEqual({ kid: "k", revoked_at: null, state: "active", sizes: [1, 2], on: true, revs: { a: 1 } });
  });

  it.each([
    [{ ...document, kid: 7 }, "kid"],
    [{ ...document, state: "off" }, "state"],
    [{ ...document, sizes: [1, 1.5] }, "sizes[1]"],
    [{ ...document, revs: { a: "1" } }, "revs.a"],
    [{ ...document, on: null }, "on"],
    [[], "the answer"],
  ])("refuses what does not fit and says where: %#", (value, where) => {
    expect(() => key(value)).toThrow(ShapeFault);
    expect(() => key(value)).toThrow(`${where} is no `);
  });

  it("reads a measured figure from a number or from text, and nothing else", () => {
    expect([measure(1.5), measure("-0.25")]).toEqual([1.5, -0.25]);
    for (const wrong of ["1e3", "", "x", null, Number.NaN]) expect(() => measure(wrong)).toThrow(ShapeFault);
  });
});
