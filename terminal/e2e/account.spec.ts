import { balanceOf, expect, ready, test } from "./fixtures";
import { mailedCode, newAddress, PASSWORD } from "./platform";

test.use({ trader: "nobody" });

test("whoever signs up trades on demo as soon as the code from the mail is entered", async ({ page }) => {
  const email = newAddress("newcomer");
  await page.goto("/");
  await page.getByRole("link", { name: "Create account" }).click();
  await page.getByRole("button", { name: "Create account" }).click();
  await expect(page.getByText("Fill this in").first()).toBeVisible();

  await page.getByLabel("Country of residence").selectOption("DE");
  await page.getByLabel("E-mail").fill(email);
  await page.locator("input[name=password], input[autocomplete=new-password]").fill(PASSWORD);
  await page.getByRole("checkbox", { name: /18 or older/ }).check();
  await page.getByRole("checkbox", { name: /terms/ }).check();
  await page.getByRole("button", { name: "Create account" }).click();

  await expect(page.getByRole("heading", { name: "Check your mail" })).toBeVisible();
  await page.getByLabel("Code").fill("000000");
  await page.getByRole("button", { name: "Confirm" }).click();
  await expect(page.getByText("This code is not right.")).toBeVisible();
  await page.getByLabel("Code").fill(await mailedCode(page.request, email));
  await page.getByRole("button", { name: "Confirm" }).click();

  await ready(page);
  await expect(page.getByTestId("buy-up")).toContainText("Buy Up - DEMO");
  expect(await balanceOf(page)).toBe(1_000_000n);
});
