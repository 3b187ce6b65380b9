import { flushPromises, mount, type VueWrapper } from "@vue/test-utils";
import { beforeEach, describe, expect, it, vi } from "vitest";
import { createMemoryHistory, createRouter, type RouteRecordRaw, type Router } from "vue-router";
import * as api from "@/api/bridge";
import { ApiProblem, NoAnswer } from "@/api/problem";
import { i18n } from "@/i18n";
import HookDialog from "./HookDialog.vue";
import HooksPage from "./HooksPage.vue";
import { bridgeRoutes } from "./pages";
import { hookWith, installationWith } from "./test-documents";

const blank = { template: "<p />" };
let router: Router;

const problem = (code: string, status = 422, errors: ApiProblem["body"]["errors"] = []): ApiProblem => new ApiProblem({ type: "", title: "Refused.", status, detail: "", code, request_id: "", retryable: false, errors });
const page = async (component: object, props: Record<string, unknown> = {}): Promise<VueWrapper> => {
  const wrapper = mount(component, { props, global: { plugins: [i18n, router] }, attachTo: document.body });
  await flushPromises();
  return wrapper;
};
const dialog = (): HTMLElement => document.querySelector<HTMLElement>("[role=dialog]") as HTMLElement;
const shownOf = (id: string): string => dialog().querySelector(`[data-testid=${id}] pre`)?.textContent ?? "";
const press = async (within: ParentNode, text: string): Promise<void> => {
  [...within.querySelectorAll("button")].find((each) => each.textContent.trim() === text || each.getAttribute("aria-label") === text)?.click();
  await flushPromises();
};
const fill = async (name: string, value: string): Promise<void> => {
  const field = dialog().querySelector<HTMLInputElement>(`[name="${name}"]`) as HTMLInputElement;
  field.value = value;
  field.dispatchEvent(new Event("input"));
  await flushPromises();
};
const submit = async (): Promise<void> => {
  dialog().querySelector("form")?.dispatchEvent(new Event("submit"));
  await flushPromises();
};

beforeEach(async () => {
  router = createRouter({ history: createMemoryHistory(), routes: (bridgeRoutes.children ?? []).map((each) => ({ ...each, path: `/bridge/${each.path}`, component: blank }) as RouteRecordRaw) });
  await router.push("/bridge");
});

describe("connecting TradingView", () => {
  it("needs no terminal: one dialog makes the place and the hook, and shows address and message once, until an alert has come", async () => {
    const own = installationWith({ id: "9", account: "TradingView", server: "demo", keys: [] });
    const add = vi.spyOn(api, "installationAdd").mockResolvedValue(own);
    const made = { ...hookWith({ name: "cross" }), url: "https://trade.example.com/ea/v1/hook/t0ken", secret: "s3cret" };
    const create = vi.spyOn(api, "hookCreate").mockResolvedValue(made);
    vi.spyOn(api, "hooksList").mockResolvedValueOnce([hookWith({ name: "cross" })]).mockResolvedValue([hookWith({ name: "cross", last_used_at: "2026-11-30T10:00:00.000Z" })]);
    const shown = await page(HookDialog, { open: true, installations: [] });
    await fill("name", " cross ");
    await submit();
    expect(add).toHaveBeenCalledWith({ account: "TradingView", server: "demo", ledger: "demo" });
    expect(create).toHaveBeenCalledWith("9", { name: "cross", ledgers: ["demo"], networks: [], with_secret: true });
    expect(shown.emitted("created")).toHaveLength(1);
    expect(shownOf("hook-url")).toBe("https://trade.example.com/ea/v1/hook/t0ken");
    expect(JSON.parse(shownOf("hook-message"))).toMatchObject({ secret: "s3cret", strategy: "cross", action: "{{strategy.order.action}}", stake: "10.00", expiry_s: 60 });
    expect(dialog().textContent).not.toContain("cannot reach");
    await press(dialog(), "An indicator");
    await press(dialog(), "Down");
    await fill("stake", "x");
    expect(dialog().textContent).toContain("Above zero");
    await fill("stake", "2.50");
    expect(JSON.parse(shownOf("hook-message"))).toMatchObject({ action: "put", stake: "2.50" });
    await vi.waitFor(() => { expect(dialog().querySelector("[data-testid=hook-came]")).not.toBeNull(); }, { timeout: 4000 });
  });

  it("says when TradingView cannot reach the address", async () => {
    vi.spyOn(api, "hooksList").mockResolvedValue([]);
    vi.spyOn(api, "installationAdd").mockResolvedValue(installationWith());
    vi.spyOn(api, "hookCreate").mockResolvedValue({ ...hookWith({ has_secret: false }), url: "http://127.0.0.1:8000/ea/v1/hook/t", secret: null });
    await page(HookDialog, { open: true, installations: [] });
    await submit();
    expect(dialog().textContent).toContain("TradingView cannot reach this address");
    expect(JSON.parse(shownOf("hook-message"))).not.toHaveProperty("secret");
  });

  it.each([
    ["ea.hook.refused", "as many hooks as there can be"],
    ["ea.installations_full", "as many installations as there can be"],
    ["ea.installation_exists", "registered already"],
    ["auth.ledger", "may not be done for that account"],
  ])("tells %s in our words and keeps what was typed", async (code, words) => {
    vi.spyOn(api, "installationAdd").mockResolvedValue(installationWith());
    vi.spyOn(api, "hookCreate").mockRejectedValue(problem(code));
    await page(HookDialog, { open: true, installations: [] });
    await fill("name", "cross");
    await submit();
    expect(dialog().textContent).toContain(words);
    expect(dialog().querySelector<HTMLInputElement>("[name=name]")?.value).toBe("cross");
  });

  it("puts what is wrong with the addresses to their field", async () => {
    vi.spyOn(api, "installationAdd").mockResolvedValue(installationWith());
    vi.spyOn(api, "hookCreate").mockRejectedValue(problem("request.invalid", 400, [{ field: "networks", code: "invalid", message: "nowhere is neither an address nor a CIDR network" }]));
    await page(HookDialog, { open: true, installations: [] });
    await fill("networks", "nowhere");
    await submit();
    expect(dialog().textContent).toContain("nowhere is neither an address");
  });
});

describe("hooks", () => {
  it("say that there are none, or that they could not be read", async () => {
    vi.spyOn(api, "installationsList").mockRejectedValueOnce(new NoAnswer("down")).mockResolvedValue([installationWith()]);
    vi.spyOn(api, "hooksList").mockResolvedValue([]);
    const shown = await page(HooksPage);
    expect(shown.text()).toContain("This could not be read");
    await press(shown.element, "Try again");
    expect(shown.text()).toContain("No hook yet");
    shown.unmount();
  });

  it("stand with their installation, those in force first, and end only after a question", async () => {
    vi.spyOn(api, "installationsList").mockResolvedValue([installationWith(), installationWith({ id: "8" })]);
    const ended = hookWith({ id: "hook_2", name: "", in_force: false, revoked_at: "2026-11-30T09:00:00.000Z", made_at: "2026-11-30T08:30:00.000Z" });
    vi.spyOn(api, "hooksList").mockImplementation((id) => Promise.resolve(id === "7" ? [ended, hookWith({ networks: ["52.89.214.238"] })] : []));
    const end = vi.spyOn(api, "hookEnd").mockRejectedValueOnce(problem("not_found", 404)).mockResolvedValueOnce(null);
    const shown = await page(HooksPage);
    expect(shown.findAll("[data-hooks-of]")).toHaveLength(1);
    expect(shown.findAll("[data-hook]").map((each) => each.attributes("data-hook"))).toEqual([hookWith().id, "hook_2"]);
    expect(shown.text()).toContain("52.89.214.238, with the secret");
    expect(shown.find("[aria-label='End Hook without a name']").exists()).toBe(false);
    await press(shown.element, "End breakout");
    expect(end).not.toHaveBeenCalled();
    await press(dialog(), "End");
    expect(dialog().textContent).toContain("Refused.");
    await press(dialog(), "End");
    expect(end).toHaveBeenLastCalledWith("7", hookWith().id);
    expect(document.querySelector("[role=dialog]")).toBeNull();
    shown.unmount();
  });

  it("give their message again, with a place for the secret that is shown nowhere", async () => {
    vi.spyOn(api, "installationsList").mockResolvedValue([installationWith()]);
    vi.spyOn(api, "hooksList").mockResolvedValue([hookWith()]);
    const shown = await page(HooksPage);
    await press(shown.element, "Message for breakout");
    expect(JSON.parse(shownOf("hook-message"))).toMatchObject({ secret: "...", strategy: "breakout" });
    expect(dialog().querySelector("[data-testid=hook-url]")).toBeNull();
    shown.unmount();
  });
});
