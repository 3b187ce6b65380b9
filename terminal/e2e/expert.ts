/** An Expert Advisor as the bridge sees one: it redeems a pairing code and sends signed signals over HTTP. */

import { createHmac, randomBytes } from "node:crypto";
import { expect, request, type APIRequestContext } from "@playwright/test";
import { BASE_URL, type Session } from "./platform";

export interface Reply {
  type: "ack" | "reject";
  code?: string;
  event_id?: string;
}

function eventId(nowMs: number): string {
  const random = randomBytes(10);
  random[0] = ((random[0] ?? 0) & 0x0f) | 0x70;
  random[2] = ((random[2] ?? 0) & 0x3f) | 0x80;
  const hex = nowMs.toString(16).padStart(12, "0") + random.toString("hex");
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join("-");
}

export class Expert {
  private seq = 0;
  private readonly sid = randomBytes(8).toString("hex");

  private constructor(
    private readonly api: APIRequestContext,
    readonly kid: string,
    private readonly secret: string,
    private readonly account: string,
    private readonly server: string,
  ) {}

  /** Take the key that a code stands for. */
  static async paired(code: string, account: string, server: string): Promise<Expert> {
    const api = await request.newContext({ baseURL: BASE_URL, storageState: { cookies: [], origins: [] } });
    const answer = await api.post("/ea/v1/pair", { data: { code, account, server } });
    expect(answer.status(), await answer.text()).toBe(200);
    const { kid, secret } = (await answer.json()) as { kid: string; secret: string };
    return new Expert(api, kid, secret, account, server);
  }

  /** Register an account of a person and pair an expert with it. */
  static async of(session: Session, account: string, server: string): Promise<{ expert: Expert; id: string }> {
    const { id } = await session.post<{ id: number }>("/api/v1/ea/installations", { account, server, ledger: "demo" });
    const { code } = await session.post<{ code: string }>(`/api/v1/ea/installations/${String(id)}/pairing`, { ledgers: ["demo"], networks: [] });
    return { expert: await Expert.paired(code, account, server), id: String(id) };
  }

  private payload(members: object): string {
    this.seq += 1;
    const now = Date.now();
    const event = {
      type: "signal", v: 1, event_id: eventId(now), kid: this.kid, sid: this.sid, seq: this.seq, source: "mt5", acct: this.account, server: this.server, action: "open", strategy: "breakout",
      symbol: "EURUSD", direction: "call", stake: { mode: "fixed", value: "5.00", currency: "USD" }, expiry: { mode: "duration", s: 60 }, t_evt_ms: now - 12, t_sig_ms: now, ...members,
    };
    const open = JSON.stringify(event).slice(0, -1);
    return `${open},"sig":"${createHmac("sha256", this.secret).update(open).digest("hex")}"}`;
  }

  /** Sign and send a signal, `times` times with the same bytes, and answer the last reply. */
  async send(members: object = {}, times = 1): Promise<Reply> {
    const data = this.payload(members);
    let reply: Reply | undefined;
    for (let each = 0; each < times; each += 1) {
      const answer = await this.api.post("/ea/v1/events", { data: Buffer.from(data), headers: { "Content-Type": "application/json" } });
      expect(answer.status()).toBe(200);
      reply = (await answer.json()) as Reply;
    }
    return reply as Reply;
  }

  end(): Promise<void> {
    return this.api.dispose();
  }
}

/** Connect an expert to a person's bridge and let it work for a while: what pictures and checks of the pages show. */
export async function workedBridge(session: Session): Promise<{ installation: string; signal: string }> {
  const { expert, id } = await Expert.of(session, "50012345", "Broker-Demo");
  let signal = "";
  for (const [at, symbol] of ["EURUSD", "GBPUSD.m", "EURUSD", "XAUUSD", "GOLD.x", "EURUSD"].entries()) {
    const reply = await expert.send({ symbol, direction: at % 2 === 0 ? "call" : "put", strategy: symbol === "XAUUSD" ? "news" : "breakout" }, at === 2 ? 2 : 1);
    expect(reply.type).toBe("ack");
    if (at === 0) signal = reply.event_id ?? "";
  }
  await expect.poll(async () => (await session.get<{ data: { state: string }[] }>("/api/v1/ea/signals")).data.filter((each) => each.state === "received").length, { timeout: 20_000 }).toBe(0);
  const news = [{ from: "2026-12-04T13:15:00.000Z", to: "2026-12-04T14:00:00.000Z", currencies: ["USD"], name: "Payrolls" }];
  await session.put(`/api/v1/ea/installations/${id}/limits`, { version: 0, soft: { loss_day: "80.00", news }, hard: { stake_max: "25.00", loss_day: "150.00", open_options: 10 } });
  const { url } = await session.post<{ url: string }>(`/api/v1/ea/installations/${id}/hooks`, { name: "breakout", with_secret: true });
  // An alert that does not say the secret is refused, and its owner told.
  const wrong = await session.api.post(new URL(url).pathname, { data: { action: "buy", timenow: new Date().toISOString(), id: "1" } });
  expect(wrong.status()).toBe(403);
  await expert.end();
  return { installation: id, signal };
}
