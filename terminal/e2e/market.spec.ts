import { balanceOf, buy, chooseAsset, enter, expect, press, profitOf, settledRow, test } from "./fixtures";
import { manage, offerScripted, playScript, scriptLines, untilOpen } from "./platform";
import { sessionOf } from "./people";

test.use({ trader: "market" });

test("a halted market says so and why, keeps the ticket and can be bought when it is back", async ({ page }) => {
  await enter(page);
  await chooseAsset(page, "AUDUSD");
  await page.getByTestId("stake").fill("7.00");
  await expect(page.getByTestId("buy-up")).toBeEnabled();
  manage("halt", "AUDUSD", "--reason", "Source under review");
  try {
    await expect(page.getByTestId("buy-up")).toBeDisabled();
    await expect(page.getByTestId("buy-down")).toBeDisabled();
    await expect(page.getByTestId("ticket-notice").first()).toContainText("Source under review");
    await expect(page.getByTestId("stake")).toHaveValue("7.00");
    await chooseAsset(page, "EURUSD");
    await expect(page.getByTestId("buy-up")).toBeEnabled();
    await chooseAsset(page, "AUDUSD");
  } finally {
    manage("resume", "AUDUSD");
  }
  await expect(page.getByTestId("buy-up")).toBeEnabled();
});

test("a tie gives the stake back, and so does a feed that fell silent: neither is a win or a loss", async ({ page }) => {
  const session = await sessionOf("market");
  offerScripted("EURNOK", "Euro / Norwegian Krone");
  const stop = await playScript(scriptLines("EURNOK", [{ ms: 120_000, price: () => "11.5250" }]));
  try {
    await untilOpen(session, "EURNOK");
    await enter(page);
    await chooseAsset(page, "EURNOK");
    const before = await balanceOf(page);
    const tied = await buy(page, "up", "10.00");
    const row = await settledRow(page, tied);
    await expect(row.locator("[data-result=tied]")).toHaveText(/Tied/);
    expect(await profitOf(row)).toBe(0n);
    await expect.poll(() => balanceOf(page)).toBe(before);

    const refunded = await press(page, "down");
    stop();
    await expect(page.getByTestId("buy-up")).toBeDisabled();
    const back = await settledRow(page, refunded);
    await expect(back.locator("[data-result=refunded]")).toHaveText(/Refunded/);
    await expect.poll(() => balanceOf(page)).toBe(before);
  } finally {
    stop();
  }
});
