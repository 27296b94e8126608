// Builds the page into the Python package, which serves it: `npm run build` in web/ builds the library first.
import { createHash } from "node:crypto";
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { brotliCompress, constants, gzip } from "node:zlib";
import { zipSync } from "fflate";
import { marked } from "marked";
import { rolldown } from "rolldown";
import { defineConfig, type Plugin } from "vite";
import { notices } from "../scripts/notices.mjs";

const here = fileURLToPath(new URL(".", import.meta.url));
const web = fileURLToPath(new URL("../", import.meta.url));
const library = fileURLToPath(new URL("../dist/", import.meta.url));
const cache = fileURLToPath(new URL("../node_modules/.cache/knuckle/", import.meta.url));
const out = fileURLToPath(new URL("../../src/knuckle/serve/page/", import.meta.url));

const engineFiles = ["worker.js", ...readdirSync(`${library}wasm`).map((name) => `wasm/${name}`)];
const engine = `assets/engine-${hashOf(engineFiles.map((name) => readFileSync(library + name)))}/`;
const runtimeBytes = statSync(`${library}wasm/litert_wasm_threaded_internal.wasm`).size;
const { version } = JSON.parse(readFileSync(fileURLToPath(new URL("../package.json", import.meta.url)), "utf8"));
// A browser needs only one build of the runtime; the others are loaded on request and not cached for offline use.
const RARE = /litert_wasm_compat|\.map$|\.txt$|\.zip$/;
const PACKED = /\.(js|css|html|json|svg|wasm|webmanifest)$/;

const PACKAGES = ["@litertjs/core", "@litertjs/wasm-utils", "three", "mediabunny"];
// What the page is built from, for its source.zip.
const SOURCES = [
  ...["src", "page", "scripts", "tests", "examples"].map((folder) => `web/${folder}`),
  ...readdirSync(web, { withFileTypes: true }).flatMap((entry) => (entry.isFile() ? `web/${entry.name}` : [])),
  ...["gestures/network.json", "gestures/sets.json"].map((name) => `src/knuckle/${name}`),
  ...["LICENSE", "NOTICE", "docs/web.md"],
];
const ABOUT = `Knuckle ${version} is licensed under the Apache License 2.0. The source of this page is source.zip beside it; its networks are
in the Python package.

This page contains the following code of others. It contains no fonts: it uses those of your system.`;

export default defineConfig({
  root: here,
  base: "./",
  publicDir: `${here}public`,
  define: { ENGINE: JSON.stringify(engine), RUNTIME_BYTES: runtimeBytes },
  build: {
    outDir: out,
    emptyOutDir: true,
    target: "es2022",
    modulePreload: { polyfill: false },
    chunkSizeWarningLimit: 800,
  },
  plugins: [engineAndServiceWorker()],
});

function engineAndServiceWorker(): Plugin {
  return {
    name: "knuckle-page",
    apply: "build",
    transformIndexHtml: (html) => html.replace("%VERSION%", version),
    async closeBundle() {
      mkdirSync(`${out}${engine}wasm`, { recursive: true });
      for (const name of engineFiles) {
        const bytes = readFileSync(library + name);
        if (name.endsWith(".js")) writeFileSync(out + engine + name, withoutMap(bytes.toString()));
        else cpSync(library + name, out + engine + name);
      }
      writeFileSync(`${out}licences.txt`, notices(ABOUT, PACKAGES));
      writeFileSync(`${out}source.zip`, sourceArchive());
      writeFileSync(`${out}help.html`, helpPage());
      await buildServiceWorker();
      mkdirSync(cache, { recursive: true });
      const large = filesIn(out).filter((path) => PACKED.test(path) && statSync(path).size > 1000);
      await Promise.all(large.map(pack));
    },
  };
}

/** The page has no source maps; they lie beside the library. */
function withoutMap(text: string): string {
  return text.replace(/\n\/\/# sourceMappingURL=\S+\s*$/, "\n");
}

async function buildServiceWorker(): Promise<void> {
  const files = filesIn(out).filter((path) => !RARE.test(path) && !path.endsWith("index.html"));
  const names = files.map((path) => relative(out, path).replaceAll("\\", "/"));
  const version = hashOf(filesIn(out).map((path) => readFileSync(path)));
  const bundle = await rolldown({
    input: `${here}sw.ts`,
    transform: { define: { FILES: JSON.stringify(names), VERSION: JSON.stringify(version) } },
  });
  await bundle.write({ file: `${out}sw.js`, format: "iife", minify: true });
}

/** Compress a file. The best compression of the runtime takes half a minute, so results are cached. */
async function pack(path: string): Promise<void> {
  const data = readFileSync(path);
  const kept = `${cache}${hashOf([data])}`;
  if (!existsSync(`${kept}.gz`)) {
    const params = { [constants.BROTLI_PARAM_QUALITY]: RARE.test(path) ? 9 : 11 };
    writeFileSync(`${kept}.br`, await promisify(brotliCompress)(data, { params }));
    writeFileSync(`${kept}.gz`, await promisify(gzip)(data, { level: 9 }));
  }
  for (const suffix of [".br", ".gz"]) cpSync(kept + suffix, path + suffix);
}

/** The same bytes for the same files, whenever it is built. */
function sourceArchive(): Uint8Array {
  const root = fileURLToPath(new URL("../../", import.meta.url));
  const paths = SOURCES.flatMap((name) => (statSync(root + name).isFile() ? [root + name] : filesIn(root + name)));
  const contents = paths.map((path) => [relative(root, path).replaceAll("\\", "/"), readFileSync(path)]);
  return zipSync(Object.fromEntries(contents), { level: 9, mtime: new Date(1980, 0, 1) });
}

function filesIn(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
}

function hashOf(parts: readonly Buffer[]): string {
  const hash = createHash("sha256");
  for (const part of parts) hash.update(part);
  return hash.digest("hex").slice(0, 12);
}

/** What docs/web.md tells users, without its pictures and its links to other documents. */
function helpPage(): string {
  const text = readFileSync(fileURLToPath(new URL("../../docs/web.md", import.meta.url)), "utf8")
    .split("\n## For developers")[0]
    .replace(/^!\[.*\n/gm, "")
    .replace(/^\| .*\|\n\|---\|---\|\n\| !\[.*\n/gm, "")
    .replace(/<!--.*?-->\n?/g, "")
    .replace(/\[([^\]]+)\]\((?!https?:)[^)]*\)/g, "$1");
  const style = filesIn(out).find((path) => path.endsWith(".css")) ?? "";
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark"><title>Knuckle: help</title>
<link rel="icon" href="icon.svg" type="image/svg+xml"><link rel="stylesheet" href="${relative(out, style)}"></head>
<body><main class="text"><p><a href="./">Back to the page</a></p>
${marked.parse(text, { async: false })}</main></body></html>
`;
}
