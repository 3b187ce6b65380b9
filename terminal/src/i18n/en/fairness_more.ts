/** More words of the fairness page: invariants, keys, the line of payouts, the sum of re-settlements. */
export const fairnessMore = {
  invariants: {
    title: "Invariants",
    lead: "Each night sentences about money and orders that must always hold are checked over everything, such as: every transfer sums to zero. A violation would stand here.",
    empty: "No night has passed yet",
    emptyBody: "The first check is in the coming night, UTC.",
    sum: "{checked} checked, {violated} violated",
    at: "Last checked {time}",
    violations: "{count} violation | {count} violations",
    holds: "Holds",
    earlier: "Earlier nights",
  },
  keys: {
    title: "Keys",
    lead: "Receipts and archives are signed with these. Keep the list: who keeps it early notices when another appears.",
    since: "Since {time}",
    until: "until {time}",
    now: "in use",
    production: "Production key",
    dev: "Development key",
    public: "Public key",
    empty: "This platform does not sign",
    emptyBody: "An operator sets a key; until then nothing here carries a signature.",
    get: "Download the list",
  },
  payoutLine: "Payout of {symbol} over its last changes: from {first} % to {last} %, lowest {low} %, highest {high} %",
  settled: {
    right: "{checked} orders checked, no difference",
    wrong: "{differences} differences in {checked} orders",
    at: "Newest night: {time}",
  },
};
