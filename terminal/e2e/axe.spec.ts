import AxeBuilder from "@axe-core/playwright";
import type { BrowserContext, Page } from "@playwright/test";
import { expect, test, watchFaults } from "./fixtures";
import { NOBODY, bridgeIds, settledOrder, stateOf } from "./people";
import { screensFor, visit } from "./screens";

const TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"];

/** What axe finds, a line for each place: rule, where, and why. A second theme can only differ in contrast. */
async function violations(page: Page, all: boolean): Promise<string[]> {
  const runOnly = all ? { type: "tag" as const, values: TAGS } : { type: "rule" as const, values: ["color-contrast"] };
  const { violations: found } = await new AxeBuilder({ page }).options({ runOnly, resultTypes: ["violations"] }).analyze();
  return found.flatMap((each) => each.nodes.slice(0, 5).map((node) => `${each.id}: ${node.target.join(" ")} - ${node.failureSummary?.split("\n")[1]?.trim() ?? ""}`));
}

for (const size of ["desktop", "phone"] as const) {
  test(`axe finds nothing on any screen: ${size}, dark and light`, async ({ browser, baseURL }) => {
    test.setTimeout(400_000);
    const ids = { order: await settledOrder(), ...bridgeIds() };
    const found: Record<string, string[]> = {};
    // Screens of one person share what their browser has loaded; the real account's is left behind by nobody else.
    const contexts = new Map<string, BrowserContext>();
    for (const screen of screensFor(size, ids)) {
      const key = screen.name === "trade-real" ? screen.name : screen.who;
      let context = contexts.get(key);
      if (!context) {
        const storageState = screen.who === "nobody" ? NOBODY : await stateOf(screen.who === "trader" ? "screens" : screen.who);
        context = await browser.newContext({ baseURL: baseURL ?? "", storageState, reducedMotion: "reduce", hasTouch: size === "phone", timezoneId: "UTC" });
        contexts.set(key, context);
      }
      const page = await context.newPage();
      const faults = watchFaults(page, baseURL ?? "");
      await page.emulateMedia({ colorScheme: "dark", reducedMotion: "reduce" });
      await visit(page, screen, size, ids);
      for (const colorScheme of ["dark", "light"] as const) {
        await page.emulateMedia({ colorScheme });
        const here = await violations(page, colorScheme === "dark");
        if (here.length > 0) found[`${screen.name} ${colorScheme}`] = here;
      }
      await page.close();
      expect(faults).toEqual([]);
    }
    for (const context of contexts.values()) await context.close();
    expect(found).toEqual({});
  });
}
