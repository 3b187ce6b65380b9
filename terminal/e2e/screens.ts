/** Every screen of the terminal, in one list: what axe checks, what is pictured, what must reflow. */

import { expect, type Page } from "@playwright/test";
import { ready } from "./fixtures";

export type Who = "trader" | "nobody" | "pending";
export type Size = "desktop" | "phone";

export interface Screen {
  name: string;
  /** Where it is; `{order}`, `{won}`, `{lost}`, `{tied}`, `{refunded}` stand for ids of settled orders, `{installation}` and `{signal}` for those of the bridge. */
  path: string;
  who: Who;
  /** What is seen when the screen has come. */
  shown: (page: Page) => Promise<void>;
  /** What brings it up when the path alone does not: a dialog, a menu. */
  open?: (page: Page, size: Size) => Promise<void>;
  only?: Size;
  /** It changes what other screens show. */
  alone?: boolean;
  /** It shows parts that look like loading for ever. */
  samples?: boolean;
}

export const SIZES: Record<Size, { width: number; height: number }> = {
  desktop: { width: 1440, height: 900 },
  phone: { width: 390, height: 844 },
};

const heading = (name: string | RegExp) => (page: Page) => expect(page.getByRole("heading", { name, level: 1 })).toBeVisible();

const body = (page: Page): Promise<void> => expect(page.locator(".page > *").first()).toBeVisible();

const dialog = (page: Page): Promise<void> => expect(page.getByRole("dialog").first()).toBeVisible();

const press = (name: string | RegExp) => (page: Page): Promise<void> => page.getByRole("button", { name }).first().click();

/** Press a button that opens a dialog. */
const dialogOf = (name: string | RegExp) => async (page: Page): Promise<void> => {
  await press(name)(page);
  await expect(page.getByRole("dialog").first()).toBeVisible();
};

const verified = (page: Page): Promise<void> => expect(page.getByTestId("verify")).toHaveAttribute("data-verdict", /^(verified|pending)$/, { timeout: 40_000 });

const seen = (selector: string) => (page: Page): Promise<void> => expect(page.locator(selector).first()).toBeVisible();

const heading2 = (page: Page): Promise<void> => expect(page.getByRole("heading", { level: 2 }).first()).toBeVisible();

/** A code that is shown but never redeemed; a browser of another screen asks for its own. */
const pairing = async (page: Page): Promise<void> => {
  await press("Pair with a code")(page);
  await press("Get a pairing code")(page);
  await expect(page.getByTestId("pairing-code")).toBeVisible();
};

/** A hook of this visit, with its address; nobody posts to it. */
const hooked = async (page: Page): Promise<void> => {
  await press("Connect TradingView")(page);
  await page.getByLabel("Strategy").fill("cross");
  await press("Make the hook")(page);
  await expect(page.getByTestId("hook-url")).toBeVisible();
};

const page = (name: string, shown: Screen["shown"] = heading(/./)): Screen => ({ name, path: `/${name}`, who: "trader", shown });

export const SCREENS: readonly Screen[] = [
  { name: "log-in", path: "/log-in", who: "nobody", shown: heading("Log in to Fairstrike") },
  { name: "sign-up", path: "/sign-up", who: "nobody", shown: heading(/./) },
  { name: "code", path: "/code", who: "pending", shown: heading(/./) },
  { name: "trade", path: "/", who: "trader", shown: ready },
  { name: "trade-clock", path: "/", who: "trader", shown: ready, only: "desktop", alone: true, open: (each) => each.getByRole("radio", { name: "Clock" }).click() },
  { name: "trade-real", path: "/", who: "trader", shown: ready, only: "desktop", alone: true, open: (each) => each.locator("[data-account=real]").click() },
  { name: "assets", path: "/", who: "trader", shown: ready, open: dialogOf("Choose an asset") },
  { name: "menu", path: "/", who: "trader", shown: ready, open: (each, size) => press(size === "phone" ? "More" : "Menu")(each) },
  { name: "keys", path: "/", who: "trader", shown: ready, only: "desktop", open: async (each) => { await each.keyboard.press("?"); await dialog(each); } },
  { name: "positions", path: "/", who: "trader", shown: ready, only: "phone", open: async (each) => { await each.getByTestId("positions-line").click(); await dialog(each); } },
  { name: "order", path: "/orders/{order}", who: "trader", shown: verified },
  page("history"),
  page("journal"),
  page("wallet"),
  page("tournaments", body),
  page("limits"),
  { name: "limit", path: "/limits", who: "trader", shown: heading(/./), open: dialogOf(/^(Set a limit: |Change )Loss in 24 hours/) },
  page("security"),
  page("developer", body),
  { name: "bridge", path: "/developer/bridge", who: "trader", shown: seen("[data-installation]") },
  { name: "bridge-connect", path: "/developer/bridge", who: "trader", shown: seen("[data-installation]"), open: dialogOf("Connect a terminal") },
  { name: "bridge-pairing", path: "/developer/bridge/installations/{installation}", who: "trader", shown: seen("[data-key]"), open: pairing },
  { name: "bridge-installation", path: "/developer/bridge/installations/{installation}", who: "trader", shown: seen("[data-key]") },
  { name: "bridge-limits", path: "/developer/bridge/installations/{installation}", who: "trader", shown: seen("[data-key]"), open: dialogOf("Change limits") },
  { name: "bridge-hooks", path: "/developer/bridge/hooks", who: "trader", shown: seen("[data-hook]") },
  { name: "bridge-hook-form", path: "/developer/bridge/hooks", who: "trader", shown: seen("[data-hook]"), open: dialogOf("Connect TradingView") },
  { name: "bridge-hook", path: "/developer/bridge/hooks", who: "trader", shown: seen("[data-hook]"), open: hooked },
  { name: "bridge-signals", path: "/developer/bridge/signals", who: "trader", shown: seen("[data-signal]") },
  { name: "bridge-signal", path: "/developer/bridge/signals/{signal}", who: "trader", shown: heading2 },
  { name: "bridge-attribution", path: "/developer/bridge/attribution", who: "trader", shown: seen("[data-testid=attribution-row]") },
  { name: "bridge-symbols", path: "/developer/bridge/symbols", who: "trader", shown: (each) => expect(each.getByRole("button", { name: /^Name / }).first()).toBeVisible() },
  { name: "bridge-alerts", path: "/developer/bridge/alerts", who: "trader", shown: seen("[data-alert]") },
  page("help", body),
  { name: "fairness", path: "/fairness", who: "nobody", shown: heading("Fairness") },
  { name: "parts", path: "/design", who: "nobody", shown: heading(/./), samples: true },
  ...(["won", "lost", "tied", "refunded"] as const).map((result): Screen => ({ name: `order-${result}`, path: `/orders/{${result}}`, who: "trader", shown: verified })),
];

/** Nothing is loading any more and the letters are there. */
export async function settledLook(page: Page): Promise<void> {
  await expect(page.locator(".bone:visible")).toHaveCount(0);
  await expect(page.locator("[aria-busy=true]:visible")).toHaveCount(0);
  await page.evaluate(() => document.fonts.ready);
}

/** Ids of orders by what they show. */
export type Ids = Readonly<Record<string, string>>;

export function pathOf(screen: Screen, ids: Ids): string {
  return screen.path.replace(/\{(\w+)\}/, (whole, name: string) => ids[name] ?? whole);
}

interface Mounted {
  __vue_app__: { config: { globalProperties: { $router: { push: (to: string) => Promise<unknown> } } } };
}

/** Go to a path: from elsewhere in the terminal as its links do, which loads nothing anew. */
export async function follow(page: Page, path: string): Promise<void> {
  if (page.url() === "about:blank") await page.goto(path);
  else await page.locator("#app").evaluate(async (app, to) => { await (app as unknown as Mounted).__vue_app__.config.globalProperties.$router.push(to); }, path);
}

/** Go to a screen and wait until it stands. */
export async function visit(page: Page, screen: Screen, size: Size, ids: Ids): Promise<void> {
  await page.setViewportSize(SIZES[size]);
  await follow(page, pathOf(screen, ids));
  await screen.shown(page);
  await screen.open?.(page, size);
  if (screen.samples !== true) await settledLook(page);
}

/** Leave what was opened on a screen, as the keyboard does. */
export async function leave(page: Page, screen: Screen): Promise<void> {
  if (screen.open === undefined) return;
  await page.keyboard.press("Escape");
  await expect(page.getByRole("dialog")).toHaveCount(0);
}

/** The screens of a size, without those of orders that there are not. */
export function screensFor(size: Size, ids: Ids): readonly Screen[] {
  return SCREENS.filter((screen) => (screen.only === undefined || screen.only === size) && !pathOf(screen, ids).includes("{"));
}
