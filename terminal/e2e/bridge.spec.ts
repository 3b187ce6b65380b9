import { Expert } from "./expert";
import { expect, test } from "./fixtures";
import { sessionOf } from "./people";
import { PASSWORD } from "./platform";

test.use({ trader: "bridge" });

const [ACCOUNT, SERVER] = ["60077001", "Journey-Demo"];

test("an owner pairs a terminal, sees its signal become an order and where its time went, and revokes its key", async ({ page }) => {
  await page.goto("/developer");
  await page.getByRole("main").getByRole("link", { name: "Bridge" }).click();
  await expect(page.getByText("No terminal yet")).toBeVisible();

  await page.getByRole("button", { name: "Connect a terminal" }).first().click();
  const dialog = page.getByRole("dialog");
  await dialog.getByLabel("Account", { exact: true }).fill(ACCOUNT);
  await dialog.getByLabel("Trade server").fill(SERVER);
  await dialog.getByRole("button", { name: "Get a pairing code" }).click();
  const code = (await dialog.getByTestId("pairing-code").innerText()).trim();
  await expect(dialog.getByRole("timer")).toHaveText(/^Good for (10:00|09:\d\d), once$/);

  const expert = await Expert.paired(code, ACCOUNT, SERVER);
  await expect(dialog.getByTestId("paired")).toBeVisible();
  await dialog.getByRole("link", { name: "See the installation" }).click();
  await expect(page.getByRole("heading", { level: 2, name: new RegExp(ACCOUNT) })).toBeVisible();
  await expect(page.locator(`[data-key='${expert.kid}']`)).toBeVisible();

  const reply = await expert.send({}, 2);
  expect(reply.type).toBe("ack");
  await page.getByRole("navigation", { name: "Parts of the bridge" }).getByRole("link", { name: "Signals" }).click();
  const row = page.getByRole("row").filter({ has: page.locator(`[data-signal='${reply.event_id ?? ""}']`) });
  await expect(row).toContainText(/Accepted|Open|Won|Lost|Tied/);
  await expect(row).toContainText("came again 1 time");
  await row.getByRole("link", { name: /^Signal of EURUSD/ }).click();
  await expect(page.getByText(`"kid":"${expert.kid}"`)).toBeVisible();
  await page.getByRole("link", { name: "See the order" }).click();
  await expect(page.getByRole("heading", { level: 1 })).toContainText("EURUSD");

  // The first signal came again, so only the second one is measured.
  expect((await expert.send({ symbol: "GBPUSD" })).type).toBe("ack");
  await page.goto("/developer/bridge/attribution");
  const card = page.locator("[data-symbol=GBPUSD]");
  await expect(card).toContainText("breakout");
  await expect(card.getByRole("img")).toHaveAttribute("aria-label", /Log \d.*Placement \d/);
  const told = page.getByTestId("attribution-at");
  const before = await told.innerText();
  await expect(told).not.toHaveText(before);

  await page.getByRole("navigation", { name: "Parts of the bridge" }).getByRole("link", { name: "Installations" }).click();
  await page.getByRole("link", { name: new RegExp(`^Open ${ACCOUNT}`) }).click();
  await page.getByRole("button", { name: `Revoke ${expert.kid}` }).click();
  await dialog.getByRole("button", { name: "Revoke" }).click();
  await expect(page.getByText("Key revoked", { exact: true })).toBeVisible();
  await expect.poll(async () => (await expert.send()).code, { timeout: 5_000 }).toBe("key_revoked");
  await expect(page.getByRole("cell").filter({ hasText: "Revoked" })).toBeVisible();
  await expert.end();
});

test("an owner names a symbol that no rule knows, and the next signal with it passes", async ({ page }) => {
  const { expert } = await Expert.of(await sessionOf("bridge"), "60077002", SERVER);
  await expert.send({ symbol: "GOLD.spot9" });
  await page.goto("/developer/bridge/symbols");
  await page.getByRole("button", { name: "Name GOLD.spot9" }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByLabel("Symbol").selectOption("XAUUSD");
  await dialog.getByRole("button", { name: "Use this name" }).click();
  await expect(page.getByText("Every name is known")).toBeVisible();
  await expert.send({ symbol: "GOLD.spot9" });
  await page.goto("/developer/bridge/signals");
  const rows = page.getByRole("row").filter({ hasText: "GOLD.spot9" });
  await expect(rows.filter({ hasText: /Accepted|Open/ })).toHaveCount(1);
  await expect(rows.filter({ hasText: "Denied" })).toHaveCount(1);
  await expert.end();
});

test("what an owner sets for an installation binds from the next signal on", async ({ page }) => {
  const session = await sessionOf("bridge");
  const { expert, id } = await Expert.of(session, "60077003", SERVER);
  const newest = async (): Promise<string | null | undefined> => (await session.get<{ data: { code: string | null }[] }>(`/api/v1/ea/signals?installation=${id}&limit=1`)).data[0]?.code;
  /** What was set holds within a second or so: signals are sent until one is denied for it. */
  const denied = (code: string): Promise<void> => expect(async () => {
    expect((await expert.send()).type).toBe("ack");
    await expect.poll(newest, { timeout: 3_000 }).toBe(code);
  }).toPass({ timeout: 20_000 });
  const set = async (state: string, reason: string): Promise<void> => {
    await page.getByRole("radio", { name: state }).click();
    await page.getByLabel("Reason").fill(reason);
    await page.getByRole("button", { name: "Set state" }).click();
    await expect(page.getByRole("heading", { level: 2 }).first()).toContainText(state);
  };

  await page.goto(`/developer/bridge/installations/${id}`);
  await set("Halted", "Holiday");
  await expect(page.getByRole("listitem").filter({ hasText: "This installation" })).toContainText("Holiday");
  await denied("risk.halted");
  await set("Active", "Back");

  await page.getByRole("button", { name: "Change limits" }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByLabel("Largest stake, Refuse").fill("2");
  await dialog.getByRole("button", { name: "Add a time" }).click();
  await dialog.getByRole("radio", { name: "Warn" }).click();
  await dialog.getByLabel("From, UTC").fill("2026-12-04T13:00");
  await dialog.getByLabel("To, UTC").fill("2026-12-04T15:00");
  await dialog.getByRole("button", { name: "Save limits" }).click();
  await expect(dialog).toHaveCount(0);
  await expect(page.getByRole("row").filter({ hasText: "Largest stake" })).toContainText("2");
  await expect(page.getByText("1 time that is only noted")).toBeVisible();
  await denied("risk.stake_max");

  await page.getByRole("button", { name: "Set parameters" }).click();
  await dialog.getByLabel("Strategy").fill("breakout");
  await dialog.getByLabel("Name 1").fill("lookback");
  await dialog.getByLabel("Value 1").fill("14");
  await dialog.getByRole("button", { name: "Send to the expert" }).click();
  await expect(page.getByRole("listitem").filter({ hasText: "breakout" })).toContainText("Revision 1");
  await page.getByRole("button", { name: "Pause", exact: true }).click();
  await expect(page.getByText(/^Pause: sent as number \d+$/).last()).toBeVisible();
  await expert.end();
});

test("a key for real money wants a fresh proof of who asks", async ({ page }) => {
  await page.goto("/developer/bridge");
  await page.getByRole("button", { name: "Connect a terminal" }).first().click();
  const dialog = page.getByRole("dialog", { name: "Connect a terminal" });
  await dialog.getByLabel("Account", { exact: true }).fill("60077004");
  await dialog.getByLabel("Trade server").fill(SERVER);
  await dialog.getByRole("radio", { name: "Real" }).click();
  await expect(dialog.getByText("will use real money")).toBeVisible();
  await dialog.getByRole("button", { name: "Get a pairing code" }).click();
  const proof = page.getByRole("dialog", { name: "Confirm that it is you" });
  await proof.getByLabel("Password", { exact: true }).fill(PASSWORD);
  await proof.getByRole("button", { name: "Confirm" }).click();
  await expect(page.getByTestId("pairing-code")).toHaveText(/^[0-9A-Z]{4}(-[0-9A-Z]{4}){2}$/);
});

test("a trader who knows TradingView makes a hook, sees its first alert become an order, is told of a wrong one anywhere, and ends it", async ({ page, request }) => {
  await page.goto("/developer/bridge");
  await page.getByRole("navigation", { name: "Parts of the bridge" }).getByRole("link", { name: "TradingView" }).click();
  await page.getByRole("button", { name: "Connect TradingView" }).first().click();
  const dialog = page.getByRole("dialog");
  await dialog.getByLabel("Strategy").fill("cross");
  await dialog.getByRole("button", { name: "Make the hook" }).click();
  const address = (await dialog.getByTestId("hook-url").locator("pre").innerText()).trim();
  await dialog.getByRole("radio", { name: "An indicator" }).click();
  await dialog.getByLabel("Stake", { exact: true }).fill("2.00");
  const message = await dialog.getByTestId("hook-message").locator("pre").innerText();
  await expect(dialog.getByText("TradingView cannot reach this address")).toBeVisible();

  /** What TradingView posts when the alert fires: the message with its places filled. */
  const fire = (members: object = {}) => {
    const [now, bar] = [new Date().toISOString(), new Date(Math.floor(Date.now() / 60_000) * 60_000).toISOString()];
    const filled = message.replace("{{exchange}}:{{ticker}}", "OANDA:EURUSD").replace("{{time}}", bar).replace("{{timenow}}", now).replace("{{close}}", "1.1");
    return request.post(new URL(address).pathname, { data: Buffer.from(JSON.stringify({ ...(JSON.parse(filled) as object), ...members })), headers: { "Content-Type": "text/plain" } });
  };
  expect((await fire()).status()).toBe(200);
  await expect(dialog.getByTestId("hook-came")).toBeVisible();
  await dialog.getByRole("link", { name: "See the signals" }).click();
  const row = page.getByRole("row").filter({ hasText: "cross" });
  await expect(row).toContainText(/Accepted|Open|Won|Lost|Tied/);

  await page.getByRole("link", { name: "History", exact: true }).click();
  expect((await fire({ secret: "not the secret" })).status()).toBe(403);
  await expect(page.getByText("Bridge: A signature or a secret was wrong", { exact: true })).toBeVisible();
  await expect(page.getByRole("link", { name: /^Developer, \d\+? new alerts? of the bridge$/ })).toBeVisible();
  await page.getByRole("link", { name: "See the alerts" }).click();
  await expect(page.locator("[data-alert=bad_sig]").first()).toBeVisible();
  await expect(page.getByRole("link", { name: "Developer", exact: true }).first()).toBeVisible();

  await page.getByRole("navigation", { name: "Parts of the bridge" }).getByRole("link", { name: "TradingView" }).click();
  await page.getByRole("button", { name: "End cross" }).click();
  await dialog.getByRole("button", { name: "End", exact: true }).click();
  await expect(page.getByText("cross has ended", { exact: true }).first()).toBeVisible();
  expect((await fire()).status()).toBe(404);
});
