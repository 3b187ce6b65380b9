import { expect, ready, test } from "./fixtures";
import { bridgeIds, settledOrder } from "./people";
import { follow, pathOf, SCREENS } from "./screens";
import { leftovers } from "./words";

test.use({ trader: "screens" });
test.setTimeout(150_000);

/** Every text and every name of a control on the page. */
const TEXTS = (): string[] => {
  const found = new Set<string>();
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const owner = walker.currentNode.parentElement;
    if (owner && !owner.closest("script, style, noscript, [lang=en], option")) found.add(walker.currentNode.nodeValue?.trim().replace(/\s+/g, " ") ?? "");
  }
  for (const each of document.querySelectorAll("[aria-label], [title], [placeholder]")) {
    for (const name of ["aria-label", "title", "placeholder"]) found.add(each.getAttribute(name)?.trim() ?? "");
  }
  found.delete("");
  return [...found];
};

test("whoever chooses Spanish reads Spanish on every screen", async ({ page }) => {
  const ids = { order: await settledOrder(), ...bridgeIds() };
  const english = await leftovers("en", "es");
  await page.goto("/");
  await ready(page);
  await page.getByRole("button", { name: "Menu" }).click();
  await page.getByLabel("Language").selectOption("es");
  await expect(page.getByTestId("buy-up")).toContainText("DEMO");
  await expect(page.locator("html")).toHaveAttribute("lang", "es");
  await expect(page.getByRole("link", { name: "Historial" })).toBeVisible();
  await page.reload();
  await expect(page.getByTestId("buy-up")).toContainText("DEMO");

  const found: Record<string, string[]> = {};
  for (const screen of SCREENS.filter((each) => each.who !== "pending" && each.open === undefined && !pathOf(each, ids).includes("{"))) {
    if (screen.name === "log-in" || screen.name === "sign-up") continue;
    await follow(page, pathOf(screen, ids));
    await expect(page.locator("html")).toHaveAttribute("lang", "es");
    await expect(page.locator("main, .page, .body").first()).toBeVisible();
    if (screen.samples !== true) await expect(page.locator(".bone:visible")).toHaveCount(0);
    const here = english(await page.evaluate(TEXTS));
    if (here.length > 0) found[screen.name] = here;
  }
  expect(found).toEqual({});
});
