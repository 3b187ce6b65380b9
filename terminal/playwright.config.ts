import { defineConfig } from "@playwright/test";

/** The journeys run against a platform that is already up; BASE_URL says where, DATA_DIR says which. */
export default defineConfig({
  testDir: "e2e",
  outputDir: "test-results/journeys",
  globalSetup: "./e2e/global-setup.ts",
  timeout: 180_000,
  expect: { timeout: 30_000 },
  workers: Number(process.env["E2E_WORKERS"] ?? "2"),
  fullyParallel: false,
  forbidOnly: true,
  reporter: [["list"]],
  use: {
    baseURL: process.env["BASE_URL"] ?? "http://127.0.0.1:8000",
    viewport: { width: 1440, height: 900 },
    colorScheme: "dark",
    timezoneId: "UTC",
    screenshot: "only-on-failure",
    trace: "off",
    actionTimeout: 30_000,
  },
});
