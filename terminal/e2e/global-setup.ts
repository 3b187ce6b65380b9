import { mkdirSync, rmSync } from "node:fs";
import { firstOrder, STATE } from "./people";

/** Begin with nobody: who is needed signs up when a journey first asks for them. */
export default async function setUp(): Promise<void> {
  rmSync(STATE, { recursive: true, force: true });
  mkdirSync(STATE, { recursive: true });
  await firstOrder();
}
