import { defineConfig } from "vite";

// One script and one style sheet, which the Go program embeds. Names carry no
// hash: the files are in the tree, and a build that changes them shows as a diff.
export default defineConfig({
  publicDir: false,
  build: {
    outDir: "../dist",
    emptyOutDir: true,
    target: "es2022",
    modulePreload: false,
    cssCodeSplit: false,
    rollupOptions: {
      input: "src/main.ts",
      output: { entryFileNames: "page.js", assetFileNames: "page.[ext]", codeSplitting: false },
    },
  },
});
