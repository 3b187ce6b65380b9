import { describe, expect, it } from "vitest";
import { formBlank, formFaults, tokenWanted } from "./token-form";

describe("a new token", () => {
  it("is bound to Demo and ends, unless asked otherwise", () => {
    expect(tokenWanted(formBlank(), Date.parse("2026-11-30T00:00:00Z"))).toMatchObject({ ledgers: ["demo"], scopes: ["read", "trade"], expires_at: "2027-02-28T00:00:00.000Z", stake_day_cap: null });
  });

  it("takes caps with a comma and addresses in lines", () => {
    expect(tokenWanted({ ...formBlank(), stakeCap: "1 000,50", ips: "203.0.113.7\n2001:db8::/32, ", days: "0" }, 0)).toMatchObject({ stake_day_cap: "1000.50", ips: ["203.0.113.7", "2001:db8::/32"], expires_at: null });
  });

  it("is not sent without rights, accounts, or with a cap that is none", () => {
    expect(formFaults({ ...formBlank(), scopes: [], ledgers: [], stakeCap: "0", lossCap: "x" }).map(([field]) => field)).toEqual(["scopes", "ledgers", "stakeCap", "lossCap"]);
  });
});
