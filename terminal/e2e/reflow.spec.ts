import type { Page } from "@playwright/test";
import { expect, test } from "./fixtures";
import { NOBODY, bridgeIds, settledOrder, stateOf } from "./people";
import { follow, pathOf, SCREENS, settledLook } from "./screens";

/** WCAG 1.4.10 asks for 320 px; 1.4.4 for 200 % zoom, which leaves half the pixels of a desk. */
const VIEWS = [
  { name: "320 px wide", width: 320, height: 640 },
  { name: "a desk at 200 % zoom", width: 720, height: 450 },
] as const;

/** How far the page, or what scrolls in its place, is wider than what is seen; what may scroll sideways is named. */
function overflow(page: Page): Promise<string[]> {
  return page.evaluate(() => {
    const wide: string[] = [];
    const seen = document.documentElement.clientWidth;
    if (document.documentElement.scrollWidth > seen + 1) wide.push(`page ${String(document.documentElement.scrollWidth)}`);
    for (const each of document.querySelectorAll<HTMLElement>("main, .page, .body, .page > *")) {
      if (each.scrollWidth > each.clientWidth + 1 && getComputedStyle(each).overflowX !== "visible") wide.push(`${each.tagName.toLowerCase()}.${each.className} ${String(each.scrollWidth)} > ${String(each.clientWidth)}`);
    }
    return wide;
  });
}

test("no screen scrolls sideways, 320 px wide and at 200 % zoom of a desk", async ({ browser, baseURL }) => {
  const ids = { order: await settledOrder(), ...bridgeIds() };
  const found: Record<string, string[]> = {};
  for (const who of ["trader", "nobody", "pending"] as const) {
    const context = await browser.newContext({ baseURL: baseURL ?? "", storageState: who === "nobody" ? NOBODY : await stateOf(who === "trader" ? "screens" : who), reducedMotion: "reduce" });
    const page = await context.newPage();
    for (const screen of SCREENS.filter((each) => each.who === who && each.open === undefined && !pathOf(each, ids).includes("{"))) {
      await page.setViewportSize(VIEWS[0]);
      await follow(page, pathOf(screen, ids));
      await screen.shown(page);
      // The page is brought once: a window that is drawn wider has to fit as well as one that opened so.
      for (const view of VIEWS) {
        await page.setViewportSize(view);
        if (screen.samples !== true) await settledLook(page);
        const wide = await overflow(page);
        if (wide.length > 0) found[`${screen.name}, ${view.name}`] = wide;
      }
    }
    await context.close();
  }
  expect(found).toEqual({});
});
