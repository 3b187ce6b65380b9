import { fileURLToPath, URL } from "node:url";
import tailwindcss from "@tailwindcss/vite";
import vue from "@vitejs/plugin-vue";
import { defineConfig } from "vitest/config";

const backend = process.env["BACKEND_URL"] ?? "http://127.0.0.1:8000";

export default defineConfig(({ command }) => ({
  base: command === "build" ? "/static/terminal/" : "/",
  plugins: [vue(), tailwindcss()],
  // What the terminal does not use of its libraries stays out of what every visit loads.
  define: { __VUE_OPTIONS_API__: false, __VUE_I18N_LEGACY_API__: false, __VUE_I18N_FULL_INSTALL__: false, __INTLIFY_PROD_DEVTOOLS__: false, __INTLIFY_DROP_MESSAGE_COMPILER__: true },
  resolve: { alias: { "@": fileURLToPath(new URL("./src", import.meta.url)) } },
  build: {
    outDir: "dist",
    manifest: "manifest.json",
    target: "es2022",
    cssTarget: ["chrome123", "firefox120", "safari17.5"],
    // A strict content security policy allows fonts from our own origin only, so nothing is inlined.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    rollupOptions: { input: "src/main.ts" },
  },
  worker: { format: "es" },
  server: {
    host: "127.0.0.1",
    // Tests check the published vectors, which lie beside the terminal.
    fs: { allow: [".", "../docs"] },
    proxy: {
      "/api": backend,
      "/_allauth": backend,
      "/ws": { target: backend, ws: true },
    },
  },
  test: {
    environment: "happy-dom",
    include: ["src/**/*.test.ts", "eslint/**/*.test.ts"],
    setupFiles: ["src/test-setup.ts"],
    clearMocks: true,
    restoreMocks: true,
  },
}));
