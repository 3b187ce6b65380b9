/** Draw the icons of the installed terminal from its mark: `node scripts/icons.mjs`. Needs the browser of the journeys. */
import { mkdir, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import chromium from "@sparticuz/chromium";
import { chromium as driver } from "playwright-core";

const GROUND = "#0c1014";
const ACCENT = "#3fc7b1";
const INK = "#ebeff4";
const OUT = fileURLToPath(new URL("../public/icons/", import.meta.url));

/** The mark in a square: `share` of its side is the mark, `round` the corner's radius as a share of the side. */
function markup(side, share, round) {
  const mark = Math.round(side * share);
  return `<body style="margin:0;background:transparent"><div style="display:grid;place-items:center;width:${side}px;height:${side}px;border-radius:${side * round}px;background:${GROUND}">
    <svg width="${mark}" height="${mark}" viewBox="3 2 18 20"><path d="M4 11a8 8 0 0 1 13.6-5.7L11.9 11Z" fill="${ACCENT}"/><path d="M20 13a8 8 0 0 1-13.6 5.7L12.1 13Z" fill="${INK}"/></svg></div></body>`;
}

// A maskable icon is cut to any shape, so its mark keeps to the middle; Apple cuts the corners itself.
const ICONS = [
  { name: "icon-192", side: 192, share: 0.66, round: 0.22 },
  { name: "icon-512", side: 512, share: 0.66, round: 0.22 },
  { name: "maskable-512", side: 512, share: 0.5, round: 0 },
  { name: "apple-touch-icon", side: 180, share: 0.62, round: 0 },
];

await mkdir(OUT, { recursive: true });
const browser = await driver.launch({ executablePath: await chromium.executablePath(), args: [...chromium.args.filter((each) => each !== "--single-process"), "--no-sandbox"], headless: true });
for (const { name, side, share, round } of ICONS) {
  const page = await browser.newPage({ viewport: { width: side, height: side } });
  await page.setContent(markup(side, share, round));
  await writeFile(`${OUT}${name}.png`, await page.screenshot({ omitBackground: true }));
  await page.close();
}
await browser.close();
