import { describe, expect, it } from "vitest";
import { apart } from "./apart";

const ROOM = { width: 400, height: 300 };
const at = (id: string, x: number, y: number): { id: string; x: number; y: number } => ({ id, x, y });

describe("links over marks (WCAG 2.5.8)", () => {
  it("lie around their marks where there is room", () => {
    expect([...apart([at("a", 100, 100), at("b", 200, 100)], 24, ROOM)]).toEqual([["a", [88, 88]], ["b", [188, 88]]]);
  });

  it("go below those they would cover, one after the other", () => {
    const places = apart([at("a", 100, 100), at("b", 101, 99), at("c", 110, 110)], 24, ROOM);
    expect([...places.values()]).toEqual([[88, 88], [89, 112], [98, 136]]);
  });

  it("go above where there is no room below", () => {
    expect(apart([at("a", 100, 280), at("b", 100, 281)], 24, ROOM).get("b")).toEqual([88, 244]);
  });

  it("stay whole at the edges, where what lies beyond is cut off", () => {
    const corners = apart([at("a", 2, 1), at("b", 399, 299), at("c", 200, 300)], 24, ROOM);
    expect([...corners.values()]).toEqual([[0, 0], [376, 276], [188, 276]]);
  });

  it("keep apart at the edges too, where squares are pushed back onto others", () => {
    const corners = [...apart([at("a", 100, 299), at("b", 104, 300), at("c", 96, 262)], 24, ROOM).values()];
    expect(corners).toEqual([[88, 276], [92, 252], [84, 228]]);
  });

  it("are left out where a column is full, never laid over others or out of sight", () => {
    const many = Array.from({ length: 20 }, (_, number) => at(String(number), 100, 290));
    const tops = [...apart(many, 24, ROOM).values()].map(([, top]) => top);
    expect(tops).toHaveLength(12);
    expect(new Set(tops).size).toBe(12);
    expect(Math.min(...tops)).toBeGreaterThanOrEqual(0);
  });

  it("are left out under what stands on the chart, wholly or in part", () => {
    const button = { left: 180, top: 200, width: 80, height: 28 };
    const corners = apart([at("under", 200, 210), at("partly", 172, 214), at("beside", 160, 214), at("pushed", 160, 190), at("pushed too", 170, 195)], 24, ROOM, [button]);
    expect([...corners.keys()]).toEqual(["beside", "pushed"]);
  });

  it("are left out outside of the chart", () => {
    expect(apart([at("a", -1, 100), at("b", 100, 301)], 24, ROOM).size).toBe(0);
  });
});
