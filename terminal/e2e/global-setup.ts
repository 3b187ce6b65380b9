import { mkdirSync } from "node:fs";
import { signUp } from "./platform";

export const STATE = "test-results/.state";
export const TRADER_STATE = `${STATE}/trader.json`;
export const OTHER_STATE = `${STATE}/other.json`;
export const PENDING_STATE = `${STATE}/pending.json`;

/** Sign up the people of the journeys once: log-ins are limited, and each journey starts from a kept session. */
export default async function setUp(): Promise<void> {
  mkdirSync(STATE, { recursive: true });
  for (const [path, upTo] of [[TRADER_STATE, "done"], [OTHER_STATE, "done"], [PENDING_STATE, "code"]] as const) {
    const session = await signUp("journey", upTo);
    await session.api.storageState({ path });
    await session.api.dispose();
  }
}
