import { Expert } from "./expert";
import { expect, test } from "./fixtures";
import { sessionOf } from "./people";

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
  await expect(page.getByText("Key revoked")).toBeVisible();
  await expect.poll(async () => (await expert.send()).code, { timeout: 5_000 }).toBe("key_revoked");
  await expect(page.getByRole("cell").filter({ hasText: "Revoked" })).toBeVisible();
  await expert.end();
});

test("an owner names a symbol that no rule knows, and the next signal with it passes", async ({ page }) => {
  const session = await sessionOf("bridge");
  const { id } = await session.post<{ id: number }>("/api/v1/ea/installations", { account: "60077002", server: SERVER, ledger: "demo" });
  const { code } = await session.post<{ code: string }>(`/api/v1/ea/installations/${String(id)}/pairing`, { ledgers: ["demo"], networks: [] });
  const expert = await Expert.paired(code, "60077002", SERVER);
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
