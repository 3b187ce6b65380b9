import { flushPromises } from "@vue/test-utils";
import { beforeEach, describe, expect, it, vi } from "vitest";
import { ApiProblem, NoAnswer } from "@/api/problem";
import * as trading from "@/api/trading";
import { orderWith, symbolWith, walletWith } from "@/test-data";
import { useClock } from "./clock";
import { useConnection } from "./connection";
import { useOrders } from "./orders";
import { usePreferences } from "./preferences";
import { useQuotes } from "./quotes";
import { useSymbols } from "./symbols";
import { useTicket } from "./ticket";
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

  it("keeps what was entered when the order is refused, and says why", async () => {
    vi.mocked(trading.orderPlace).mockRejectedValue(problem("market.stale"));
    const ticket = useTicket();
    usePreferences().stake = "25.00";
    await ticket.buy("down");
    expect(ticket.phase).toMatchObject({ kind: "refused", code: "market.stale", direction: "down" });
    expect(usePreferences().stake).toBe("25.00");
  });

  it("never guesses when no answer came: the order is looked up by its id", async () => {
    vi.mocked(trading.orderPlace).mockRejectedValue(new NoAnswer("lost"));
    vi.mocked(trading.orderLookup).mockResolvedValue(orderWith());
    const ticket = useTicket();
    await ticket.buy("up");
    expect(ticket.phase.kind).toBe("unconfirmed");
    await ticket.confirm();
    expect(ticket.phase.kind).toBe("accepted");
  });

  it("is told by the event what the network lost", async () => {
    vi.mocked(trading.orderPlace).mockRejectedValue(new NoAnswer("lost"));
    const ticket = useTicket();
    await ticket.buy("up");
    const id = ticket.phase.kind === "unconfirmed" ? ticket.phase.clientOrderId : "";
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
