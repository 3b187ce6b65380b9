import { expect, test } from "./fixtures";
import { settledOrder } from "./people";

test.use({ trader: "screens" });
test.setTimeout(200_000);

test("an order's page checks its own receipt, waits for the seal and says verified", async ({ page }) => {
  const id = await settledOrder();
  await page.goto(`/orders/${id}`);
  await expect(page.getByTestId("sentence")).toContainText(/Up 10[.]00 USD on EURUSD (won|lost|tied)/);
  const verify = page.getByTestId("verify");
  // The page itself asks again when the minute of its youngest tick can be sealed.
  await expect(verify).toHaveAttribute("data-verdict", "verified", { timeout: 150_000 });
  for (const step of ["signature", "prices", "closing", "outcome", "money", "transfers"]) {
    await expect(verify.locator(`[data-step=${step}]`).first()).toHaveAttribute("data-outcome", "ok");
  }
  await expect(page.getByTestId("opening")).toBeVisible();
  await expect(page.getByTestId("closing")).toBeVisible();
  await expect(page.getByTestId("ledger-line")).not.toHaveCount(0);
});
