import { expect, it } from "vitest";
import { lengthOf, tagFault, tagNamed } from "./tags";

it("names a tag as the server does, so that one thing has one tag", () => {
  expect(tagNamed("  Late   Entry ")).toBe("late entry");
  expect(tagNamed("НОВОСТИ")).toBe("новости");
  expect(tagNamed("e\u0301")).toBe("\u00e9");
});

it("counts characters, not halves of them, and says what is wrong before the server does", () => {
  expect(lengthOf("🙂🙂")).toBe(2);
  expect(tagFault("🙂".repeat(24), 0)).toBe("");
  expect(tagFault("x".repeat(25), 0)).toBe("tooLong");
  expect(tagFault("x", 10)).toBe("tooMany");
});
