import { flushPromises, mount, type VueWrapper } from "@vue/test-utils";
import { beforeEach, describe, expect, it, vi } from "vitest";
import { createMemoryHistory, createRouter, type RouteRecordRaw, type Router } from "vue-router";
import * as api from "@/api/bridge";
import { ApiProblem, NoAnswer } from "@/api/problem";
import * as security from "@/api/security";
import { i18n } from "@/i18n";
import { symbolWith } from "@/test-data";
import { useBridgeAlerts } from "@/stores/bridge-alerts";
import { useClock } from "@/stores/clock";
import { useSymbols } from "@/stores/symbols";
import { useReauthQuestion } from "../security/reauth";
import AlertsPage from "./AlertsPage.vue";
import AttributionPage from "./AttributionPage.vue";
import CommandsSection from "./CommandsSection.vue";
import ConnectDialog from "./ConnectDialog.vue";
import InstallationsPage from "./InstallationsPage.vue";
import KeysSection from "./KeysSection.vue";
import LimitsSection from "./LimitsSection.vue";
import ParametersSection from "./ParametersSection.vue";
import { bridgeRoutes } from "./pages";
import SignalPage from "./SignalPage.vue";
import SignalsPage from "./SignalsPage.vue";
import { codeWords } from "./signal-words";
import StateSection from "./StateSection.vue";
import SymbolsPage from "./SymbolsPage.vue";
import { alertWith, detailWith, installationWith, keyWith, limitsWith, rowWith, signalWith, unknownWith } from "./test-documents";

const blank = { template: "<p />" };
let router: Router;

const problem = (code: string, status = 409): ApiProblem => new ApiProblem({ type: "", title: "Refused.", status, detail: "", code, request_id: "", retryable: false, errors: [] });
const page = async (component: object, props: Record<string, unknown> = {}): Promise<VueWrapper> => {
  const wrapper = mount(component, { props, global: { plugins: [i18n, router] }, attachTo: document.body });
  await flushPromises();
  return wrapper;
};
const dialog = (): HTMLElement => document.querySelector<HTMLElement>("[role=dialog]") as HTMLElement;
const press = async (within: ParentNode, text: string): Promise<void> => {
  [...within.querySelectorAll("button")].find((each) => each.textContent.trim() === text || each.getAttribute("aria-label") === text)?.click();
  await flushPromises();
};
const fill = (name: string, value: string): void => {
  const field = dialog().querySelector<HTMLInputElement>(`[name="${name}"]`) as HTMLInputElement;
  field.value = value;
  field.dispatchEvent(new Event("input"));
};
const submit = async (): Promise<void> => {
  dialog().querySelector("form")?.dispatchEvent(new Event("submit"));
  await flushPromises();
};

beforeEach(async () => {
  router = createRouter({ history: createMemoryHistory(), routes: [...(bridgeRoutes.children ?? []).map((each) => ({ ...each, path: `/bridge/${each.path}`, component: blank }) as RouteRecordRaw), { path: "/orders/:id", name: "order", component: blank }] });
  await router.push("/bridge");
});

describe("installations", () => {
  it("tell what they are, where their orders go, and what became of their signals", async () => {
    vi.spyOn(api, "installationsList").mockResolvedValue([installationWith(), installationWith({ id: "8", account: "2", online: false, last_seen_at: null, keys: [], state: { state: "halted", reason: "Holiday", at: null } })]);
    const cards = (await page(InstallationsPage)).findAll("[data-installation]");
    expect(cards[0]?.text()).toContain("Online over TCP");
    expect(cards[0]?.text()).toMatch(/Demo.*1 key in force.*120 received.*110.*accepted|Demo.*1 key in force.*120 received.*accepted.*110/);
    expect(cards[1]?.text()).toMatch(/Halted.*not seen yet.*No key in force.*Holiday/);
  });

  it("say that there are none, or that they could not be read, and read again", async () => {
    const read = vi.spyOn(api, "installationsList").mockRejectedValueOnce(new NoAnswer("down")).mockResolvedValue([]);
    const shown = await page(InstallationsPage);
    expect(shown.text()).toContain("This could not be read");
    await press(shown.element, "Try again");
    expect(shown.text()).toContain("No terminal yet");
    expect(read).toHaveBeenCalledTimes(2);
  });
});

describe("connecting a terminal", () => {
  it("wants account and server, then shows a code until a key appears", async () => {
    const known = installationWith({ keys: [] });
    const add = vi.spyOn(api, "installationAdd").mockResolvedValue(known);
    const begin = vi.spyOn(api, "pairingBegin").mockResolvedValue({ code: "7QKX-M2PD-9ARN", expires_at: new Date(useClock().nowMs + 600_000).toISOString() });
    vi.spyOn(api, "installationsList").mockResolvedValueOnce([known]).mockResolvedValue([installationWith()]);
    await page(ConnectDialog, { open: true });
    await submit();
    expect(dialog().textContent.match(/Fill this in/g)).toHaveLength(2);
    expect(add).not.toHaveBeenCalled();
    fill("account", " 50012345 ");
    fill("server", "Broker-Demo");
    fill("networks", "203.0.113.7\n198.51.100.0/24");
    await submit();
    expect(add).toHaveBeenCalledWith({ account: "50012345", server: "Broker-Demo", ledger: "demo" });
    expect(begin).toHaveBeenCalledWith("7", { ledgers: ["demo"], networks: ["203.0.113.7", "198.51.100.0/24"] });
    expect(dialog().querySelector("[data-testid=pairing-code]")?.textContent).toBe("7QKX-M2PD-9ARN");
    expect(dialog().textContent).toContain("Good for 10:00, once");
    await vi.waitFor(() => { expect(dialog().querySelector("[data-testid=paired]")).not.toBeNull(); }, { timeout: 4000 });
    expect(dialog().querySelector("[data-testid=pairing-code]")).toBeNull();
  });

  it("keeps what was typed when the server refuses, in our words", async () => {
    vi.spyOn(api, "installationAdd").mockRejectedValue(problem("ea.installation_exists"));
    await page(ConnectDialog, { open: true });
    fill("account", "1");
    fill("server", "S");
    await submit();
    expect(dialog().textContent).toContain("registered already");
    expect(dialog().querySelector<HTMLInputElement>("[name=account]")?.value).toBe("1");
  });

  it("asks who this is when the server wants to know, and sends again after the proof", async () => {
    vi.spyOn(api, "installationAdd").mockResolvedValue(installationWith({ ledger: "real", keys: [] }));
    vi.spyOn(api, "installationsList").mockResolvedValue([]);
    vi.spyOn(security, "authenticatorsList").mockResolvedValue([{ type: "totp", created_at: 0, last_used_at: null }]);
    const begin = vi.spyOn(api, "pairingBegin").mockRejectedValueOnce(problem("auth.reauthentication", 403)).mockResolvedValue({ code: "A", expires_at: "2026-11-30T10:00:00.000Z" });
    await page(ConnectDialog, { open: true });
    fill("account", "1");
    fill("server", "S");
    await submit();
    const { question, settle } = useReauthQuestion();
    expect(question.value?.factors).toEqual(["code"]);
    settle(true);
    await flushPromises();
    expect(begin).toHaveBeenCalledTimes(2);
    expect(dialog().textContent).toContain("The code has run out");
  });
});

describe("keys", () => {
  it("show a secret once, as the line of the key file", async () => {
    const create = vi.spyOn(api, "keyCreate").mockResolvedValue({ key: keyWith({ kid: "ea_new" }), secret: "s3cret", old_valid_until: null });
    const shown = await page(KeysSection, { installation: installationWith() });
    await press(shown.element, "Create a key");
    await submit();
    expect(create).toHaveBeenCalledWith("7", { scopes: ["source"], ledgers: ["demo"], networks: [], valid_days: 90 });
    expect(document.querySelector("[data-testid=key-secret]")?.textContent).toBe("ea_new s3cret");
    expect(shown.emitted("changed")).toHaveLength(1);
    await press(document.body, "I have kept it");
    expect(document.body.textContent).not.toContain("s3cret");
  });

  it("are revoked after a question, and a refusal stays in it", async () => {
    const revoke = vi.spyOn(api, "keyRevoke").mockRejectedValueOnce(problem("ea.key_ended")).mockResolvedValueOnce(keyWith({ in_force: false }));
    const { kid } = keyWith();
    const shown = await page(KeysSection, { installation: installationWith({ keys: [keyWith(), keyWith({ kid: "old", in_force: false, revoked_at: "2026-11-30T08:00:00.000Z" })] }) });
    expect(shown.findAll("[data-key]").map((each) => each.attributes("data-key"))).toEqual([kid, "old"]);
    expect(shown.find("[aria-label='Revoke old']").exists()).toBe(false);
    await press(shown.element, `Revoke ${kid}`);
    expect(revoke).not.toHaveBeenCalled();
    await press(dialog(), "Revoke");
    expect(dialog().textContent).toContain("not in force any more");
    await press(dialog(), "Revoke");
    expect(revoke).toHaveBeenLastCalledWith(kid);
    expect(shown.emitted("changed")).toHaveLength(1);
  });

  it("tell until when the old one works after a rotation", async () => {
    vi.spyOn(api, "keyRotate").mockResolvedValue({ key: keyWith({ kid: "ea_next" }), secret: "x", old_valid_until: "2026-12-02T08:00:00.000Z" });
    const shown = await page(KeysSection, { installation: installationWith() });
    await press(shown.element, `Rotate ${keyWith().kid}`);
    await press(dialog(), "Rotate");
    expect(document.body.textContent).toContain("The old key works until 2 Dec 2026");
  });
});

describe("what holds for an installation", () => {
  it("is switched with a reason only", async () => {
    vi.spyOn(api, "statesList").mockResolvedValue([{ scope: "symbol", name: "EURUSD", state: "halted", reason: "Feed", at: null }]);
    const set = vi.spyOn(api, "stateSet").mockResolvedValue(null);
    const shown = await page(StateSection, { installation: installationWith() });
    expect(shown.text()).toContain("EURUSD, for everybody");
    await press(shown.element, "Halted");
    await shown.get("form").trigger("submit");
    expect(shown.text()).toContain("Say why");
    expect(set).not.toHaveBeenCalled();
    await shown.get("[name=reason]").setValue(" Holiday ");
    await shown.get("form").trigger("submit");
    await flushPromises();
    expect(set).toHaveBeenCalledWith("7", { state: "halted", reason: "Holiday" });
  });

  it("lists limits, changes them by version, and ends a stop with a reason", async () => {
    const stop = { stop: "loss_day", wallet_id: "w1", ledger: "demo" as const, tripped: true, reason: "", at: "2026-11-30T10:00:00.000Z", lost: "81.00", limit: "80.00" };
    vi.spyOn(api, "riskLimitsRead").mockResolvedValue(limitsWith({ version: 4, hard: { loss_day: "80.00" }, soft: { stake_max: "10.00" }, state_of_stops: [stop] }));
    const write = vi.spyOn(api, "riskLimitsWrite").mockRejectedValueOnce(problem("limits.changed")).mockResolvedValueOnce(limitsWith());
    const reset = vi.spyOn(api, "stopReset").mockResolvedValue(limitsWith());
    const shown = await page(LimitsSection, { installationId: "7" });
    expect(shown.get("[data-stop=loss_day]").text()).toContain("Lost 81.00, the limit is 80.00.");
    await press(shown.element, "Change limits");
    fill("hard.stake_max", "x");
    await submit();
    expect(write).not.toHaveBeenCalled();
    fill("hard.stake_max", "25");
    await submit();
    expect(dialog().textContent).toContain("Somebody changed the limits meanwhile");
    await submit();
    expect(write).toHaveBeenLastCalledWith("7", { version: 4, soft: { stake_max: "10.00" }, hard: { stake_max: "25", loss_day: "80.00" } });
    await press(shown.element, "Start anew");
    fill("reason", "New day");
    await submit();
    expect(reset).toHaveBeenCalledWith("7", { stop: "loss_day", wallet_id: "w1", reason: "New day" });
  });

  it("sends parameters as a whole and tells how far the expert is", async () => {
    vi.spyOn(api, "parametersRead").mockResolvedValue({ rev: 3, values: { stake: "2.00", on: true }, at: null, acked_rev: 2, acked_at: "2026-11-30T10:00:00.000Z" });
    const write = vi.spyOn(api, "parametersWrite").mockResolvedValue({ rev: 4, values: {}, at: null, acked_rev: 2, acked_at: null });
    const shown = await page(ParametersSection, { installation: installationWith({ params_revs: { breakout: 3 } }) });
    await press(shown.element, "Edit the parameters of breakout");
    expect(dialog().textContent).toContain("still works with revision 2");
    await press(dialog(), "Remove on");
    await submit();
    expect(write).toHaveBeenCalledWith("7", "breakout", { stake: "2.00" });
  });

  it("drops what waits only after a question", async () => {
    const send = vi.spyOn(api, "commandSend").mockResolvedValue(9);
    const shown = await page(CommandsSection, { installationId: "7" });
    await press(shown.element, "Drop what waits");
    expect(send).not.toHaveBeenCalled();
    await press(dialog(), "Drop what waits");
    expect(send).toHaveBeenCalledWith("7", "flush");
    await press(shown.element, "Pause");
    expect(send).toHaveBeenLastCalledWith("7", "pause");
  });
});

describe("signals", () => {
  it("stand with their result, the reason in words, and where the time went", async () => {
    vi.spyOn(api, "installationsList").mockResolvedValue([]);
    const read = vi.spyOn(api, "signalsList").mockResolvedValue({ data: [signalWith(), signalWith({ event_id: "2", state: "denied", code: "risk.halted", order_id: null, latency: null, repeats: 3 }), signalWith({ event_id: "3", state: "settled", code: "won" })], next_cursor: null });
    const shown = await page(SignalsPage);
    expect(shown.get("[role=img]").attributes("aria-label")).toBe("Where the time went: Signal 4.00 ms, Transport 6.50 ms, Log 2.50 ms, Checks and queue 3.00 ms, Placement 4.00 ms");
    expect(shown.text()).toContain("Halted, by a switch of yours or of the platform.");
    expect(shown.text()).toContain("came again 3 times");
    expect(shown.find("[data-result=won]").exists()).toBe(true);
    await shown.get("select").setValue("");
    await router.push({ query: { state: "denied" } });
    await flushPromises();
    expect(read.mock.lastCall?.[0]).toMatchObject({ state: "denied" });
    shown.unmount();
  });

  it("show every step and the exact bytes", async () => {
    vi.spyOn(api, "signalRead").mockResolvedValue(detailWith());
    await router.push("/bridge/signals/1");
    const shown = await page(SignalPage);
    expect(shown.text()).toContain("6.50 ± 1.25 ms");
    expect(shown.findAll("ol li").map((each) => each.text())).toEqual([expect.stringContaining("Received"), expect.stringContaining("Denied. Halted, by a switch")]);
    expect(shown.get("pre").text()).toBe('{"v":1,"symbol":"EURUSD.m"}');
  });

  it("say so when there is no such signal", async () => {
    vi.spyOn(api, "signalRead").mockRejectedValue(problem("not_found", 404));
    expect((await page(SignalPage)).text()).toContain("There is no such signal");
  });

  it("tell a code that is not known as it is", () => {
    const [t, te] = [i18n.global.t, i18n.global.te];
    expect(codeWords("market.stale", "EURUSD", t, te)).toContain("newest price was too old");
    expect(codeWords("symbol.unknown", "GOLD.m", t, te)).toContain("GOLD.m");
    expect(codeWords("risk.later", "EURUSD", t, te)).toBe("risk.later");
  });
});

describe("attribution", () => {
  it("draws all bars on one scale and keeps repeats apart", async () => {
    vi.spyOn(api, "installationsList").mockResolvedValue([]);
    vi.spyOn(api, "attributionRead").mockResolvedValue({ at: "2026-11-30T10:00:00.000Z", window: "1h", rows: [rowWith(), rowWith({ symbol: "GBPUSD", signals: 1, repeated: 0 })] });
    const shown = await page(AttributionPage);
    const card = shown.get("[data-symbol=EURUSD]");
    expect(card.text()).toContain("2 came again, not counted in the times");
    expect(card.text()).toContain("+1.5 points");
    expect(shown.text()).toContain("All bars have one scale: 20 ms");
    expect(card.get("[role=img]").attributes("aria-label")).toContain("Transport 10.0 ms");
    expect(card.find("[role=img] .part-transport").attributes("style")).toContain("width: 50%");
    shown.unmount();
  });

  it("keeps the last figures and says that they are not renewed when the server is silent", async () => {
    vi.spyOn(api, "installationsList").mockResolvedValue([]);
    vi.spyOn(api, "attributionRead").mockResolvedValueOnce({ at: "2026-11-30T10:00:00.000Z", window: "1h", rows: [rowWith()] }).mockRejectedValue(new NoAnswer("down"));
    const shown = await page(AttributionPage);
    await vi.waitFor(() => { expect(shown.text()).toContain("Not renewed"); }, { timeout: 4000 });
    expect(shown.find("[data-symbol=EURUSD]").exists()).toBe(true);
    shown.unmount();
  });
});

describe("names of symbols", () => {
  it("wait for a meaning, with the likely one chosen", async () => {
    useSymbols().byCode.set("XAUUSD", symbolWith({ code: "XAUUSD", name: "Gold" }));
    vi.spyOn(api, "installationsList").mockResolvedValue([installationWith()]);
    vi.spyOn(api, "unknownSymbols").mockResolvedValueOnce([unknownWith()]).mockResolvedValue([]);
    vi.spyOn(api, "aliasesList").mockResolvedValue([{ id: "1", installation_id: null, raw: "US30", symbol: "DJI" }]);
    const add = vi.spyOn(api, "aliasAdd").mockResolvedValue({ id: "2", installation_id: "7", raw: "GOLD.m", symbol: "XAUUSD" });
    const shown = await page(SymbolsPage);
    expect(shown.text()).toContain("50012345 at Broker-Demo");
    // A name that holds for every broker is not this owner's to remove.
    expect(shown.find("[aria-label='Remove US30']").exists()).toBe(false);
    await press(shown.element, "Name GOLD.m");
    expect(dialog().querySelector("[aria-pressed=true]")?.textContent.trim()).toBe("XAUUSD");
    await submit();
    expect(add).toHaveBeenCalledWith({ installation_id: "7", raw: "GOLD.m", symbol: "XAUUSD" });
    expect(shown.text()).toContain("Every name is known");
    expect(shown.emitted("named")).toHaveLength(1);
    shown.unmount();
  });
});

describe("alerts", () => {
  it("have been looked at when they stand there, and the list grows by what comes meanwhile", async () => {
    const read = vi.spyOn(api, "alertsList").mockResolvedValueOnce({ data: [alertWith()], next_cursor: null }).mockResolvedValueOnce({ data: [alertWith({ id: "a2", at: "2026-11-30T10:05:00.000Z" }), alertWith()], next_cursor: null });
    const unseen = useBridgeAlerts();
    unseen.apply({ ...alertWith(), account: "50012345", server: "Broker-Demo" });
    expect(unseen.unseen).toBe(1);
    const shown = await page(AlertsPage);
    expect(unseen.unseen).toBe(0);
    unseen.apply({ ...alertWith({ id: "a2", at: "2026-11-30T10:05:00.000Z" }), account: "50012345", server: "Broker-Demo" });
    await flushPromises();
    expect(read).toHaveBeenCalledTimes(2);
    expect([shown.findAll("[data-alert]").length, unseen.unseen]).toEqual([2, 0]);
  });

  it("stand in words, and a kind that is not known by its name", async () => {
    vi.spyOn(api, "alertsList").mockResolvedValue({ data: [alertWith(), alertWith({ id: "a2", kind: "later" })], next_cursor: null });
    const shown = await page(AlertsPage);
    expect(shown.findAll("[data-alert]").map((each) => each.text())).toEqual([expect.stringContaining("A new address uses the key"), expect.stringContaining("later")]);
  });
});
