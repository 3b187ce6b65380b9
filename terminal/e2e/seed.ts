/** Orders in every state, made once for whoever needs to look at them. */

import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { STATE, TRADER_STATE } from "./global-setup";
import { Session } from "./platform";

const SETTLED = `${STATE}/settled.txt`;

/** The id of a settled order of the trader; the first who asks makes it. */
export async function settledOrder(): Promise<string> {
  if (existsSync(SETTLED)) return readFileSync(SETTLED, "utf8");
  const session = await Session.kept(TRADER_STATE);
  const { id } = await session.order("EURUSD", "up", "10.00");
  await session.settled(id);
  writeFileSync(SETTLED, id);
  return id;
}
