import { brotliCompressSync, constants, gzipSync } from "node:zlib";
import { defineConfig, type Plugin } from "vite";

// Fonts are compressed already, and what is smaller than a packet gains nothing.
const COMPRESSED = /\.(?:js|css|html|svg)$/;
const BYTES_MIN = 512;

/** Compresses once and as well as can be, so that the server has nothing to do but send. */
export function compressedBeside(): Plugin {
  return {
    name: "compressed-beside",
    apply: "build",
    generateBundle: {
      order: "post",
      handler(_, bundle) {
        for (const file of Object.values(bundle)) {
          const source = Buffer.from(file.type === "chunk" ? file.code : file.source);
          if (!COMPRESSED.test(file.fileName) || source.length < BYTES_MIN) continue;
          const params = { [constants.BROTLI_PARAM_QUALITY]: 11, [constants.BROTLI_PARAM_SIZE_HINT]: source.length };
          this.emitFile({
            type: "asset",
            fileName: `${file.fileName}.br`,
            source: brotliCompressSync(source, { params }),
          });
          this.emitFile({ type: "asset", fileName: `${file.fileName}.gz`, source: gzipSync(source, { level: 9 }) });
        }
      },
    },
  };
}

const API = /^\/(?:users|events|holds|bookings|problems|analytics|audits|openapi\.json|docs)(?:[/?]|$)/;

export default defineConfig({
  plugins: [compressedBeside()],
  build: {
    outDir: "../src/overbookr/ui/built",
    emptyOutDir: true,
    target: "es2022",
    assetsInlineLimit: 0,
    // What it brings along for old browsers would be a script inside the page.
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
    // On a slow machine every part of a build takes long, and that is nothing to warn of.
    rollupOptions: { checks: { pluginTimings: false } },
  },
  server: { proxy: { [API.source]: "http://127.0.0.1:8080" } },
});
