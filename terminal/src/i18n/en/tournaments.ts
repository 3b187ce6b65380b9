/** The words of the tournaments. */
export const tournaments = {
  tournament: {
    title: "No tournament yet",
    body: "When one is open you join it here and trade from its own account, apart from your real and demo money.",
    back: "Trade on Demo",
  },
};
