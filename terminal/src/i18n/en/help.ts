/** The words of the help page. */
export const help = {
  help: {
    title: "Help",
    howTitle: "How an order is decided",
    how1: "Up wins when the closing price is above the opening price, Down when it is below. Equal prices are a tie and the stake comes back.",
    how2: "The opening price is the newest tick when the order is accepted. The closing price is the last tick at or before expiry, by the tick's own time.",
    how3: "When no tick is fresh enough at expiry, the stake is refunded and the reason is shown.",
    checkTitle: "Check a result yourself",
    check: "Every result follows from published ticks. Your browser can recompute it, and so can a small program without any network.",
    checkLink: "Open the fairness page",
    aboutTitle: "About",
    chartNotice: "Charts are drawn with TradingView Lightweight Charts™, copyright TradingView, Inc., under the Apache License 2.0.",
    fontNotice: "Text is set in Inter by Rasmus Andersson, under the SIL Open Font License 1.1.",
    chartLink: "tradingview.com",
  },
};
