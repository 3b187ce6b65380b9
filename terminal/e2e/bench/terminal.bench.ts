/** Measures the trade page in a real browser; bench/terminal starts the platform with a fast feed and writes the page. */

import { writeFileSync } from "node:fs";
import type { Browser, CDPSession, Page } from "@playwright/test";
import { chooseAsset, enter, expect, test } from "../fixtures";
import { sessionOf } from "../people";
import { footprint, heapBound, holdQuotes, liveThrough, type Footprint } from "./session";
import { frameTimes, spread, type FrameTimes, type Spread } from "./trace";

test.use({ trader: "bench" });
test.setTimeout(1_200_000);

const SYMBOL = process.env["BENCH_SYMBOL"] ?? "FAST01";
const OUT = process.env["BENCH_OUT"] ?? "test-results/bench.json";
const SECONDS = Number(process.env["BENCH_SECONDS"] ?? "10");
const ROUNDS = Number(process.env["BENCH_ROUNDS"] ?? "2");
const ORDERS = Number(process.env["BENCH_ORDERS"] ?? "20");
const HOURS = 8;
const CATEGORIES = ["devtools.timeline", "devtools.timeline.frame", "disabled-by-default-devtools.timeline", "v8.execute", "toplevel"];

interface Turn {
  frames: number;
  framesPerSecond: number;
  ticksPerSecond: number;
  script: Spread;
  task: Spread;
  scriptShare: number;
}

type Found = Record<string, unknown>;
type Handler = (event: MessageEvent) => void;
type Held = Window & { held?: { quotes: (WebSocket & { heard?: Handler }) | null }; hearing?: boolean; ticksSeen?: number };

/** Let the page hear its ticks or not: the same page, the same socket, with and without; all else goes on, so that it keeps its link. */
function hear(page: Page, on: boolean): Promise<void> {
  return page.evaluate((wanted) => {
    const it = window as Held;
    const socket = it.held?.quotes;
    if (!socket) throw new Error("the page has no quote socket");
    it.hearing = wanted;
    // A link that was made anew has a handler of its own.
    if (socket.heard) return;
    const own = socket.onmessage as Handler | null;
    socket.heard = (event) => {
      const ticks = String(event.data).match(/"seq"/g)?.length ?? 0;
      if (it.hearing) it.ticksSeen = (it.ticksSeen ?? 0) + ticks;
      if (it.hearing || ticks === 0) own?.call(socket, event);
    };
    socket.onmessage = socket.heard;
  }, on);
}

const ticksSeen = (page: Page): Promise<number> => page.evaluate(() => (window as Held).ticksSeen ?? 0);

async function traced(browser: Browser, page: Page, seconds: number): Promise<{ times: FrameTimes; ticks: number }> {
  const before = await ticksSeen(page);
  await browser.startTracing(page, { categories: CATEGORIES });
  await page.waitForTimeout(seconds * 1000);
  const trace = await browser.stopTracing();
  return { times: frameTimes(trace), ticks: (await ticksSeen(page)) - before };
}

function turn(all: readonly { times: FrameTimes; ticks: number }[]): Turn {
  const seconds = all.reduce((sum, each) => sum + each.times.seconds, 0);
  const script = all.flatMap((each) => each.times.scriptMs);
  return {
    frames: script.length,
    framesPerSecond: Math.round((script.length / seconds) * 10) / 10,
    ticksPerSecond: Math.round(all.reduce((sum, each) => sum + each.ticks, 0) / seconds),
    script: spread(script),
    task: spread(all.flatMap((each) => each.times.taskMs)),
    scriptShare: Math.round((script.reduce((sum, each) => sum + each, 0) / (seconds * 1000)) * 1000) / 10,
  };
}

async function frames(browser: Browser, page: Page): Promise<{ ticks: Turn; quiet: Turn }> {
  const [busy, quiet] = [[], []] as [{ times: FrameTimes; ticks: number }[], { times: FrameTimes; ticks: number }[]];
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const on of round % 2 === 0 ? [true, false] : [false, true]) {
      await hear(page, on);
      await page.waitForTimeout(1000);
      (on ? busy : quiet).push(await traced(browser, page, SECONDS));
    }
  }
  await hear(page, true);
  return { ticks: turn(busy), quiet: turn(quiet) };
}

/** From the answer 201 to the painted row of the order, and from the press to the answer. */
async function acceptance(page: Page): Promise<{ toRow: Spread; toAnswer: Spread; orders: number }> {
  const [toRow, toAnswer] = [[], []] as [number[], number[]];
  // Only rows in sight are drawn: the newest has to be one of them.
  const newest = page.locator("select").filter({ has: page.locator("option", { hasText: "Newest first" }) });
  for (let each = 0; each < ORDERS; each += 1) {
    if (await newest.count()) await newest.selectOption({ label: "Newest first" });
    // A feed that has just gone on, or a link that has just come back, leaves the button off for a moment.
    await expect(page.getByTestId(`buy-${each % 2 === 0 ? "up" : "down"}`)).toBeEnabled();
    const { row, answer } = await page.evaluate(
      (direction) =>
        new Promise<{ row: number; answer: number }>((resolve, reject) => {
          const original = window.fetch;
          const pressed = performance.now();
          window.fetch = async (...args) => {
            const response = await original(...args);
            const url = args[0] instanceof Request ? args[0].url : String(args[0]);
            if (response.status !== 201 || !url.includes("/api/v1/orders")) return response;
            const answered = performance.now();
            window.fetch = original;
            const { id } = (await response.clone().json()) as { id: string };
            const look = (): void => {
              if (!document.querySelector(`[data-order='${id}']`)) return;
              observer.disconnect();
              requestAnimationFrame(() => {
                const channel = new MessageChannel();
                channel.port1.onmessage = () => { resolve({ row: performance.now() - answered, answer: answered - pressed }); };
                channel.port2.postMessage(null);
              });
            };
            const observer = new MutationObserver(look);
            observer.observe(document.body, { childList: true, subtree: true, attributes: true });
            look();
            return response;
          };
          setTimeout(() => { reject(new Error("no row within 20 s")); }, 20_000);
          document.querySelector<HTMLButtonElement>(`[data-testid=buy-${direction}]`)?.click();
        }),
      each % 2 === 0 ? "up" : "down",
    );
    toRow.push(row);
    toAnswer.push(answer);
    await page.waitForTimeout(300);
  }
  return { toRow: spread(toRow), toAnswer: spread(toAnswer), orders: ORDERS };
}

/** From a message with another price of the chosen asset to the frame in which that price is painted. */
function tickToPaint(page: Page, seconds: number): Promise<number[]> {
  return page.evaluate(
    ({ code, forMs }) =>
      new Promise<number[]>((resolve) => {
        const found: number[] = [];
        let came: number | null = null;
        const socket = (window as Held).held?.quotes;
        const price = document.querySelector("[data-testid=price]");
        const heard = (event: MessageEvent): void => {
          if (came === null && String(event.data).includes(`"${code}"`)) came = performance.now();
        };
        const observer = new MutationObserver(() => {
          const since = came;
          came = null;
          if (since === null) return;
          requestAnimationFrame(() => {
            const channel = new MessageChannel();
            channel.port1.onmessage = () => { found.push(performance.now() - since); };
            channel.port2.postMessage(null);
          });
        });
        socket?.addEventListener("message", heard);
        if (price) observer.observe(price, { childList: true, characterData: true, subtree: true });
        setTimeout(() => {
          socket?.removeEventListener("message", heard);
          observer.disconnect();
          resolve(found);
        }, forMs);
      }),
    { code: SYMBOL, forMs: seconds * 1000 },
  );
}

async function atSpeed(browser: Browser, page: Page, cdp: CDPSession, throttle: number): Promise<Found> {
  await cdp.send("Emulation.setCPUThrottlingRate", { rate: throttle });
  await page.waitForTimeout(2000);
  const found = { ...(await frames(browser, page)), tickToPaint: spread(await tickToPaint(page, SECONDS)), acceptance: await acceptance(page) };
  await cdp.send("Emulation.setCPUThrottlingRate", { rate: 1 });
  return found;
}

test("the trade page under load", async ({ browser, page }) => {
  await page.emulateMedia({ reducedMotion: "reduce" });
  await holdQuotes(page);
  await enter(page);
  const cdp = await page.context().newCDPSession(page);
  await chooseAsset(page, SYMBOL);
  await page.getByTestId("stake").fill("1.00");
  await expect(page.getByTestId("buy-up")).toBeEnabled();
  const found: Found = { symbol: SYMBOL, rounds: ROUNDS, seconds: SECONDS };
  for (const throttle of [1, 4]) found[`cpu${String(throttle)}`] = await atSpeed(browser, page, cdp, throttle);

  const heap: Footprint[] = [await footprint(cdp, 0)];
  heap.push(...(await liveThrough(page, cdp, await sessionOf("bench"), { hours: HOURS, ticks: 480_000, perFrame: 800, orders: 240, points: 7 })));
  const [first, last] = [heap[1], heap.at(-1)];
  if (!first || !last) throw new Error("nothing was measured");
  found["heap"] = { hours: HOURS, points: heap, bound: Math.round(heapBound(first)), flat: last.heapBytes <= heapBound(first) };
  writeFileSync(OUT, JSON.stringify(found, null, 2));
  expect(last.heapBytes).toBeLessThanOrEqual(heapBound(first));
});
