import { describe, expect, it } from "vitest";
import { apart } from "./apart";

const at = (id: string, x: number, y: number): { id: string; x: number; y: number } => ({ id, x, y });

describe("links over marks (WCAG 2.5.8)", () => {
  it("lie around their marks where there is room", () => {
    expect([...apart([at("a", 100, 100), at("b", 200, 100)], 24, 400, 300)]).toEqual([["a", [88, 88]], ["b", [188, 88]]]);
  });

  it("go below those they would cover, one after the other", () => {
    const places = apart([at("a", 100, 100), at("b", 101, 99), at("c", 110, 110)], 24, 400, 300);
    expect([...places.values()]).toEqual([[88, 88], [89, 112], [98, 136]]);
  });

  it("go above where there is no room below", () => {
    expect(apart([at("a", 100, 280), at("b", 100, 281)], 24, 400, 300).get("b")).toEqual([88, 244]);
  });

  it("are left out outside of the chart", () => {
    expect(apart([at("a", -1, 100), at("b", 100, 301)], 24, 400, 300).size).toBe(0);
  });
});
