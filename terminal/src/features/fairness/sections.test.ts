import { flushPromises, mount } from "@vue/test-utils";
import { beforeEach, describe, expect, it, vi } from "vitest";
import type { Component } from "vue";
import { i18n } from "@/i18n";
import ArchivesSection from "./ArchivesSection.vue";
import ExecutionSection from "./ExecutionSection.vue";
import IncidentsSection from "./IncidentsSection.vue";
import { blocksOf, spansOf } from "./markdown";
import PayoutSection from "./PayoutSection.vue";
import ResettlementSection from "./ResettlementSection.vue";
import RulesSection from "./RulesSection.vue";

let answer: () => Response;

const ok = (body: unknown) => (): Response => new Response(JSON.stringify(body));
const status = (code: number) => (): Response => new Response("{}", { status: code });

async function section(component: Component, props: Record<string, unknown> = {}) {
  const page = mount(component, { props: { symbols: ["EURUSD"], ...props }, global: { plugins: [i18n] } });
  await flushPromises();
  return page;
}

beforeEach(() => {
  vi.stubGlobal("fetch", () => Promise.resolve(answer()));
});

describe.each([
  ["archives", ArchivesSection],
  ["re-settlement", ResettlementSection],
  ["incidents", IncidentsSection],
  ["rules", RulesSection],
  ["execution", ExecutionSection],
  ["payout", PayoutSection],
])("the section of %s", (_, component) => {
  it("says that a server does not offer it", async () => {
    answer = status(404);
    expect((await section(component as Component)).text()).toContain("Not published by this platform yet");
  });

  it("says that it could not be read, and reads again when asked", async () => {
    answer = status(500);
    const page = await section(component as Component);
    expect(page.text()).toContain("This section could not be read");
    answer = status(404);
    await page.get("button").trigger("click");
    await flushPromises();
    expect(page.text()).toContain("Not published by this platform yet");
  });
});

describe("what sections show", () => {
  it("an archive with its root and its address, and that a day has not ended", async () => {
    const row = { symbol: "EURUSD", day: "2026-11-29", complete: false, ticks: 345600, seals: 1440, root: null };
    answer = ok({ data: [row, { ...row, day: "2026-11-28", complete: true, root: "ab".repeat(32) }], next_cursor: null });
    const page = await section(ArchivesSection);
    expect(page.text()).toContain("345,600");
    expect(page.text()).toContain("so far");
    expect(page.text()).toContain("abababababababab…");
    expect(page.findAll("a").map((each) => each.attributes("href"))).toEqual(["/api/v1/fairness/archives/2026-11-29/EURUSD", "/api/v1/fairness/archives/2026-11-28/EURUSD"]);
  });

  it("a night with differences as plainly as one without", async () => {
    const night = { at: "2026-11-29T02:00:00.000Z", from: null, to: "2026-11-29T00:00:00.000Z", checked: 48210, differences: 0, unavailable: 0 };
    answer = ok({ data: [night, { ...night, at: "2026-11-28T02:00:00.000Z", differences: 2 }], next_cursor: null });
    const text = (await section(ResettlementSection)).text();
    expect(text).toContain("All the same");
    expect(text).toContain("Differences found");
  });

  it("no figure of a group that is too small", async () => {
    const hidden = { shown: false, clients: 3, orders: null, latency: null, refusal_percent: null, refund_percent: null, payout_percent_mean: null };
    const shown = { shown: true, clients: 12, orders: 1400, latency: { p50_us: 4100, p95_us: 9000, p99_us: 21000 }, refusal_percent: 0.5, refund_percent: 0, payout_percent_mean: 84.9 };
    const ledger = { all: shown, winners: hidden, losers: hidden, winners_against_losers: null };
    answer = ok({ first_day: "2026-11-01", last_day: "2026-11-29", clients_min: 5, real: ledger, demo: ledger, real_against_demo: { days: 20, longer_percent: 50.2 } });
    const page = await section(ExecutionSection);
    expect(page.text()).toContain("fewer than 5 clients");
    expect(page.text()).toContain("4.1 ms");
    expect(page.text()).toContain("An order of Real took longer than one of Demo in 50.2 % of all pairs");
  });

  it("an incident that lasts, with its reason", async () => {
    answer = ok({ data: [{ kind: "halted", symbol: "EURUSD", began_at: "2026-11-29T10:00:00.000Z", ended_at: null, reason: "feed is repaired", orders: null }], next_cursor: null });
    const text = (await section(IncidentsSection)).text();
    expect(text).toContain("lasting");
    expect(text).toContain("Halted by an operator: feed is repaired");
  });
});

describe("the words of a rule", () => {
  it("are read as headings, paragraphs, lists and tables", () => {
    const text = "# Title\nOne **bold**\nline.\n\n- a `code`\n  goes on\n- b\n\n1. first\n\n| a | b |\n|---|---|\n| 1 | [x](y.md) |";
    expect(blocksOf(text).map((block) => block.kind)).toEqual(["heading", "paragraph", "list", "list", "table"]);
    expect(spansOf("One **bold** and `code`, [a link](b.md)").map((span) => `${span.kind}:${span.text}`)).toEqual(["plain:One ", "bold:bold", "plain: and ", "code:code", "plain:, a link"]);
  });
});
