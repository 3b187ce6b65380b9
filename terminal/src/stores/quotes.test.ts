import { describe, expect, it, vi } from "vitest";
import { useQuotes } from "./quotes";

const tick = (seq: number, price: string) => ({ symbol: "EURUSD", seq, at: `2026-11-20T10:00:0${String(seq)}.000Z`, price });

describe("quotes", () => {
  it("keep the newest tick and pass every one to the chart", () => {
    const quotes = useQuotes();
    const listener = vi.fn();
    quotes.listen("EURUSD", listener);
    quotes.apply([tick(1, "1.1"), tick(2, "1.2")]);
    expect(quotes.last.get("EURUSD")?.price).toBe("1.2");
    expect(listener).toHaveBeenCalledTimes(2);
    expect(quotes.tape("EURUSD").map((each) => each.seq)).toEqual([2, 1]);
  });

  it("ignore a tick that came again after a reconnect", () => {
    const quotes = useQuotes();
    quotes.apply([tick(2, "1.2")]);
    quotes.apply([tick(2, "1.2"), tick(1, "1.1")]);
    expect(quotes.last.get("EURUSD")?.price).toBe("1.2");
    expect(quotes.tape("EURUSD")).toHaveLength(1);
  });

  it("stop for a listener that left", () => {
    const quotes = useQuotes();
    const listener = vi.fn();
    quotes.listen("EURUSD", listener)();
    quotes.apply([tick(1, "1.1")]);
    expect(listener).not.toHaveBeenCalled();
  });
});
