import { defineConfig, type Plugin } from "vite";
import { compressedBeside } from "./vite.config.ts";

/**
 * `seat-map.js` is what other pages name, so its address never changes; it is one line, which names the file that has a
 * hash in its name and is kept for ever.
 */
function stableAddress(): Plugin {
  return {
    name: "stable-address",
    apply: "build",
    generateBundle(_, bundle) {
      const element = Object.values(bundle).find(
        (file) => file.type === "chunk" && file.isEntry && file.name === "element",
      );
      if (element === undefined) throw new Error("there is no file of the element");
      this.emitFile({ type: "asset", fileName: "seat-map.js", source: `export * from "./${element.fileName}";\n` });
    },
  };
}

/** The seat map for pages elsewhere, and an example of one. Scripts name each other relative to themselves. */
export default defineConfig({
  base: "/embed/",
  plugins: [stableAddress(), compressedBeside()],
  build: {
    outDir: "../src/overbookr/ui/built/embed",
    emptyOutDir: true,
    target: "es2022",
    assetsInlineLimit: 0,
    modulePreload: false,
    reportCompressedSize: false,
    rollupOptions: {
      input: { element: "src/embed/element.tsx", example: "example.html" },
      preserveEntrySignatures: "strict",
      checks: { pluginTimings: false },
    },
  },
});
