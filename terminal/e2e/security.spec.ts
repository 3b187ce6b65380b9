import { createHmac } from "node:crypto";
import type { Page } from "@playwright/test";
import { expect, test } from "./fixtures";

// A passkey is bound to a name; the number of a machine is none.
const here = new URL(process.env["BASE_URL"] ?? "http://127.0.0.1:8000");
test.use({ trader: "nobody", baseURL: `${here.protocol}//localhost:${here.port}` });

// Three log-ins each, on a machine that may be busy.
test.setTimeout(240_000);

const PASSWORD = "a-good-long-sentence";

/** The code of this moment (RFC 6238, SHA-1, 30 s, six digits). */
function totp(secret: string): string {
  const bits = [...secret.replaceAll(/[\s=]/g, "")].map((each) => "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".indexOf(each).toString(2).padStart(5, "0")).join("");
  const key = Buffer.from((bits.match(/.{8}/g) ?? []).map((byte) => Number.parseInt(byte, 2)));
  const counter = Buffer.alloc(8);
  counter.writeBigUInt64BE(BigInt(Math.floor(Date.now() / 30_000)));
  const digest = createHmac("sha1", key).update(counter).digest();
  const at = (digest.at(-1) ?? 0) & 15;
  return ((digest.readUInt32BE(at) & 0x7fffffff) % 1_000_000).toString().padStart(6, "0");
}

async function codeMailedTo(page: Page, email: string): Promise<string> {
  const answer = await page.request.get(`/dev/mail?format=json&to=${encodeURIComponent(email)}`);
  const mails = ((await answer.json()) as { data: { body: string }[] }).data;
  return /\b\d{6}\b/.exec(mails[0]?.body ?? "")?.[0] ?? "";
}

/** Make a user of this test's own, so that no other log-in gets a second factor. */
async function signUp(page: Page): Promise<string> {
  const email = `key-${Date.now().toString(36)}@example.com`;
  await page.goto("/log-in");
  const token = (await page.context().cookies()).find((each) => each.name === "csrftoken")?.value ?? "";
  const headers = { "X-CSRFToken": token, Referer: page.url() };
  const data = { email, password: PASSWORD, country: "DE", terms_accepted: true };
  expect((await page.request.post("/_allauth/browser/v1/auth/signup", { data, headers })).status()).toBe(401);
  const key = await codeMailedTo(page, email);
  const done = await page.request.post("/_allauth/browser/v1/auth/email/verify", { data: { key }, headers });
  expect(done.status()).toBe(200);
  return email;
}

async function confirmSelf(page: Page): Promise<void> {
  const dialog = page.getByRole("dialog", { name: "Confirm that it is you" });
  await dialog.locator("input[name=password]").fill(PASSWORD);
  await dialog.getByRole("button", { name: "Confirm", exact: true }).click();
  await expect(dialog).toHaveCount(0);
}

async function leave(page: Page): Promise<void> {
  await page.context().clearCookies();
  await page.goto("/log-in");
}

test("an authenticator app is set up, asked for at log-in, and turned off", async ({ page }) => {
  const email = await signUp(page);
  await page.goto("/security");
  await page.getByTestId("totp").getByRole("button", { name: "Set up" }).click();
  const setUp = page.getByRole("dialog", { name: "Set up an authenticator app" });
  await expect(setUp.getByRole("img", { name: /QR code/ })).toBeVisible();
  const secret = await setUp.getByTestId("secret").innerText();
  await setUp.getByLabel("Code that the app shows").fill("000000");
  await setUp.getByRole("button", { name: "Turn on" }).click();
  await expect(setUp.getByText("This code is not right.")).toBeVisible();
  // A code is good for the rest of its half minute only; a busy machine needs some of it.
  const left = 30_000 - (Date.now() % 30_000);
  if (left < 15_000) await page.waitForTimeout(left);
  await setUp.getByLabel("Code that the app shows").fill(totp(secret));
  await setUp.getByRole("button", { name: "Turn on" }).click();
  // Whoever finds a browser open must know the password, too; what was typed is sent again.
  await confirmSelf(page);
  const codes = page.getByRole("dialog", { name: "Your recovery codes" });
  await expect(codes.getByTestId("recovery-codes").locator("li")).toHaveCount(10);
  const recovery = await codes.getByTestId("recovery-codes").locator("li").first().innerText();
  await codes.getByRole("button", { name: "I have kept them" }).click();
  await expect(page.getByTestId("totp")).toContainText("On");

  await leave(page);
  await page.getByLabel("E-mail").fill(email);
  await page.locator("input[name=password]").fill(PASSWORD);
  await page.getByRole("button", { name: "Log in", exact: true }).click();
  await expect(page.getByRole("heading", { name: "Second step" })).toBeVisible();
  await expect(page.getByRole("button", { name: "Use a passkey" })).toHaveCount(0);
  await page.locator("input[name=code]").fill(recovery);
  await page.getByRole("button", { name: "Confirm", exact: true }).click();
  await expect(page.locator("[data-connection=live]")).toBeVisible({ timeout: 30_000 });

  await page.goto("/security");
  await expect(page.getByTestId("codes")).toContainText("9 of 10 left", { timeout: 30_000 });
  await page.getByTestId("totp").getByRole("button", { name: "Turn off" }).click();
  await page.getByRole("dialog", { name: "Turn off the authenticator app?" }).getByRole("button", { name: "Turn off" }).click();
  await confirmSelf(page);
  await expect(page.getByTestId("totp")).toContainText("Off");
});

test("a passkey is added, opens the account without a password, and is a second step", async ({ page }) => {
  const device = await page.context().newCDPSession(page);
  await device.send("WebAuthn.enable");
  await device.send("WebAuthn.addVirtualAuthenticator", {
    options: { protocol: "ctap2", transport: "internal", hasResidentKey: true, hasUserVerification: true, isUserVerified: true, automaticPresenceSimulation: true },
  });

  const email = await signUp(page);
  await page.goto("/security");
  await page.getByRole("button", { name: "Add a passkey" }).click();
  const add = page.getByRole("dialog", { name: "Add a passkey" });
  await add.getByLabel("Name").fill("Test key");
  await add.getByRole("button", { name: "Add a passkey" }).click();
  await confirmSelf(page);
  await page.getByRole("dialog", { name: "Your recovery codes" }).getByRole("button", { name: "I have kept them" }).click();
  await expect(page.getByTestId("passkey")).toContainText("Test key");
  await expect(page.getByTestId("passkey")).toContainText("Opens without password");

  await leave(page);
  await page.getByRole("button", { name: "Log in with a passkey" }).click();
  await expect(page.locator("[data-connection=live]")).toBeVisible({ timeout: 30_000 });

  await leave(page);
  await page.getByLabel("E-mail").fill(email);
  await page.locator("input[name=password]").fill(PASSWORD);
  await page.getByRole("button", { name: "Log in", exact: true }).click();
  await page.getByRole("button", { name: "Use a passkey" }).click();
  await expect(page.locator("[data-connection=live]")).toBeVisible({ timeout: 30_000 });

  await page.goto("/security");
  await page.getByRole("button", { name: "Remove Test key" }).click();
  await page.getByRole("dialog", { name: "Remove Test key?" }).getByRole("button", { name: "Remove" }).click();
  const again = page.getByRole("dialog", { name: "Confirm that it is you" });
  await again.getByRole("radio", { name: "Passkey" }).click();
  await again.getByRole("button", { name: "Use a passkey" }).click();
  await expect(page.getByTestId("passkey")).toHaveCount(0);
});
