/** Every screen of the terminal, in one list: what axe checks, what is pictured, what must reflow. */

import { expect, type Page } from "@playwright/test";
import { ready } from "./fixtures";

export type Who = "trader" | "nobody" | "pending";
export type Size = "desktop" | "phone";

export interface Screen {
  name: string;
  /** Where it is; `{order}` stands for the id of a settled order. */
  path: string;
  who: Who;
  /** What is seen when the screen has come. */
  shown: (page: Page) => Promise<void>;
  /** What brings it up when the path alone does not: a dialog, a menu. */
  open?: (page: Page, size: Size) => Promise<void>;
  only?: Size;
}

export const SIZES: Record<Size, { width: number; height: number }> = {
  desktop: { width: 1440, height: 900 },
  phone: { width: 390, height: 844 },
};

const heading = (name: string | RegExp) => (page: Page) => expect(page.getByRole("heading", { name, level: 1 })).toBeVisible();

const body = (page: Page): Promise<void> => expect(page.locator(".page > *").first()).toBeVisible();

const dialog = (page: Page): Promise<void> => expect(page.getByRole("dialog").first()).toBeVisible();

export const SCREENS: readonly Screen[] = [
  { name: "log-in", path: "/log-in", who: "nobody", shown: heading("Log in") },
  { name: "sign-up", path: "/sign-up", who: "nobody", shown: heading(/./) },
  { name: "code", path: "/code", who: "pending", shown: heading(/./) },
  { name: "trade", path: "/", who: "trader", shown: ready },
  { name: "assets", path: "/", who: "trader", shown: ready, open: async (page) => { await page.getByRole("button", { name: "Choose an asset" }).click(); await dialog(page); } },
  { name: "menu", path: "/", who: "trader", shown: ready, open: async (page) => { await page.getByRole("button", { name: "Menu" }).click(); await expect(page.getByRole("menu")).toBeVisible(); } },
  { name: "positions", path: "/", who: "trader", shown: ready, only: "phone", open: async (page) => { await page.getByTestId("positions-line").click(); await dialog(page); } },
  { name: "history", path: "/history", who: "trader", shown: heading("History") },
  { name: "wallet", path: "/wallet", who: "trader", shown: heading("Wallet") },
  { name: "tournaments", path: "/tournaments", who: "trader", shown: body },
  { name: "developer", path: "/developer", who: "trader", shown: body },
  { name: "help", path: "/help", who: "trader", shown: body },
  { name: "fairness", path: "/fairness", who: "nobody", shown: heading("Fairness") },
];

/** Nothing is loading any more and the letters are there. */
export async function settledLook(page: Page): Promise<void> {
  await expect(page.locator(".bone:visible")).toHaveCount(0);
  await expect(page.locator("[aria-busy=true]:visible")).toHaveCount(0);
  await page.evaluate(() => document.fonts.ready);
}

/** Go to a screen and wait until it stands. */
export async function visit(page: Page, screen: Screen, size: Size, orderId: string): Promise<void> {
  await page.setViewportSize(SIZES[size]);
  await page.goto(screen.path.replace("{order}", orderId));
  await screen.shown(page);
  await screen.open?.(page, size);
  await settledLook(page);
}

export function screensFor(size: Size): readonly Screen[] {
  return SCREENS.filter((screen) => screen.only === undefined || screen.only === size);
}
