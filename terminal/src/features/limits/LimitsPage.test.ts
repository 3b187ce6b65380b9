import { flushPromises, mount } from "@vue/test-utils";
import { describe, expect, it, vi } from "vitest";
import * as api from "@/api/limits";
import { NoAnswer } from "@/api/problem";
import type { Limits, OwnLimit } from "@/api/schema";
import * as tokens from "@/api/tokens";
import { i18n } from "@/i18n";
import LimitRow from "./LimitRow.vue";
import LimitsPage from "./LimitsPage.vue";
import StopDialog from "./StopDialog.vue";

const own = (set: OwnLimit["set"], used: OwnLimit["used"]): OwnLimit => ({ set, used, left: set, pending: null });
const limits = (): Limits => ({
  data: {
    loss_day: own("100.00", "20.00"), loss_7d: own(null, "-5.00"), loss_30d: own(null, "0.00"), stake_day: own(null, "0.00"), deposit_day: own(null, "0.00"),
    open_orders: own(5, 2), session: own(null, 0),
  },
  break_until: null,
  excluded_until: null,
});
const global = { plugins: [i18n], stubs: { teleport: true } };
const inDialog = <T extends HTMLElement>(selector: string): T => document.querySelector<T>(`[role=dialog] ${selector}`) as T;

describe("own limits", () => {
  it("shows what is set, used and left, and a win as being ahead", async () => {
    vi.spyOn(api, "limitsRead").mockResolvedValue(limits());
    const page = mount(LimitsPage, { global, attachTo: document.body });
    await flushPromises();
    expect(page.get("[data-limit=loss_day]").text()).toContain("20.00 USD used");
    expect(page.get("[data-limit=loss_7d]").text()).toContain("5.00 USD ahead");
    expect(page.get("[data-limit=open_orders] [role=meter]").attributes("aria-valuenow")).toBe("40");
    page.unmount();
  });

  it("says that it could not be read and reads again", async () => {
    const read = vi.spyOn(api, "limitsRead").mockRejectedValueOnce(new NoAnswer("down")).mockResolvedValueOnce(limits());
    const page = mount(LimitsPage, { global, attachTo: document.body });
    await flushPromises();
    await page.findAll("button").find((each) => each.text() === "Try again")?.trigger("click");
    await flushPromises();
    expect(read).toHaveBeenCalledTimes(2);
    expect(page.find("[data-limit=loss_day]").exists()).toBe(true);
    page.unmount();
  });

  it("lets a waiting change be confirmed only when its time has come, and be dropped at any time", async () => {
    const limit: OwnLimit = { ...own("100.00", "0.00"), pending: { value: null, confirm_from: "2999-01-01T00:00:00Z", confirm_until: "2999-01-08T00:00:00Z" } };
    const row = mount(LimitRow, { props: { name: "loss_day", limit }, global });
    const named = (text: string) => row.findAll("button").find((each) => each.text() === text);
    expect(row.text()).toContain("No limit instead of 100.00 USD");
    expect(named("Confirm")?.attributes("disabled")).toBeDefined();
    await named("Keep 100.00 USD")?.trigger("click");
    expect(row.emitted("send")).toEqual([["100.00"]]);
  });
});

describe("stop everything", () => {
  it("revokes tokens although the break could not begin, and says which did not work", async () => {
    vi.spyOn(api, "breakBegin").mockRejectedValue(new NoAnswer("down"));
    const revoke = vi.spyOn(tokens, "tokensRevokeEvery").mockResolvedValue(2);
    const dialog = mount(StopDialog, { props: { open: true, onBreak: false }, global: { plugins: [i18n] }, attachTo: document.body });
    await flushPromises();
    inDialog<HTMLInputElement>("input[type=checkbox]").click();
    await flushPromises();
    inDialog<HTMLFormElement>("form").dispatchEvent(new Event("submit", { cancelable: true }));
    await flushPromises();
    expect(revoke).toHaveBeenCalledOnce();
    expect(inDialog("[role=alert]").textContent).toContain("The break could not begin");
    dialog.unmount();
  });

  it("tells what was done", async () => {
    vi.spyOn(tokens, "tokensRevokeEvery").mockResolvedValue(2);
    const dialog = mount(StopDialog, { props: { open: true, onBreak: true }, global: { plugins: [i18n] }, attachTo: document.body });
    await flushPromises();
    inDialog<HTMLFormElement>("form").dispatchEvent(new Event("submit", { cancelable: true }));
    await flushPromises();
    expect(inDialog("[role=status]").textContent).toContain("2 tokens revoked");
    dialog.unmount();
  });
});
