import { expect, it } from "vitest";
import type { Receipt, WalletEntry } from "@/api/schema";
import { asTransfers } from "./ledger-lines";

const texts = import.meta.glob<string>("../../../../docs/fairness/vectors/*.json", { query: "?raw", import: "default", eager: true });
const vector = (name: string): Receipt => JSON.parse(texts[`../../../../docs/fairness/vectors/${name}.json`] ?? "null") as Receipt;
const receipt = vector("won");
const line = (no: number, amount: string): WalletEntry => ({ no, amount, at: "", kind: "", detail: "", balance_after: "0.00", reference: "", note: null });

it("takes a wallet's lines for the receipt's transfers only with the same numbers and amounts", () => {
  const moved = receipt.transfers.flatMap((each) => [
    ...(each.debit === "wallet" ? [line(each.debit_no ?? 0, `-${each.amount}`)] : []),
    ...(each.credit === "wallet" ? [line(each.credit_no ?? 0, each.amount)] : []),
  ]);
  const numbered = { ...receipt, transfers: receipt.transfers.map((each, at) => ({ ...each, credit_no: each.credit === "wallet" ? 8 + at : each.credit_no })) };
  const lines = [line(7, "-10.05"), line(9, "10.05"), line(10, "8.54")];
  expect(moved).toHaveLength(3);
  expect(asTransfers(lines, numbered)).toBe(true);
  expect(asTransfers(lines.slice(0, 2), numbered)).toBe(false);
  expect(asTransfers([line(7, "-10.05"), line(9, "10.05"), line(10, "8.55")], numbered)).toBe(false);
  expect(asTransfers([line(7, "-10.05"), line(9, "10.05"), line(11, "8.54")], numbered)).toBe(false);
});
