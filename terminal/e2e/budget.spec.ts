import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { gzipSync } from "node:zlib";
import { enter, expect, test } from "./fixtures";

test.use({ trader: "screens" });

const DIST = resolve(import.meta.dirname, "../dist");
const INITIAL_JS_MAX = 250_000;

interface Chunk {
  file: string;
  imports?: string[];
}

const zipped = (file: string): number => gzipSync(readFileSync(resolve(DIST, file)), { level: 9 }).length;

/** A chunk and all that it imports at once. */
function withImports(manifest: Record<string, Chunk>, key: string, found = new Set<string>()): Set<string> {
  const chunk = manifest[key];
  if (!chunk) throw new Error(`${key} is not in the manifest`);
  if (found.has(chunk.file)) return found;
  found.add(chunk.file);
  for (const each of chunk.imports ?? []) withImports(manifest, each, found);
  return found;
}

test("what the trade page starts with is at most 250 kB of JavaScript, packed", async ({ page }) => {
  const manifest = JSON.parse(readFileSync(resolve(DIST, "manifest.json"), "utf8")) as Record<string, Chunk>;
  const named = new Set<string>();
  for (const entry of ["src/main.ts", "src/features/shell/AppShell.vue", "src/features/trade/TradePage.vue"]) withImports(manifest, entry, named);
  // What is brought later but before the chart stands counts as well: languages, the chart's engine.
  page.on("response", (response) => {
    const file = /\/static\/terminal\/(.+\.js)$/.exec(new URL(response.url()).pathname)?.[1];
    if (file) named.add(file);
  });
  await enter(page);
  await page.waitForLoadState("networkidle").catch(() => undefined);
  const sizes = [...named].map((file) => ({ file, bytes: zipped(file) })).sort((a, b) => b.bytes - a.bytes);
  const total = sizes.reduce((sum, each) => sum + each.bytes, 0);
  test.info().annotations.push({ type: "bytes", description: `${String(total)} in ${String(sizes.length)} files` });
  expect(total, sizes.slice(0, 12).map((each) => `${each.file} ${String(each.bytes)}`).join("\n")).toBeLessThanOrEqual(INITIAL_JS_MAX);
});
