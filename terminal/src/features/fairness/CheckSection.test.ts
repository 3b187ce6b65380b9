import { flushPromises, mount } from "@vue/test-utils";
import { beforeEach, describe, expect, it, vi } from "vitest";
import { createMemoryHistory, createRouter } from "vue-router";
import * as trading from "@/api/trading";
import type { Order } from "@/api/schema";
import { i18n } from "@/i18n";
import { useSession } from "@/stores/session";
import CheckSection from "./CheckSection.vue";
import { canonical, type JsonObject } from "./verify/canonical";
import { verifyRun } from "./verify/run";
import { archiveText, keysDocument, receiptDocument, sampleLog, sealed, signed } from "./verify/sample-evidence";
import type { Answer, Request } from "./verify/worker";

/** Runs the check in this thread; messages are cloned as they are on the way to a real worker. */
class InThread {
  onmessage: ((event: { data: Answer }) => void) | null = null;

  postMessage(request: Request): void {
    const { files } = structuredClone(request);
    void verifyRun(files).then((report) => this.onmessage?.({ data: { kind: "report", report } }));
  }

  terminate(): void {
    this.onmessage = null;
  }
}

const log = sampleLog();
const receipt = canonical(signed(receiptDocument(log)));
const answers: Record<string, string> = {};

async function section(path = "/fairness") {
  const router = createRouter({ history: createMemoryHistory(), routes: [{ path: "/:any(.*)*", component: { template: "<i/>" } }] });
  await router.push(path);
  const page = mount(CheckSection, { attachTo: document.body, global: { plugins: [i18n, router] } });
  await flushPromises();
  return page;
}

type Section = Awaited<ReturnType<typeof section>>;

async function give(page: Section, name: string, text: string): Promise<void> {
  const input = page.get<HTMLInputElement>("[data-testid=files]");
  Object.defineProperty(input.element, "files", { configurable: true, value: [new File([text], name)] });
  await input.trigger("change");
  await vi.waitFor(() => { expect(page.text()).toContain(name); });
}

async function check(page: Section): Promise<string | undefined> {
  await page.get("[data-testid=check]").trigger("click");
  await vi.waitFor(() => { expect(page.find("[data-testid=verify-report], [role=alert]").exists()).toBe(true); });
  return page.find("[data-testid=verify-report]").exists() ? page.get("[data-testid=verify-report]").attributes("data-verdict") : undefined;
}

beforeEach(() => {
  vi.stubGlobal("Worker", InThread);
  vi.stubGlobal("fetch", (path: string) => Promise.resolve(path in answers ? new Response(answers[path]) : new Response("{}", { status: 404 })));
  for (const path of Object.keys(answers)) Reflect.deleteProperty(answers, path);
  useSession().state = { kind: "signed-out" };
});

describe("checking files, without an account", () => {
  it("says in words what holds, moves the focus to the verdict and names it for screen readers", async () => {
    const page = await section();
    expect(page.get("[data-testid=check]").attributes("disabled")).toBeDefined();
    await give(page, "receipt.json", receipt);
    expect(await check(page)).toBe("verified");
    expect(page.text()).toContain("Won 8.50 USD: closed at 1.08541, opened at 1.08510");
    expect(page.text()).toContain("Up wins");
    expect(document.activeElement?.textContent).toBe("Verified in this browser");
    expect(page.get("[data-step=signature] .sr-only").text()).toBe("Right:");
  });

  it("says what fails in a receipt that was changed, and drops the old report with the next file", async () => {
    const page = await section();
    await give(page, "receipt.json", receipt.replace('"state":"won"', '"state":"lost"'));
    expect(await check(page)).toBe("failed");
    expect(page.get("[data-step=signature]").attributes("data-outcome")).toBe("failed");
    expect(page.text()).toContain("something in it was changed after signing");
    await give(page, "other.json", receipt);
    expect(page.find("[data-testid=verify-report]").exists()).toBe(false);
  });

  it("warns of a development key and names the time when what is pending can be proven", async () => {
    const page = await section();
    await give(page, "receipt.json", canonical(signed(receiptDocument(log, { minutes: sealed(log).slice(0, 1) }), "dev")));
    expect(await check(page)).toBe("pending");
    expect(page.find("[data-warning=dev]").exists()).toBe(true);
    expect(page.text()).toMatch(/The last minute is sealed about \d\d:\d\d:\d\d UTC/);
  });

  it("tells when the browser could not run it", async () => {
    vi.stubGlobal("Worker", undefined);
    const page = await section();
    await give(page, "receipt.json", receipt);
    await check(page);
    expect(page.get("[role=alert]").text()).toContain("The check could not run");
  });
});

describe("checking an own order", () => {
  const order = (receiptDocument(log) as { order: JsonObject }).order;
  const id = String(order["id"]);

  beforeEach(() => {
    useSession().state = { kind: "signed-in", user: { id: 1, email: "trader@example.com" } };
    vi.spyOn(trading, "ordersList").mockResolvedValue({ data: [order as unknown as Order], next_cursor: null });
    answers[`/api/v1/orders/${id}/receipt`] = receipt;
  });

  it("gets receipt, keys and the day's archive by itself when a link names the order", async () => {
    answers["/api/v1/fairness/keys"] = JSON.stringify(keysDocument());
    answers["/api/v1/fairness/archives/2026-11-29/EURUSD"] = archiveText(sealed(log));
    const page = await section(`/fairness?order=${id}`);
    await vi.waitFor(() => { expect(page.find("[data-testid=verify-report]").attributes("data-verdict")).toBe("verified"); });
    expect(page.findAll("[data-group]").map((each) => each.attributes("data-group"))).toEqual(["receipt", "archive", "keys"]);
    expect(page.get("[data-group=receipt] [data-step=archive]").attributes("data-outcome")).toBe("ok");
    expect(page.text()).toContain(`python3 fairstrike-verify.pyz receipt-${id}.json EURUSD-2026-11-29.txt --keys keys.json`);
  });

  it("checks the receipt alone where there is no archive, and says so", async () => {
    const page = await section();
    expect(await check(page)).toBe("verified");
    expect(page.text()).toContain("The archive of 2026-11-29 could not be read");
  });

  it("tells when there is no receipt", async () => {
    Reflect.deleteProperty(answers, `/api/v1/orders/${id}/receipt`);
    const page = await section();
    await check(page);
    expect(page.get("[role=alert]").text()).toContain("The receipt could not be read");
  });
});
