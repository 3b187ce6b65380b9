import AxeBuilder from "@axe-core/playwright";
import type { Page } from "@playwright/test";
import { expect, test, watchFaults } from "./fixtures";
import { NOBODY, settledOrder, stateOf } from "./people";
import { screensFor, visit, type Ids, type Size, type Who } from "./screens";

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
    const ids = { order: await settledOrder() };
    const found = new Map<string, string[]>();
    for (const who of ["trader", "nobody", "pending"] as const) await check(who, size, ids, found);
    expect(Object.fromEntries(found)).toEqual({});

    async function check(who: Who, at: Size, of: Ids, into: Map<string, string[]>): Promise<void> {
      const context = await browser.newContext({ baseURL: baseURL ?? "", storageState: who === "nobody" ? NOBODY : await stateOf(who === "trader" ? "screens" : who), reducedMotion: "reduce", hasTouch: at === "phone", timezoneId: "UTC" });
      const page = await context.newPage();
      const faults = watchFaults(page, baseURL ?? "");
      for (const screen of screensFor(at, of).filter((each) => each.who === who)) {
        await visit(page, screen, at, of);
        for (const colorScheme of ["dark", "light"] as const) {
          await page.emulateMedia({ colorScheme });
          const here = await violations(page, colorScheme === "dark");
          if (here.length > 0) into.set(`${screen.name} ${colorScheme}`, here);
        }
      }
      await context.close();
      expect(faults).toEqual([]);
    }
  });
}
