/** The words of the wallet. */
export const wallet = {
  wallet: {
    title: "Wallet",
    statement: "Statement",
    no: "No.",
    at: "Time, UTC",
    kind: "Entry",
    amount: "Amount",
    after: "Balance after",
    balance: "Balance",
    inOrders: "In open orders",
    refill: "Set back to the opening balance",
    refillHint: "Demo only, while no demo order is open.",
    refilled: "Demo balance set back",
    empty: "No entries yet",
    emptyHint: "Each change of the balance is one line here, from the opening on.",
    failed: "The statement could not be read",
  },
};
