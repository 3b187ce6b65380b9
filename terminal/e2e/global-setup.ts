import { mkdirSync, rmSync } from "node:fs";
import chromium from "@sparticuz/chromium";
import { firstOrder, firstSignals, STATE } from "./people";

/** Begin with nobody: who is needed signs up when a journey first asks for them. */
export default async function setUp(): Promise<void> {
  rmSync(STATE, { recursive: true, force: true });
  mkdirSync(STATE, { recursive: true });
  // The browser is unpacked once, before several workers would do so at the same time.
  await chromium.executablePath();
  await firstOrder();
  await firstSignals();
}
