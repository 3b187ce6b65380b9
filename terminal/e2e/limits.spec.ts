import { enter, expect, test } from "./fixtures";
import { sessionOf } from "./people";
import { manage } from "./platform";

test.use({ trader: "limits" });

test("a limit holds at once, a tighter one too, and a looser one waits", async ({ page }) => {
  const { email } = await (await sessionOf("limits")).get<{ email: string }>("/api/v1/me");
  manage("adjust", "--user", email, "--ledger", "real", "--amount", "60.00", "--reason", "Journey of limits");
  await page.goto("/limits");
  const set = async (button: RegExp, amount: string, save: string): Promise<void> => {
    await page.getByRole("button", { name: button }).click();
    const dialog = page.getByRole("dialog");
    await dialog.getByRole("textbox").first().fill(amount);
    await dialog.getByRole("button", { name: save }).click();
    await expect(dialog).toHaveCount(0);
  };
  const row = page.getByRole("listitem").filter({ hasText: "Loss in 24 hours" });

  await set(/^Set a limit: Loss in 24 hours/, "50.00", "Set");
  await expect(row).toContainText("50.00");
  await set(/^Change Loss in 24 hours/, "20.00", "Tighten now");
  await expect(row).toContainText("20.00");
  await expect(row).not.toContainText("50.00");
  await set(/^Change Loss in 24 hours/, "100.00", "Ask for it");
  await expect(row).toContainText("instead of");
  await expect(row).toContainText("20.00");

  // The ticket tells what the limit leaves, on the account that it binds.
  await enter(page);
  await page.locator("[data-account=real]").click();
  await expect(page.getByText(/Left of today's loss limit 20[.]00/)).toBeVisible();
  await page.locator("[data-account=demo]").click();
  await expect(page.getByText(/Left of today's loss limit/)).toHaveCount(0);
});
