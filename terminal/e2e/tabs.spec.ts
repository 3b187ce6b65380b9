import { balanceOf, buy, enter, expect, settledRow, test } from "./fixtures";

test.use({ trader: "tabs" });

test("what one tab buys the other shows, and both see the same result and balance", async ({ page, context }) => {
  const other = await context.newPage();
  await Promise.all([enter(page), enter(other)]);
  const id = await buy(page, "up", "3.00");
  await other.bringToFront();
  await expect(other.locator(`[data-testid=open-order][data-order='${id}']`)).toBeVisible();
  const [here, there] = [await settledRow(page, id), await settledRow(other, id)];
  const result = await here.locator("[data-result]").getAttribute("data-result");
  await expect(there.locator("[data-result]")).toHaveAttribute("data-result", result ?? "");
  await expect.poll(async () => (await balanceOf(other)) === (await balanceOf(page))).toBe(true);
});
