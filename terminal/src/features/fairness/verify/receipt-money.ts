/** Checks of a receipt's money: the arithmetic, and the transfers that carry it out. */

import { Broken } from "./broken";
import { minorOf, type Receipt, type ReceiptTransfer } from "./receipt";
import { arithmeticOf, stakePlaces } from "./receipt-rules";
import type { Said } from "./report";
import type { Outcome } from "./rules";

/** Payout and profit are the stake and the frozen percent, rounded down; each line of the arithmetic is right. */
export function moneyCheck(receipt: Receipt, made: Outcome | null): Said {
  const { order } = receipt;
  const places = stakePlaces(receipt);
  const stake = minorOf(order.stake, places);
  if (stake <= 0n) throw new Broken("money.stake");
  if (made) {
    const right = order.payout !== null && order.profit !== null && minorOf(order.payout, places) === made.payout && minorOf(order.profit, places) === made.payout - stake;
    if (!right) throw new Broken("money.payout");
  } else if (order.payout !== null || order.profit !== null) {
    throw new Broken("money.payout");
  }
  const lines = arithmeticOf(receipt, made);
  for (const { what, result } of receipt.arithmetic) {
    if (lines.has(what) && lines.get(what) !== result) throw new Broken("money.line", { what });
    lines.delete(what);
  }
  if (lines.size > 0) throw new Broken("money.missing", { what: [...lines.keys()].join(", ") });
  const words = made ? (made.state === "won" ? "receipt.money.won" : `receipt.money.${made.payout === 0n ? "lost" : "back"}`) : "receipt.money.open";
  return { words, values: { stake: order.stake, percent: order.payoutPercent }, detail: made?.state === "won" ? (order.profit ?? "") : (order.payout ?? order.stake) };
}

function says(transfer: ReceiptTransfer | undefined, expected: readonly string[]): boolean {
  if (!transfer) return false;
  return [transfer.family, transfer.kind, transfer.amount, transfer.debit, transfer.credit].join(" ") === expected.join(" ");
}

/** Each movement of money is the one that the outcome asks for, and there is no other. */
export function transfersCheck(receipt: Receipt, made: Outcome | null): Said {
  const { order, transfers } = receipt;
  const purse = transfers.find((each) => each.family === "order.stake")?.debit ?? "";
  if (purse !== "wallet" && purse !== "bonus") throw new Broken("transfer.wrong", { family: "order.stake" });
  const expected = [["order.stake", "stake", order.stake, purse, "stakes"]];
  if (made) expected.push(["order.close", made.state, order.stake, "stakes", made.state === "lost" ? "house" : purse]);
  if (made?.state === "won" && minorOf(order.profit ?? "", stakePlaces(receipt)) > 0n) expected.push(["order.profit", "profit", order.profit ?? "", "house", purse]);
  for (const wanted of expected) {
    const family = wanted[0] ?? "";
    if (!says(transfers.find((each) => each.family === family), wanted)) throw new Broken("transfer.wrong", { family });
  }
  if (transfers.length !== expected.length) throw new Broken("transfer.more");
  return { values: { count: expected.length }, detail: `${String(transfers.length)} / ${String(expected.length)}` };
}
