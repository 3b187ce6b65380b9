import { describe, expect, it } from "vitest";
import { symbolWith } from "@/test-data";
import { movedTo, searchSymbols } from "./search";

const list = [
  symbolWith({ code: "EURUSD", name: "Euro / US Dollar", payout_percent: 80 }),
  symbolWith({ code: "USDJPY", name: "US Dollar / Yen", payout_percent: 90 }),
  symbolWith({ code: "BTCUSDT", name: "Bitcoin", asset_class: "crypto", payout_percent: 85 }),
];
const codes = (...args: Parameters<typeof searchSymbols>): string[] => searchSymbols(...args).map((each) => each.code);

describe("the choice of an asset", () => {
  it("finds by code and name, codes that begin so first", () => {
    expect(codes(list, "usd", "all")).toEqual(["USDJPY", "BTCUSDT", "EURUSD"]);
    expect(codes(list, "bitcoin", "all")).toEqual(["BTCUSDT"]);
  });

  it("sorts by payout, by name, or leaves the user's own order", () => {
    expect(codes(list, "", "all", "payout")).toEqual(["USDJPY", "BTCUSDT", "EURUSD"]);
    expect(codes(list, "", "all", "name")).toEqual(["BTCUSDT", "EURUSD", "USDJPY"]);
    expect(codes(list, "", "favourites", "own")).toEqual(["EURUSD", "USDJPY", "BTCUSDT"]);
  });

  it("keeps to a class of assets", () => {
    expect(codes(list, "", "crypto")).toEqual(["BTCUSDT"]);
  });

  it("moves one favourite and no other", () => {
    expect(movedTo(["a", "b", "c"], "c", 0)).toEqual(["c", "a", "b"]);
    expect(movedTo(["a", "b", "c"], "a", 1)).toEqual(["b", "a", "c"]);
    expect(movedTo(["a", "b", "c"], "a", 3)).toEqual(["a", "b", "c"]);
  });
});
