import { defineConfig } from "vitest/config";

export default defineConfig({
  base: "./",
  oxc: { jsx: { runtime: "automatic", importSource: "preact" } },
  build: {
    outDir: "../service/studio/built",
    emptyOutDir: true,
    target: "es2022",
    modulePreload: false,
    // Everything is a file of its own: the policy of the page allows no data: scripts or styles.
    assetsInlineLimit: 0,
    reportCompressedSize: false,
  },
  experimental: {
    // The page is at /studio, beside its folder: it names its files by that folder, below any prefix.
    renderBuiltUrl: (file, { hostType }) =>
      hostType === "html" ? `studio/${file}` : { relative: true },
  },
  server: { proxy: { "/v1": "http://127.0.0.1:8000" } },
  test: { environment: "happy-dom", include: ["tests/**/*.test.{ts,tsx}"] },
});
