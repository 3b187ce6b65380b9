import { describe, expect, it } from "vitest";
import type { RiskLimits } from "@/api/bridge";
import { formFaults, formOf, limitsSet, limitsWanted, newsPlace } from "./limits-form";

const news = [{ from: "2026-12-01T13:30:00.000Z", to: "2026-12-01T14:00:00.000Z", currencies: ["USD", "EUR"], name: "CPI" }];
const limits = (): RiskLimits => ({
  version: 3, at: null, state_of_stops: [],
  soft: { loss_day: "80.00", later: { kept: true }, news: [{ from: "2026-12-04T13:00:00.000Z", to: "2026-12-04T15:00:00.000Z", currencies: [], name: "Jobs" }] },
  hard: { stake_max: "25.00", open_options: 5, same_expiry: { stake: "50.00", within_s: 30 }, news },
});

describe("the form of risk limits", () => {
  it("sends back what it read, fields that it does not know included", () => {
    expect(limitsWanted(formOf(limits()), limits())).toEqual({ version: 3, soft: limits().soft, hard: limits().hard });
  });

  it("leaves out a limit whose field is emptied, and takes commas and spaces in amounts", () => {
    const form = formOf(limits());
    form.hard["stake_max"] = "";
    form.hard["desk"] = "1 000,50";
    form.news = [];
    expect(limitsWanted(form, limits()).hard).toEqual({ open_options: 5, same_expiry: { stake: "50.00", within_s: 30 }, desk: "1000.50" });
  });

  it.each([
    ["stake_max", "0.00", "money"], ["stake_max", "1.005", "money"], ["desk", "much", "money"], ["balance_percent", "1000", "percent"], ["martingale", "0", "factor"],
    ["open_options", "1.5", "whole"], ["min_payout", "101", "whole"], ["orders_per_minute", "0", "whole"],
  ])("refuses %s = %s before the server does", (name, typed, kind) => {
    const form = formOf(limits());
    form.soft[name] = typed;
    expect(formFaults(form)).toEqual({ [`soft.${name}`]: `bridge.limits.fault.${kind}` });
  });

  it("wants both values of a limit that has two, and news that end after they begin", () => {
    const form = formOf(limits());
    form.soft["cool_down.losses"] = "3";
    form.soft["same_expiry.stake"] = "10.00";
    form.news[0] = { side: "hard", from: "2026-12-01T14:00", to: "2026-12-01T13:30", currencies: "", name: "" };
    expect(formFaults(form)).toEqual({ "soft.cool_down.pause_s": "bridge.limits.fault.pair", "hard.news[0]": "bridge.limits.fault.news" });
  });

  it("keeps times around news of both sides, and moves one that shall only warn", () => {
    const form = formOf(limits());
    expect(form.news.map(({ side, name }) => [side, name])).toEqual([["hard", "CPI"], ["soft", "Jobs"]]);
    form.news = form.news.map((row) => ({ ...row, side: "soft" }));
    const wanted = limitsWanted(form, limits());
    expect(wanted.hard).not.toHaveProperty("news");
    expect(wanted.soft["news"]).toEqual([news[0], { from: "2026-12-04T13:00:00.000Z", to: "2026-12-04T15:00:00.000Z", currencies: [], name: "Jobs" }]);
  });

  it("finds a row of news by the place that the server names, which counts each side by itself", () => {
    const row = { from: "", to: "", currencies: "", name: "" };
    const form = { ...formOf(limits()), news: (["soft", "hard", "soft", "hard"] as const).map((side) => ({ ...row, side })) };
    expect(form.news.map((_, at) => newsPlace(form, at))).toEqual(["soft.news[0]", "hard.news[0]", "soft.news[1]", "hard.news[1]"]);
    expect(Object.keys(formFaults(form))).toEqual(["soft.news[0]", "hard.news[0]", "soft.news[1]", "hard.news[1]"]);
  });

  it("lists what is set on either side", () => {
    expect(limitsSet(limits()).map(({ limit, part }) => [limit, part].join(" ").trim())).toEqual(["stake_max", "same_expiry stake", "same_expiry within_s", "open_options", "loss_day"]);
  });
});
