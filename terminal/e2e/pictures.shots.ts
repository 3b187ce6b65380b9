/** Takes the pictures of docs/screens: every screen, desktop and phone, dark and light, with orders of all results. */

import { mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { expect, test, watchFaults } from "./fixtures";
import { bridgeIds, NOBODY, sessionOf, stateOf } from "./people";
import { offerScripted, playScript, scriptLines, untilOpen, type PlacedOrder, type Session } from "./platform";
import { small } from "./png";
import { screensFor, visit, type Ids } from "./screens";

const FOLDER = resolve(import.meta.dirname, "../../docs/screens");
const FILE_MAX = 250_000;
const ALL_MAX = 12_000_000;
const SCRIPTED = "EURNOK";

/** A market that stands still, then rises, then falls silent: a tie, a win, a loss and a refund without luck. */
async function results(session: Session): Promise<Ids> {
  offerScripted(SCRIPTED, "Euro / Norwegian Krone");
  const stop = await playScript(
    scriptLines(SCRIPTED, [
      { ms: 16_000, price: () => "11.5250" },
      { ms: 300_000, price: (tick) => (11.525 + tick * 0.0004 + (tick % 3) * 0.0001).toFixed(4) },
    ]),
  );
  try {
    await untilOpen(session, SCRIPTED);
    const tied = await session.order(SCRIPTED, "up", "15.00");
    expect((await session.settled(tied.id)).state).toBe("tied");
    await expect.poll(async () => moving(session), { timeout: 40_000, intervals: [300] }).toBe(true);
    const [won, lost] = [await session.order(SCRIPTED, "up", "25.00"), await session.order(SCRIPTED, "down", "10.00")];
    expect([(await session.settled(won.id)).state, (await session.settled(lost.id)).state]).toEqual(["won", "lost"]);
    const refunded = await session.order(SCRIPTED, "up", "20.00", 10);
    stop();
    expect((await session.settled(refunded.id)).state).toBe("refunded");
    return { tied: tied.id, won: won.id, lost: lost.id, refunded: refunded.id, order: won.id };
  } finally {
    stop();
  }
}

async function moving(session: Session): Promise<boolean> {
  return (await session.get<{ last_tick: { price: string } }>(`/api/v1/symbols/${SCRIPTED}`)).last_tick.price !== "11.5250";
}

/** A page that somebody has used for a while: orders of several assets, notes, a limit. */
async function lived(session: Session): Promise<Ids> {
  const placed: PlacedOrder[] = [];
  for (const [at, symbol] of ["EURUSD", "BTCUSDT", "GBPUSD", "XAUUSD", "USDJPY", "ETHUSDT", "EURUSD", "GBPUSD"].entries()) {
    placed.push(await session.order(symbol, at % 3 === 1 ? "down" : "up", ["10.00", "25.00", "5.00"][at % 3] ?? "10.00"));
  }
  const ids = await results(session);
  for (const [at, order] of placed.entries()) {
    await session.settled(order.id);
    await session.put(`/api/v1/orders/${order.id}/journal`, { note: at % 2 === 0 ? "Break of the morning's range" : "", tags: at % 2 === 0 ? ["breakout"] : ["news"] });
  }
  await session.put("/api/v1/limits", { loss_day: "200.00", stake_day: "500.00", open_orders: 5 });
  await session.order("EURUSD", "up", "25.00", 900);
  await session.order("GBPUSD", "down", "10.00", 1800);
  await session.order("BTCUSDT", "up", "50.00", 3600);
  return ids;
}

test("pictures of every screen", async ({ browser, baseURL }) => {
  const session = await sessionOf("screens");
  const ids = { ...(await lived(session)), ...bridgeIds() };
  for (const name of readdirSync(FOLDER)) if (/-(desktop|phone)-(dark|light)\.png$/.test(name)) rmSync(join(FOLDER, name));
  mkdirSync(FOLDER, { recursive: true });
  const large: string[] = [];
  let all = 0;
  for (const size of ["desktop", "phone"] as const) {
    for (const screen of screensFor(size, ids).filter((each) => each.name !== "order")) {
      // What one screen leaves behind, such as another account chosen, must not be on the next one.
      const context = await browser.newContext({
        baseURL: baseURL ?? "", reducedMotion: "reduce", timezoneId: "UTC", hasTouch: size === "phone", deviceScaleFactor: size === "phone" ? 1.5 : 1,
        storageState: screen.who === "nobody" ? NOBODY : await stateOf(screen.who === "trader" ? "screens" : screen.who),
      });
      const page = await context.newPage();
      const faults = watchFaults(page, baseURL ?? "");
      await page.emulateMedia({ colorScheme: "dark" });
      await visit(page, screen, size, ids);
      for (const colorScheme of ["dark", "light"] as const) {
        await page.emulateMedia({ colorScheme });
        // The chart draws in the new colours with its next frames.
        await page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))));
        const name = `${screen.name}-${size}-${colorScheme}.png`;
        const picture = small(await page.screenshot({ animations: "disabled", caret: "hide" }));
        writeFileSync(join(FOLDER, name), picture);
        all += picture.length;
        if (picture.length > FILE_MAX) large.push(`${name} ${String(picture.length)}`);
      }
      await context.close();
      expect(faults).toEqual([]);
    }
  }
  expect(large).toEqual([]);
  expect(all).toBeLessThanOrEqual(ALL_MAX);
});
