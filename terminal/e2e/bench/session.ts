/**
 * A trading session in little time: the ticks that many hours bring come in as the page's own socket would hand them
 * over, so many a frame, while orders are placed and settled by the platform.
 */

import type { CDPSession, Page } from "@playwright/test";
import type { PlacedOrder, Session } from "../platform";

export interface Footprint {
  /** Ticks that had come in by then. */
  ticks: number;
  heapBytes: number;
  nodes: number;
  listeners: number;
}

interface Handle {
  quotes: WebSocket | null;
}

type Held = Window & { held?: Handle };

/** Keep hold of the quote socket the page opens; to be called before the page is. */
export async function holdQuotes(page: Page): Promise<void> {
  await page.addInitScript(() => {
    const held: Handle = { quotes: null };
    (window as Held).held = held;
    const Original = window.WebSocket;
    window.WebSocket = class extends Original {
      constructor(url: string | URL, protocols?: string | string[]) {
        super(url, protocols);
        if (String(url).includes("/ws/quotes/")) held.quotes = this;
      }
    };
  });
}

export interface Flow {
  symbols: readonly { code: string; price: number; scale: number }[];
  ticks: number;
  perFrame: number;
  /** Milliseconds of the market between two ticks. */
  stepMs: number;
  firstSeq: number;
  firstAtMs: number;
}

/** Let ticks come in, so many in each frame, as if hours went by; answers when all have. */
export function pour(page: Page, flow: Flow): Promise<void> {
  return page.evaluate(
    (all) =>
      new Promise<void>((resolve) => {
        let done = 0;
        const prices = all.symbols.map((each) => each.price);
        const frame = (): void => {
          const ticks: object[] = [];
          for (let count = 0; count < all.perFrame && done < all.ticks; count += 1, done += 1) {
            const at = done % all.symbols.length;
            const symbol = all.symbols[at];
            if (!symbol) continue;
            prices[at] = (prices[at] ?? symbol.price) + (((done * 7919) % 13) - 6) * 10 ** -symbol.scale;
            ticks.push({
              symbol: symbol.code,
              seq: all.firstSeq + Math.floor(done / all.symbols.length),
              at: new Date(all.firstAtMs + done * all.stepMs).toISOString(),
              price: (prices[at] ?? 0).toFixed(symbol.scale),
            });
          }
          const socket = (window as Window & { held?: { quotes: WebSocket | null } }).held?.quotes;
          socket?.dispatchEvent(new MessageEvent("message", { data: JSON.stringify({ type: "ticks", ticks }) }));
          if (done < all.ticks) requestAnimationFrame(frame);
          else resolve();
        };
        requestAnimationFrame(frame);
      }),
    flow,
  );
}

/** What the page holds after everything that can be collected was. */
export async function footprint(cdp: CDPSession, ticks: number): Promise<Footprint> {
  for (let each = 0; each < 3; each += 1) await cdp.send("HeapProfiler.collectGarbage");
  const { usedSize } = await cdp.send("Runtime.getHeapUsage");
  const counters = await cdp.send("Memory.getDOMCounters");
  return { ticks, heapBytes: usedSize, nodes: counters.nodes, listeners: counters.jsEventListeners };
}

/** What is poured: every symbol that the platform offers, from its last tick on. */
export async function flowOf(session: Session, ticks: number, perFrame: number, hours: number): Promise<Flow> {
  const { data } = await session.get<{ data: { code: string; price_scale: number; last_tick: { seq: number; price: string } | null }[] }>("/api/v1/symbols");
  const symbols = data.flatMap((each) => (each.last_tick ? [{ code: each.code, price: Number(each.last_tick.price), scale: each.price_scale }] : []));
  const highest = Math.max(...data.map((each) => each.last_tick?.seq ?? 0));
  return { symbols, ticks, perFrame, stepMs: (hours * 3_600_000) / ticks, firstSeq: highest + 10_000, firstAtMs: Date.now() };
}

export interface Plan {
  hours: number;
  ticks: number;
  perFrame: number;
  orders: number;
  /** How many measurements after the first one. */
  points: number;
}

/** Live through the hours of a plan; the first footprint is taken after one part, when everything has been used once. */
export async function liveThrough(page: Page, cdp: CDPSession, session: Session, plan: Plan): Promise<Footprint[]> {
  const found: Footprint[] = [];
  const parts = plan.points + 1;
  const flow = await flowOf(session, Math.floor(plan.ticks / parts), plan.perFrame, plan.hours / parts);
  for (let part = 0; part < parts; part += 1) {
    const placing = placeAll(session, Math.floor(plan.orders / parts));
    await pour(page, { ...flow, firstSeq: flow.firstSeq + part * flow.ticks, firstAtMs: flow.firstAtMs + part * flow.ticks * flow.stepMs });
    for (const order of await placing) await session.settled(order.id);
    found.push(await footprint(cdp, (part + 1) * flow.ticks));
  }
  return found;
}

async function placeAll(session: Session, count: number): Promise<PlacedOrder[]> {
  const placed: PlacedOrder[] = [];
  for (let each = 0; each < count; each += 1) placed.push(await session.order("EURUSD", each % 2 === 0 ? "up" : "down", "1.00"));
  return placed;
}

/** The bound on growth: flat but for a tenth and 2 MB. */
export function heapBound(first: Footprint): number {
  return first.heapBytes * 1.1 + 2_000_000;
}
