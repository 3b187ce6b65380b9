import { balanceOf, buy, expect, enter, profitOf, test } from "./fixtures";

const STAKE = 1000n;

test("a trader buys up on demo and sees it settle without a reload", async ({ page }) => {
  await enter(page);
  await page.evaluate(() => (document.body.dataset["marker"] = "same page"));

  await expect(page.locator("[data-chart] canvas").first()).toBeVisible();
  const price = page.getByTestId("price");
  const seen = await price.innerText();
  await expect(price).not.toHaveText(seen);
  await expect(page.getByTestId("buy-up")).toContainText("Buy Up - DEMO");

  const before = await balanceOf(page);
  const id = await buy(page, "up", "10.00");
  const open = page.locator(`[data-testid=open-order][data-order='${id}']`);
  await expect(open.getByTestId("countdown")).toHaveText(/^00:0\d$/);
  await expect(open).toContainText("Up 10.00");
  await expect.poll(() => balanceOf(page)).toBe(before - STAKE);

  const settled = page.locator(`[data-testid=recent-order][data-order='${id}']`);
  await expect(settled).toBeVisible({ timeout: 30_000 });
  await expect(settled.locator("[data-result]")).toHaveText(/^(Won|Lost|Tied|Refunded)$/);
  await expect(open).toHaveCount(0);
  const profit = await profitOf(settled);
  await expect.poll(() => balanceOf(page)).toBe(before + profit);
  expect(await page.evaluate(() => document.body.dataset["marker"])).toBe("same page");
});

test("a lost connection is told, and nothing that happened meanwhile is lost", async ({ page, context }) => {
  await enter(page);
  const before = await balanceOf(page);
  const id = await buy(page, "down", "10.00");
  const open = page.locator(`[data-testid=open-order][data-order='${id}']`);

  await context.setOffline(true);
  await expect(page.locator("[data-connection=offline]")).toBeVisible();
  await expect(open).toContainText("Result pending");
  await expect(open).toContainText("will settle without you");
  await expect(page.getByTestId("buy-up")).toBeDisabled();
  await expect(page.getByTestId("ticket-notice")).toContainText("Connection lost");
  await expect(open.getByTestId("countdown")).toHaveText("00:00");
  await expect(open).toBeVisible();

  await context.setOffline(false);
  await expect(page.locator("[data-connection=live]")).toBeVisible({ timeout: 30_000 });
  const settled = page.locator(`[data-testid=recent-order][data-order='${id}']`);
  await expect(settled).toBeVisible({ timeout: 30_000 });
  const profit = await profitOf(settled);
  await expect.poll(() => balanceOf(page)).toBe(before + profit);
  await expect(page.getByTestId("buy-up")).toBeEnabled();
});

test("an order that the rules refuse costs nothing and keeps what was entered", async ({ page }) => {
  await enter(page);
  await page.getByTestId("stake").fill("0.50");
  await expect(page.getByText("The smallest stake is 1.00 USD")).toBeVisible();
  await expect(page.getByTestId("buy-up")).toBeDisabled();
  await page.locator("[data-account=real]").click();
  await expect(page.getByTestId("buy-up")).toContainText("Buy Up - REAL");
  await page.getByTestId("stake").fill("5.00");
  await expect(page.getByText("More than the balance of 0.00 USD")).toBeVisible();
  await expect(page.getByTestId("stake")).toHaveValue("5.00");
  await page.locator("[data-account=tournament]").click();
  await expect(page.getByTestId("ticket-notice")).toContainText("There is no Tournament account to trade from.");
  await page.locator("[data-account=demo]").click();
  await expect(page.getByTestId("buy-up")).toBeEnabled();
});

test("the asset dialog finds and chooses by keyboard", async ({ page }) => {
  await enter(page);
  await page.getByRole("button", { name: "Choose an asset" }).click();
  await expect(page.getByLabel("Search by code or name")).toBeFocused();
  await page.keyboard.type("gbp");
  await expect(page.getByText("1 asset", { exact: true })).toBeVisible();
  await page.keyboard.press("Enter");
  await expect(page.getByRole("dialog")).toHaveCount(0);
  await expect(page.locator("[data-symbol=GBPUSD]")).toHaveAttribute("aria-pressed", "true");
  await expect(page.locator("[data-chart=ready]")).toBeVisible();
});
