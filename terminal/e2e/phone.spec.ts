import { buy, expect, enter, test } from "./fixtures";

test.use({ trader: "phone", viewport: { width: 390, height: 844 }, hasTouch: true });

test("on a phone: chart, sheet with thumb-sized buttons, orders behind one line", async ({ page }) => {
  await enter(page);
  for (const side of ["up", "down"]) {
    const box = await page.getByTestId(`buy-${side}`).boundingBox();
    expect(box?.height).toBeGreaterThanOrEqual(56);
    expect((box?.y ?? 0) + (box?.height ?? 0)).toBeLessThanOrEqual(844);
  }
  expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(390);

  const id = await buy(page, "down", "5.00");
  const line = page.getByTestId("positions-line");
  await expect(line).toContainText("open");
  await line.click();
  const orders = page.getByRole("dialog");
  await expect(orders.locator(`[data-testid=open-order][data-order='${id}']`).getByTestId("countdown")).toBeVisible();
  const settled = orders.locator(`[data-testid=recent-order][data-order='${id}']`);
  await expect(settled.locator("[data-result]")).toBeVisible({ timeout: 30_000 });
  await page.getByRole("button", { name: "Close" }).first().click();
  await expect(page.getByRole("dialog")).toHaveCount(0);
});
