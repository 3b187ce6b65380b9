import { defineConfig } from "@playwright/test";
import journeys from "./playwright.config";

/** Measurements, not tests: `make bench-terminal` runs them. */
export default defineConfig(journeys, { testMatch: "**/*.bench.ts", workers: 1 });
