/** The people of the journeys: each name signs up once in a run, and what they hold is nobody else's. */

import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { workedBridge } from "./expert";
import { BASE_URL, Session, signUp } from "./platform";

export const STATE = "test-results/.state";
export const NOBODY = { cookies: [], origins: [] };

interface Kept {
  cookies: [];
  origins: { origin: string; localStorage: { name: string; value: string }[] }[];
}

/** What this person's browser remembers of the terminal: the tour is over. */
function toured(path: string): void {
  const kept = JSON.parse(readFileSync(path, "utf8")) as Kept;
  kept.origins = [{ origin: new URL(BASE_URL).origin, localStorage: [{ name: "fairstrike.toured", value: "true" }] }];
  writeFileSync(path, JSON.stringify(kept));
}

/** The kept session of a person; `pending` has signed up and not yet entered the code from the mail. */
export async function stateOf(name: string): Promise<string> {
  const path = `${STATE}/${name}.json`;
  if (existsSync(path)) return path;
  const session = await signUp(name, name === "pending" ? "code" : "done");
  await session.api.storageState({ path });
  await session.api.dispose();
  toured(path);
  return path;
}

export async function sessionOf(name: string): Promise<Session> {
  return Session.kept(await stateOf(name));
}

/** Place the order whose receipt is looked at later; the earlier, the sooner it is sealed. */
export async function firstOrder(): Promise<void> {
  const { id } = await (await sessionOf("screens")).order("EURUSD", "up", "10.00");
  writeFileSync(`${STATE}/order.txt`, id);
}

/** Let an expert of this person work, so that the pages of the bridge have something to show. */
export async function firstSignals(): Promise<void> {
  writeFileSync(`${STATE}/bridge-ids.json`, JSON.stringify(await workedBridge(await sessionOf("screens"))));
}

/** The installation and the signal that the pages of the bridge are shown with. */
export function bridgeIds(): Record<string, string> {
  return JSON.parse(readFileSync(`${STATE}/bridge-ids.json`, "utf8")) as Record<string, string>;
}

/** The id of that order, when it is settled. */
export async function settledOrder(): Promise<string> {
  const id = readFileSync(`${STATE}/order.txt`, "utf8");
  await (await sessionOf("screens")).settled(id);
  return id;
}
