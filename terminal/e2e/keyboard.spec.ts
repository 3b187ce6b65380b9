import type { Locator, Page } from "@playwright/test";
import { expect, ready, test } from "./fixtures";
import { PASSWORD, signUp } from "./platform";

test.use({ trader: "nobody" });
test.setTimeout(200_000);

const TABS_MAX = 120;

/** Go on with Tab until something has the focus, and see that the focus can be seen there. */
async function tabTo(page: Page, target: Locator): Promise<void> {
  for (let each = 0; each < TABS_MAX; each += 1) {
    if (await target.evaluateAll((found) => found.some((one) => one === document.activeElement))) {
      const seen = await page.evaluate(() => {
        const style = getComputedStyle(document.activeElement ?? document.body);
        return style.outlineStyle !== "none" || style.boxShadow !== "none" || document.activeElement?.closest("label, .value, .stepper, :focus-within:not(body)") !== null;
      });
      expect(seen).toBe(true);
      return;
    }
    await page.keyboard.press("Tab");
  }
  throw new Error(`Tab does not come to ${String(target)}`);
}

async function follow(page: Page, target: Locator): Promise<void> {
  await tabTo(page, target);
  await page.keyboard.press("Enter");
}

test("log in, choose an asset, buy, open the order, see it verified and log out, all without a mouse", async ({ page }) => {
  const { email } = await signUp("keyboard");
  await page.goto("/log-in");
  await tabTo(page, page.getByLabel("E-mail"));
  await page.keyboard.type(email);
  await tabTo(page, page.locator("input[name=password]"));
  await page.keyboard.type(PASSWORD);
  await page.keyboard.press("Enter");
  await ready(page);

  await follow(page, page.getByRole("button", { name: "Choose an asset" }));
  await expect(page.getByRole("dialog")).toBeVisible();
  await page.keyboard.type("gbp");
  await page.keyboard.press("Enter");
  await expect(page.getByRole("dialog")).toHaveCount(0);

  // The buttons and groups of the ticket: one stop for each group, arrows within.
  await tabTo(page, page.locator("[data-tour=expiry] [role=radio][data-choice]"));
  for (let each = 0; each < 12 && !(await page.locator("[data-tour=expiry] [data-choice='5'][aria-checked=true]").count()); each += 1) await page.keyboard.press("ArrowLeft");
  await tabTo(page, page.getByTestId("stake"));
  await page.keyboard.press("ControlOrMeta+a");
  await page.keyboard.type("4.00");
  const answered = page.waitForResponse((each) => each.request().method() === "POST" && each.url().endsWith("/api/v1/orders"));
  await follow(page, page.getByTestId("buy-up"));
  const { id, symbol } = (await (await answered).json()) as { id: string; symbol: string };
  expect(symbol).toBe("GBPUSD");

  await expect(page.locator(`[data-testid=recent-order][data-order='${id}']`)).toBeVisible({ timeout: 40_000 });
  await follow(page, page.getByRole("link", { name: "History" }));
  await follow(page, page.locator(`main a[href*='${id}']`));
  await expect(page.getByTestId("sentence")).toContainText("GBPUSD");
  await follow(page, page.getByRole("button", { name: /^(Verify|Check)/ }));
  await expect(page.getByTestId("verify")).toHaveAttribute("data-verdict", /^(verified|pending)$/, { timeout: 40_000 });

  await follow(page, page.getByRole("button", { name: "Menu" }));
  await follow(page, page.getByRole("button", { name: "Log out" }));
  await expect(page).toHaveURL(/\/log-in/);
});
