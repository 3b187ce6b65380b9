import chromium from "@sparticuz/chromium";
import { chromium as driver } from "playwright-core";
// usage: node .shots.mjs name:path:size:theme:locale[:account] ...
const SIZES = { desk: [1440, 900], phone: [390, 844], tablet: [1024, 768], tabletp: [820, 1180], land: [844, 390], narrow: [320, 640], laptop: [1280, 720] };
const args = chromium.args.filter((each) => each !== "--single-process");
const browser = await driver.launch({ executablePath: await chromium.executablePath(), args: [...args, "--no-sandbox"], headless: true });
const base = "http://127.0.0.1:8110";
let storage;
for (const spec of process.argv.slice(2)) {
  const [name, path, size = "desk", theme = "dark", locale = "en", act = "", extra = ""] = spec.split("|");
  const [width, height] = SIZES[size];
  const context = await browser.newContext({ viewport: { width, height }, baseURL: base, ...(storage && !act.includes("out") ? { storageState: storage } : {}) });
  const page = await context.newPage();
  page.on("pageerror", (e) => console.log(name, "ERROR", e.message));
  page.on("console", (m) => { if (m.type() === "error" || m.text().includes("intlify")) console.log(name, m.text().slice(0, 300)); });
  await page.addInitScript(([theme, locale, act]) => {
    localStorage.setItem("fairstrike.theme", JSON.stringify(theme));
    localStorage.setItem("fairstrike.locale", JSON.stringify(locale));
    if (!act.includes("invite")) localStorage.setItem("fairstrike.toured", "true");
    if (act.includes("real")) localStorage.setItem("fairstrike.ledger", '"real"');
    if (act.includes("tourn")) localStorage.setItem("fairstrike.ledger", '"tournament"');
  }, [theme, locale, act]);
  if (!storage && !act.includes("out")) {
    await page.goto("/log-in");
    await page.locator("input[name=email]").fill("trader@example.com");
    await page.locator("input[name=password]").fill("trader-demo-1");
    await page.locator("button[type=submit]").click();
    await page.waitForSelector("[data-connection]", { timeout: 30000 });
    storage = await context.storageState();
  }
  await page.goto(path);
  await page.waitForTimeout(act.includes("out") ? 2500 : 4500);
  if (extra) { try { await new (Object.getPrototypeOf(async function () {}).constructor)("page", extra)(page); } catch (e) { console.log(name, "EXTRA", e.message.slice(0, 300)); } await page.waitForTimeout(700); }
  await page.screenshot({ path: `/tmp/shots-design/${name}.png` });
  console.log(name, "ok", page.url());
  await context.close();
}
await browser.close();
