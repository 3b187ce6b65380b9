import { enter, expect, test } from "./fixtures";
import { heapBound, holdQuotes, liveThrough } from "./bench/session";
import { sessionOf } from "./people";

test.use({ trader: "heap" });

test("an hour of ticks and orders leaves the heap as it was", async ({ page }) => {
  await holdQuotes(page);
  await enter(page);
  const cdp = await page.context().newCDPSession(page);
  const found = await liveThrough(page, cdp, await sessionOf("heap"), { hours: 1, ticks: 60_000, perFrame: 160, orders: 24, points: 1 });
  const [first, last] = [found[0], found.at(-1)];
  if (!first || !last) throw new Error("nothing was measured");
  test.info().annotations.push({ type: "heap", description: JSON.stringify(found) });
  expect(last.heapBytes, JSON.stringify(found)).toBeLessThanOrEqual(heapBound(first));
  expect(last.nodes, JSON.stringify(found)).toBeLessThanOrEqual(first.nodes * 1.2 + 500);
});
