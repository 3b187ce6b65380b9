import { defineConfig } from "@playwright/test";
import journeys from "./playwright.config";

/** Pictures, not tests: `make screens` takes them. */
export default defineConfig(journeys, { testMatch: "**/*.shots.ts", workers: 1, timeout: 1_800_000, expect: { timeout: 60_000 } });
