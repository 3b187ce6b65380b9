import { flushPromises } from "@vue/test-utils";
import { beforeEach, describe, expect, it, vi } from "vitest";
import { ApiProblem, NoAnswer } from "@/api/problem";
import * as trading from "@/api/trading";
import type { OwnLimits } from "@/api/schema";
import { orderWith, symbolWith, walletWith } from "@/test-data";
import { useAllowance } from "./allowance";
import { useClock } from "./clock";
import { useConnection } from "./connection";
import { useExpiry } from "./expiry";
import { useOrders } from "./orders";
import { usePreferences } from "./preferences";
import { useQuotes } from "./quotes";
import { useSymbols } from "./symbols";
import { useTicket } from "./ticket";
import { useTradeSettings } from "./trade-settings";
import { useWallets } from "./wallets";

vi.mock("@/api/trading");

function problem(code: string): ApiProblem {
  return new ApiProblem({ type: "", title: "Refused", status: 422, detail: "", code, request_id: "", retryable: false, errors: [] });
}

function market(ageMs: number): void {
  const clock = useClock();
  useQuotes().apply([{ symbol: "EURUSD", seq: 1, at: new Date(clock.nowMs - ageMs).toISOString(), price: "1.08512" }]);
}

beforeEach(() => {
  useSymbols().list = [symbolWith()];
  useWallets().wallets = [walletWith()];
  usePreferences().stake = "10.00";
  market(200);
});

describe("ticket", () => {
  it("sends the entered order under an id of its own and shows that it was accepted", async () => {
    vi.mocked(trading.orderPlace).mockResolvedValue(orderWith());
    const ticket = useTicket();
    await ticket.buy("up");
    const sent = vi.mocked(trading.orderPlace).mock.calls[0]?.[0];
    expect(sent).toMatchObject({ wallet_id: "w-demo", symbol: "EURUSD", direction: "up", stake: "10.00", duration_s: 30, min_payout_percent: 85 });
    expect(sent?.client_order_id).toMatch(/^[A-Za-z0-9._:-]{1,64}$/);
    expect(ticket.phase.kind).toBe("accepted");
    expect(useOrders().open).toHaveLength(1);
  });

  it("takes a double click as one order", async () => {
    vi.mocked(trading.orderPlace).mockResolvedValue(orderWith());
    const ticket = useTicket();
    void ticket.buy("up");
    void ticket.buy("up");
    await flushPromises();
    expect(trading.orderPlace).toHaveBeenCalledTimes(1);
  });

  it("takes the second click of a double click as the same order, however fast the first was", async () => {
    vi.mocked(trading.orderPlace).mockResolvedValue(orderWith());
    const ticket = useTicket();
    await ticket.press("up");
    expect(ticket.phase.kind).toBe("accepted");
    await ticket.press("up", true);
    expect(trading.orderPlace).toHaveBeenCalledTimes(1);
  });

  it("asks before real money goes, and a double click is no answer", async () => {
    vi.mocked(trading.orderPlace).mockResolvedValue(orderWith({ ledger: "real" }));
    useWallets().wallets = [walletWith({ id: "w-real", ledger: "real" })];
    usePreferences().ledger = "real";
    const ticket = useTicket();
    await ticket.press("up");
    await ticket.press("up", true);
    expect(ticket.phase).toMatchObject({ kind: "confirming", direction: "up" });
    await ticket.press("down");
    expect(ticket.phase).toMatchObject({ kind: "confirming", direction: "down" });
    expect(trading.orderPlace).not.toHaveBeenCalled();
    await ticket.press("down");
    expect(trading.orderPlace).toHaveBeenCalledTimes(1);
  });

  it("takes the question back when what it was about changes", async () => {
    useWallets().wallets = [walletWith({ id: "w-real", ledger: "real" })];
    usePreferences().ledger = "real";
    const ticket = useTicket();
    await ticket.press("up");
    usePreferences().stake = "25.00";
    await flushPromises();
    expect(ticket.phase.kind).toBe("idle");
  });

  it("sends a clock time instead of a duration, and the guards of the asset", async () => {
    vi.mocked(trading.orderPlace).mockResolvedValue(orderWith());
    const ticket = useTicket();
    useExpiry().mode = "clock";
    useTradeSettings().setGuard("EURUSD", { drift: "0.00005", payout: 80 });
    await ticket.press("up");
    const sent = vi.mocked(trading.orderPlace).mock.calls[0]?.[0];
    expect(sent).toMatchObject({ max_price_drift: "0.00005", expected_price: "1.08512", min_payout_percent: 80 });
    expect(sent?.duration_s).toBeUndefined();
    expect(Date.parse(sent?.expires_at ?? "")).toBe(ticket.expiresAt);
    expect((ticket.expiresAt ?? 1) % 60_000).toBe(0);
  });

  it("takes no order from somebody on a break, and says until when", () => {
    const untilMs = useClock().nowMs + 86_400_000;
    useAllowance().limits = { break_until: new Date(untilMs).toISOString(), excluded_until: null } as OwnLimits;
    expect(useTicket().block).toBe("on_break");
    expect(useAllowance().barred).toEqual({ kind: "on_break", untilMs });
  });

  it("keeps what was entered when the order is refused, and says why", async () => {
    vi.mocked(trading.orderPlace).mockRejectedValue(problem("market.stale"));
    const ticket = useTicket();
    usePreferences().stake = "25.00";
    await ticket.buy("down");
    expect(ticket.phase).toMatchObject({ kind: "refused", refusal: { code: "market.stale" }, direction: "down" });
    expect(usePreferences().stake).toBe("25.00");
  });

  it("never guesses when no answer came: the order is looked up by its id", async () => {
    vi.mocked(trading.orderPlace).mockRejectedValue(new NoAnswer("lost"));
    vi.mocked(trading.orderLookup).mockResolvedValue(orderWith());
    const ticket = useTicket();
    await ticket.buy("up");
    await flushPromises();
    expect(trading.orderLookup).toHaveBeenCalledWith("demo", vi.mocked(trading.orderPlace).mock.calls[0]?.[0].client_order_id);
    expect(ticket.phase.kind).toBe("accepted");
  });

  it("says that an order was not taken only after a second look, and nothing is bought while it looks", async () => {
    vi.useFakeTimers();
    vi.mocked(trading.orderPlace).mockRejectedValue(new NoAnswer("lost"));
    vi.mocked(trading.orderLookup).mockResolvedValue(null);
    const ticket = useTicket();
    await ticket.buy("up");
    await vi.advanceTimersByTimeAsync(100);
    expect(ticket.phase.kind).toBe("unconfirmed");
    await ticket.press("up");
    expect(trading.orderPlace).toHaveBeenCalledTimes(1);
    await vi.advanceTimersByTimeAsync(6000);
    expect(ticket.phase.kind).toBe("untaken");
    vi.useRealTimers();
  });

  it("looks a lost order up again when the connection is back", async () => {
    const connection = useConnection();
    connection.setAccount("waiting", null);
    vi.mocked(trading.orderPlace).mockRejectedValue(new NoAnswer("lost"));
    vi.mocked(trading.orderLookup).mockRejectedValueOnce(new NoAnswer("still lost")).mockResolvedValue(orderWith());
    const ticket = useTicket();
    await ticket.buy("up");
    await flushPromises();
    expect(ticket.phase.kind).toBe("unconfirmed");
    connection.setAccount("open", null);
    connection.setQuotes("open");
    await flushPromises();
    expect(ticket.phase.kind).toBe("accepted");
  });

  it("is told by the event what the network lost", async () => {
    vi.mocked(trading.orderPlace).mockRejectedValue(new NoAnswer("lost"));
    vi.mocked(trading.orderLookup).mockReturnValue(new Promise(() => undefined));
    const ticket = useTicket();
    await ticket.buy("up");
    const id = ticket.phase.kind === "unconfirmed" ? ticket.phase.sent.client_order_id : "";
    ticket.heard(orderWith({ client_order_id: id }));
    expect(ticket.phase.kind).toBe("accepted");
  });

  it.each([
    ["", "empty"],
    ["ten", "precision"],
    ["1.001", "precision"],
    ["0.99", "below"],
    ["1000.01", "above"],
    ["10.00", null],
  ])("judges the stake %j as %j", (stake, fault) => {
    usePreferences().stake = stake;
    expect(useTicket().stakeFault).toBe(fault);
  });

  it("sees that the balance is too low", () => {
    useWallets().wallets = [walletWith({ balance: "9.99" })];
    expect(useTicket().stakeFault).toBe("funds");
  });

  it("switches buying off while the price is late, halted or the line is cut", () => {
    const ticket = useTicket();
    expect(ticket.block).toBeNull();
    useClock().nowMs += 4000;
    expect(ticket.block).toBe("late");
    useSymbols().setState("EURUSD", "halted");
    expect(ticket.block).toBe("halted");
    useConnection().online = false;
    expect(ticket.block).toBe("cut_off");
  });

  it("has no account to trade from where the ledger has no wallet", () => {
    usePreferences().ledger = "tournament";
    expect(useTicket().block).toBe("no_wallet");
  });

  it("shows the profit floored to the currency", () => {
    usePreferences().stake = "1.01";
    expect(useTicket().profit).toBe("0.85");
  });
});
