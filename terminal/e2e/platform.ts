/** The running platform as the journeys use it: its API, its commands, and a feed that plays what a journey needs. */

import { spawn, spawnSync, type ChildProcess } from "node:child_process";
import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { expect, request, type APIRequestContext } from "@playwright/test";

export const BASE_URL = process.env["BASE_URL"] ?? "http://127.0.0.1:8000";
export const PASSWORD = "hard-to-guess-42";

const ROOT = resolve(import.meta.dirname, "../..");
const PYTHON = process.env["PYTHON_BIN"] ?? join(ROOT, ".venv/bin/python");
const COMMAND = [PYTHON, join(ROOT, "manage.py")] as const;

export interface PlacedOrder {
  id: string;
  state: string;
  profit: string | null;
  symbol: string;
}

/** Run a command of the contract beside the platform; DATA_DIR or DATABASE_URL say which one. */
export function manage(...args: string[]): string {
  const ended = spawnSync(COMMAND[0], [COMMAND[1], ...args], { encoding: "utf8", timeout: 60_000 });
  if (ended.status !== 0) throw new Error(`manage.py ${args.join(" ")}: ${ended.stderr}`);
  return ended.stdout;
}

/** A session of the API with its CSRF token, as the page has it. */
export class Session {
  private constructor(
    readonly api: APIRequestContext,
    readonly email: string,
  ) {}

  static async open(email: string): Promise<Session> {
    const session = new Session(await request.newContext({ baseURL: BASE_URL, storageState: { cookies: [], origins: [] } }), email);
    await session.api.get("/_allauth/browser/v1/config");
    return session;
  }

  /** A session that was kept in a file. */
  static async kept(path: string): Promise<Session> {
    return new Session(await request.newContext({ baseURL: BASE_URL, storageState: path }), "");
  }

  post<T>(path: string, data: object): Promise<T> {
    return this.write("POST", path, data);
  }

  put<T>(path: string, data: object): Promise<T> {
    return this.write("PUT", path, data);
  }

  private async write<T>(method: "POST" | "PUT", path: string, data: object): Promise<T> {
    const answer = await this.api.fetch(path, { method, data, headers: { "X-CSRFToken": await this.csrf() } });
    const text = await answer.text();
    if (answer.status() >= 400 && answer.status() !== 401) throw new Error(`${path}: ${String(answer.status())} ${text}`);
    return (text === "" ? {} : JSON.parse(text)) as T;
  }

  async get<T>(path: string): Promise<T> {
    const answer = await this.api.get(path);
    if (!answer.ok()) throw new Error(`${path}: ${String(answer.status())} ${await answer.text()}`);
    return (await answer.json()) as T;
  }

  private async csrf(): Promise<string> {
    const { cookies } = await this.api.storageState();
    return cookies.find((each) => each.name === "csrftoken")?.value ?? "";
  }

  /** Buy; a price that is late for a moment, as on a busy machine, is waited for. */
  async order(symbol: string, direction: "up" | "down", stake: string, durationS = 5): Promise<PlacedOrder> {
    const id = `j-${String(Date.now())}-${Math.random().toString(36).slice(2, 8)}`;
    let placed: PlacedOrder | undefined;
    await expect(async () => {
      placed = await this.post<PlacedOrder>("/api/v1/orders", { ledger: "demo", symbol, direction, stake, duration_s: durationS, client_order_id: id });
    }).toPass({ timeout: 20_000, intervals: [500] });
    return placed as PlacedOrder;
  }

  /** Wait until an order is settled and answer it. */
  async settled(id: string): Promise<PlacedOrder> {
    let order: PlacedOrder | undefined;
    await expect
      .poll(async () => (order = await this.get<PlacedOrder>(`/api/v1/orders/${id}`)).state, { timeout: 40_000, intervals: [300] })
      .not.toBe("open");
    return order as PlacedOrder;
  }
}

/** The code that the newest mail to an address holds. */
export async function mailedCode(api: APIRequestContext, email: string): Promise<string> {
  let code: string | undefined;
  await expect
    .poll(async () => {
      const mails = (await (await api.get(`/dev/mail?format=json&to=${encodeURIComponent(email)}`)).json()) as { data: { body: string }[] };
      code = /\bcode is (\S+)/.exec(mails.data[0]?.body ?? "")?.[1];
      return code;
    }, { timeout: 15_000 })
    .toBeTruthy();
  return code ?? "";
}

/** An address nobody has used yet. */
export function newAddress(name: string): string {
  return `${name}-${Date.now().toString(36)}${Math.random().toString(36).slice(2, 5)}@example.com`;
}

/** Sign up as a person does who only wants to try: an address, a country, the code from the mail. */
export async function signUp(name: string, upTo: "code" | "done" = "done"): Promise<Session> {
  const session = await Session.open(newAddress(name));
  await session.post("/_allauth/browser/v1/auth/signup", { email: session.email, password: PASSWORD, country: "DE", terms_accepted: true });
  if (upTo === "code") return session;
  await session.post("/_allauth/browser/v1/auth/email/verify", { key: await mailedCode(session.api, session.email) });
  return session;
}

/** Prices of a script: so many milliseconds of ticks, each given by its number. */
export interface Stretch {
  ms: number;
  price: (tick: number) => string;
}

const EVERY_MS = 250;
const FAR_AHEAD_MS = 200;

export function scriptLines(source: string, stretches: readonly Stretch[]): string {
  const lines: string[] = [];
  let offset = 0;
  for (const { ms, price } of stretches) {
    for (let tick = 0; tick * EVERY_MS < ms; tick += 1) lines.push(`${String(offset + tick * EVERY_MS)},${source},${price(tick)}`);
    offset += ms;
  }
  return lines.join("\n") + "\n";
}

/** Offer a symbol that only scripts price; the same terms again change nothing. */
export function offerScripted(code: string, name: string): void {
  manage("add_symbol", code, "--feed", "script", "--source", code, "--name", name, "--price-scale", "4", "--max-tick-age-ms", "1500", "--min-duration", "5", "--entry-rule", "last_tick/1");
}

/** Play a script until it ends; the answered function ends it early. */
export async function playScript(lines: string): Promise<() => void> {
  const file = join(mkdtempSync(join(tmpdir(), "fairstrike-script-")), "ticks.csv");
  writeFileSync(file, lines);
  const player: ChildProcess = spawn(COMMAND[0], [COMMAND[1], "parse_quotes", "--feed", "script", "--file", file], { stdio: ["ignore", "pipe", "pipe"] });
  let said = "";
  player.stdout?.on("data", (text: Buffer) => (said += text.toString()));
  player.stderr?.on("data", (text: Buffer) => (said += text.toString()));
  await expect.poll(() => said, { timeout: 30_000, intervals: [FAR_AHEAD_MS] }).toContain("script start");
  return () => {
    if (player.exitCode === null) player.kill("SIGTERM");
  };
}

/** Wait until a symbol can be bought. */
export async function untilOpen(session: Session, code: string): Promise<void> {
  await expect
    .poll(async () => (await session.get<{ state: string }>(`/api/v1/symbols/${code}`)).state, { timeout: 20_000, intervals: [200] })
    .toBe("open");
}
