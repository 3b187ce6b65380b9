import { test as base, expect, type Browser, type Locator, type Page } from "@playwright/test";
import chromium from "@sparticuz/chromium";
import { chromium as driver } from "playwright-core";
import { stateOf } from "./people";

// There is no graphics card here, and one that is only reckoned costs three times the processor of drawing without.
chromium.setGraphicsMode = false;

/** The packaged browser starts on a bare machine; one process per page is needed for several contexts. */
export async function launch(...more: string[]): Promise<Browser> {
  const args = chromium.args.filter((each) => each !== "--single-process");
  return driver.launch({ executablePath: await chromium.executablePath(), args: [...args, "--no-sandbox", ...more], headless: true });
}

interface Watched {
  /** Who sits before the page; each has an account of their own. Nobody has none. */
  trader: string;
  /** Everything on the page that must never happen: script errors, policy violations, requests to strangers. */
  faults: string[];
}

/** Note what must never happen on a page. */
export function watchFaults(page: Page, baseURL: string): string[] {
  const faults: string[] = [];
  const host = new URL(baseURL).host;
  page.on("pageerror", (error) => faults.push(error.message));
  page.on("console", (message) => {
    if (message.text().includes("Content Security Policy")) faults.push(message.text());
  });
  page.on("request", (request) => {
    const url = new URL(request.url());
    if (url.protocol.startsWith("http") && url.host !== host) faults.push(`request to ${url.host}`);
  });
  return faults;
}

export const test = base.extend<Watched, { browser: Browser }>({
  browser: [
    async ({}, use) => {
      const browser = await launch();
      await use(browser);
      await browser.close();
    },
    { scope: "worker" },
  ],
  trader: ["journey", { option: true }],
  storageState: async ({ trader }, use) => {
    await use(trader === "nobody" ? { cookies: [], origins: [] } : await stateOf(trader));
  },
  faults: [
    async ({ page, baseURL }, use) => {
      const faults = watchFaults(page, baseURL ?? "");
      await use(faults);
      expect(faults).toEqual([]);
    },
    { auto: true },
  ],
});

export { expect };

/** Open the terminal with the kept session and wait for a drawn chart. */
export async function enter(page: Page, path = "/"): Promise<void> {
  await page.goto(path);
  await ready(page);
}

export async function ready(page: Page): Promise<void> {
  await expect(page.locator("[data-chart=ready]").first()).toBeVisible({ timeout: 60_000 });
  await expect(page.locator("[data-connection=live]")).toBeVisible();
}

/** A figure on the page in minor units, whatever separators and signs it is written with. */
export function minorOf(text: string): bigint {
  const digits = /([+\u2212-]?)([\d,.\u00a0\u202f]*\d)[.,](\d\d)/.exec(text);
  if (!digits) throw new Error(`no amount in ${text}`);
  const value = BigInt(`${(digits[2] ?? "").replace(/\D/g, "")}${digits[3] ?? ""}`);
  return digits[1] === "\u2212" || digits[1] === "-" ? -value : value;
}

export async function balanceOf(page: Page, testId = "balance"): Promise<bigint> {
  return minorOf(await page.getByTestId(testId).innerText());
}

/** Buy for five seconds and answer the new order's id. */
export async function buy(page: Page, direction: "up" | "down", stake: string): Promise<string> {
  await page.locator("[data-tour=expiry] [data-choice='5']").click();
  await page.getByTestId("stake").fill(stake);
  return press(page, direction);
}

/** Press a buy button and answer the id of the order that was accepted. */
export async function press(page: Page, direction: "up" | "down"): Promise<string> {
  const answered = page.waitForResponse((each) => each.request().method() === "POST" && each.url().endsWith("/api/v1/orders"));
  await page.getByTestId(`buy-${direction}`).click();
  const answer = await answered;
  expect(answer.status(), await answer.text()).toBe(201);
  return ((await answer.json()) as { id: string }).id;
}

/** Choose an asset by the dialog, as one does who knows its code. */
export async function chooseAsset(page: Page, code: string): Promise<void> {
  await page.getByRole("button", { name: "Choose an asset" }).first().click();
  await page.getByRole("combobox").first().fill(code);
  await page.keyboard.press("Enter");
  await expect(page.getByRole("dialog")).toHaveCount(0);
}

/** The row of an order where its result stands. */
export async function settledRow(page: Page, id: string): Promise<Locator> {
  const row = page.locator(`[data-testid=recent-order][data-order='${id}']`);
  await expect(row).toBeVisible({ timeout: 40_000 });
  return row;
}

/** What a settled row says was gained or lost: its last amount. */
export async function profitOf(row: Locator): Promise<bigint> {
  const amounts = (await row.innerText()).match(/[+\u2212-]?[\d,]+\.\d\d(?!\d)/g);
  return minorOf(amounts?.at(-1) ?? "");
}
