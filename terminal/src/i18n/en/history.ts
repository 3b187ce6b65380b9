/** The words of the history. */
export const history = {
  history: {
    title: "History",
    empty: "No settled orders on this account",
    emptyHint: "Each order is listed here for good once it has settled.",
    failed: "The history could not be read",
    account: "{account} account",
    check: "Check",
    checkOf: "Check the result of {order}",
  },
};
