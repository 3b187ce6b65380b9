import { buy, expect, enter, test } from "./fixtures";

test.use({ trader: "fairness" });

test("a trader checks an own result in the browser, and a changed receipt fails", async ({ page }) => {
  await enter(page);
  const id = await buy(page, "up", "5.00");
  await expect(page.locator(`[data-testid=recent-order][data-order='${id}']`)).toBeVisible({ timeout: 30_000 });

  await page.getByRole("link", { name: "Fairness" }).click();
  await page.locator(`[data-order='${id}']`).click();
  await page.getByTestId("check").click();
  const report = page.getByTestId("verify-report");
  // Whether the minute of the youngest tick is sealed already depends on the second in which this runs.
  await expect(report).toHaveAttribute("data-verdict", /^(verified|pending)$/, { timeout: 20_000 });
  for (const step of ["signature", "prices", "closing", "outcome", "money", "transfers"]) {
    await expect(report.locator(`[data-group=receipt] [data-step=${step}]`)).toHaveAttribute("data-outcome", step === "closing" ? /^(ok|pending)$/ : "ok");
  }
  await expect(report.locator("[data-group=archive] [data-outcome=failed]")).toHaveCount(0);
  await expect(report.locator("[data-heading]")).toBeFocused();

  const receipt = await (await page.request.get(`/api/v1/orders/${id}/receipt`)).text();
  const changed = receipt.replace('"payout_percent":', '"payout_percent":1');
  await page.getByRole("radio", { name: "Files I have" }).click();
  await page.getByTestId("files").setInputFiles({ name: "receipt.json", mimeType: "application/json", buffer: Buffer.from(changed) });
  await page.getByTestId("check").click();
  await expect(report).toHaveAttribute("data-verdict", "failed", { timeout: 20_000 });
  await expect(report.locator("[data-step=signature]")).toHaveAttribute("data-outcome", "failed");
});

test.describe("without an account", () => {
  test.use({ trader: "nobody" });

  test("the evidence is open to whoever has no account, on a phone too", async ({ page }) => {
    await page.setViewportSize({ width: 390, height: 844 });
    await page.goto("/log-in");
    await page.getByRole("link", { name: "See the evidence and check a result" }).click();
    await expect(page.getByRole("heading", { name: "Fairness", level: 1 })).toBeVisible();
    await expect(page.getByText("Drop a receipt here")).toBeVisible();
    await page.locator("[data-rule=settlement_last_tick_1] summary").click();
    await expect(page.locator("[data-rule=settlement_last_tick_1]")).toContainText("An order is due when its symbol's watermark has reached");
    expect(await page.evaluate(() => document.querySelector(".body")?.scrollWidth ?? 9999)).toBeLessThanOrEqual(390);
  });
});
