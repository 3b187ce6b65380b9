import type { Receipt, WalletEntry } from "@/api/schema";
import { compareAmounts } from "@/lib/money";

/** Whether the wallet's lines about an order are exactly the transfers of its receipt: same numbers, same amounts. */
export function asTransfers(entries: readonly WalletEntry[], receipt: Receipt): boolean {
  const moved = receipt.transfers.flatMap((transfer) => [
    ...(transfer.debit === "wallet" || transfer.debit === "bonus" ? [{ no: transfer.debit_no, amount: `-${transfer.amount}` }] : []),
    ...(transfer.credit === "wallet" || transfer.credit === "bonus" ? [{ no: transfer.credit_no, amount: transfer.amount }] : []),
  ]);
  const byNo = new Map(entries.map((entry) => [entry.no, entry.amount]));
  return moved.length === entries.length && moved.every(({ no, amount }) => {
    const found = no === null ? undefined : byNo.get(no);
    return found !== undefined && compareAmounts(found, amount) === 0;
  });
}
