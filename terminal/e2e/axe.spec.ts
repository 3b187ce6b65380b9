import type { Browser, Page } from "@playwright/test";
import axe from "axe-core";
import { expect, test, watchFaults } from "./fixtures";
import { NOBODY, bridgeIds, settledOrder, stateOf } from "./people";
import { leave, screensFor, visit, type Screen, type Size, type Who } from "./screens";
import { holdable } from "./still";

// Each half of the desktop's screens and the phone's may have a worker of its own.
test.describe.configure({ mode: "parallel" });

const RULES = { type: "tag", values: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"] } as const;
/** A second theme can only differ in contrast. */
const CONTRAST = { type: "rule", values: ["color-contrast"] } as const;

/** What axe finds, a line for each place: rule, where, and why. */
async function violations(page: Page, { type, values }: typeof RULES | typeof CONTRAST): Promise<string[]> {
  if (!(await page.evaluate(() => "axe" in window))) await page.evaluate(axe.source);
  const ask: axe.RunOptions = { runOnly: { type, values: [...values] }, resultTypes: ["violations"] };
  return page.evaluate(async (options) => {
    await window.holdFrames();
    try {
      const { violations: found } = await (window as unknown as { axe: typeof axe }).axe.run(document, options);
      return found.flatMap((each) => each.nodes.slice(0, 5).map((node) => `${each.id}: ${node.target.join(" ")} - ${node.failureSummary?.split("\n")[1]?.trim() ?? ""}`));
    } finally {
      window.releaseFrames();
    }
  }, ask);
}

/** Screens of one person share a page, as in a visit, but for those that change what is behind them. */
const sharing = (screen: Screen): string => (screen.alone === true ? screen.name : screen.who);

async function opened(browser: Browser, baseURL: string, who: Who, size: Size): Promise<Page> {
  const storageState = who === "nobody" ? NOBODY : await stateOf(who === "trader" ? "screens" : who);
  const context = await browser.newContext({ baseURL, storageState, reducedMotion: "reduce", hasTouch: size === "phone", timezoneId: "UTC" });
  const page = await context.newPage();
  await holdable(page);
  return page;
}

const PARTS: readonly { name: string; size: Size; has: (screen: Screen, at: number) => boolean }[] = [
  { name: "desktop, the first half", size: "desktop", has: (_, at) => at % 2 === 0 },
  { name: "desktop, the second half", size: "desktop", has: (_, at) => at % 2 === 1 },
  { name: "phone", size: "phone", has: () => true },
];

for (const { name, size, has } of PARTS) {
  test(`axe finds nothing on any screen: ${name}, dark and light`, async ({ browser, baseURL }) => {
    test.setTimeout(400_000);
    const ids = { order: await settledOrder(), ...bridgeIds() };
    const found: Record<string, string[]> = {};
    const screens = screensFor(size, ids).filter(has);
    for (const key of new Set(screens.map(sharing))) {
      const shared = screens.filter((screen) => sharing(screen) === key);
      const page = await opened(browser, baseURL ?? "", shared[0]?.who ?? "nobody", size);
      const faults = watchFaults(page, baseURL ?? "");
      for (const screen of shared) {
        await page.emulateMedia({ colorScheme: "dark" });
        await visit(page, screen, size, ids);
        for (const [colorScheme, rules] of [["dark", RULES], ["light", CONTRAST]] as const) {
          await page.emulateMedia({ colorScheme });
          const here = await violations(page, rules);
          if (here.length > 0) found[`${screen.name} ${colorScheme}`] = here;
        }
        await leave(page, screen);
      }
      await page.context().close();
      expect(faults).toEqual([]);
    }
    expect(found).toEqual({});
  });
}

test("axe finds what is wrong on a page that stands still", async ({ browser, baseURL }) => {
  const page = await opened(browser, baseURL ?? "", "nobody", "phone");
  await page.goto("/log-in");
  await page.evaluate(() => {
    document.body.insertAdjacentHTML("afterbegin", "<main><button></button><p style='color: #777; background: #888'>Faint</p></main>");
  });
  const found = await violations(page, RULES);
  expect(found.map((each) => each.split(":")[0])).toEqual(expect.arrayContaining(["button-name", "color-contrast"]));
  await page.context().close();
});
