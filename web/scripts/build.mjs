// Builds the library into dist/: index.js and the drop-ins for MediaPipe's packages (with local_tracker.js for calls without a
// worker), worker.js, types, the runtime's files, our networks, and modules that hold these files for bundlers that leave files
// behind. `npm run build:library`.
import { execFileSync } from "node:child_process";
import { appendFileSync, cpSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { rolldown } from "rolldown";
import { notices } from "./notices.mjs";

const root = fileURLToPath(new URL("..", import.meta.url));
const python = `${root}../src/knuckle/`;
const runtime = `${root}node_modules/@litertjs/core/wasm/`;
const unfinished = `${root}dist.unfinished/`;

const ENTRIES = {
  index: "index",
  "tasks-vision": "mediapipe/tasks_vision",
  hands: "mediapipe/hands",
  camera_utils: "mediapipe/camera_utils",
  drawing_utils: "mediapipe/drawing_utils",
};
// The chunk with src/packaged.ts. A page finds the other files beside it as long as it has this name.
const OWN_NAME = "knuckle.js";
const BUILDS = ["litert_wasm_internal", "litert_wasm_threaded_internal", "litert_wasm_compat_internal"];
const EMBEDDED = "knuckle-embedded:";

const bundle = readFileSync(`${python}models/networks/knuckle.json`, "utf8");
const { palm, hand, palm_int8, hand_int8 } = JSON.parse(bundle);
const networks = [palm, hand, palm_int8, hand_int8].map(({ file }) => file);
const files = Object.fromEntries([
  ["worker.js", `${unfinished}worker.js`],
  ...BUILDS.flatMap((build) =>
    ["js", "wasm"].map((kind) => [`wasm/${build}.${kind}`, `${unfinished}wasm/${build}.${kind}`]),
  ),
  ...networks.map((file) => [`models/${file}`, `${python}models/networks/${file}`]),
]);

/**
 * Replaces src/packaged.ts: every address is written out, so that bundlers find it. Scripts are embedded only, as bundlers and
 * development servers would treat them as modules. The build with threads is too large to be embedded for the few pages that
 * can use it.
 */
const packaged = {
  name: "packaged",
  resolveId: (name) => (name.startsWith(EMBEDDED) ? name : null),
  load(id) {
    if (id.startsWith(EMBEDDED)) {
      const packed = gzipSync(readFileSync(files[id.slice(EMBEDDED.length)]), { level: 9 });
      return { code: `export default ${JSON.stringify(packed.toString("base64"))};`, moduleType: "js" };
    }
    if (!id.endsWith("src/packaged.ts")) return null;
    const entries = Object.keys(files).map((name) => {
      const address = name.endsWith(".js") ? "null" : `() => new URL("./${name}", import.meta.url).href`;
      const embedded = name.endsWith("threaded_internal.wasm") ? "null" : `() => import("${EMBEDDED}${name}")`;
      return `"${name}": { address: ${address}, embedded: ${embedded} }`;
    });
    const code = `export const OWN_NAME = "${OWN_NAME}";
      export const HERE = import.meta.url;
      export const FILES = { ${entries.join(",\n")} };
      export const BUNDLE = ${JSON.stringify(JSON.stringify(JSON.parse(bundle)))};`;
    return { code, moduleType: "js" };
  },
};

rmSync(unfinished, { recursive: true, force: true });
mkdirSync(`${unfinished}wasm`, { recursive: true });
for (const build of BUILDS) {
  for (const kind of ["js", "wasm"]) cpSync(`${runtime}${build}.${kind}`, `${unfinished}wasm/${build}.${kind}`);
  // Scripts define global variables, modules do not: module workers import the runtime's script as a module.
  appendFileSync(`${unfinished}wasm/${build}.js`, "globalThis.ModuleFactory = ModuleFactory;\n");
}
const worker = await rolldown({ input: `${root}src/worker.ts` });
await worker.write({ file: `${unfinished}worker.js`, format: "iife", minify: true });
const library = await rolldown({
  input: Object.fromEntries(Object.entries(ENTRIES).map(([name, file]) => [name, `${root}src/${file}.ts`])),
  resolve: { alias: { "knuckle-gestures": `${python}gestures` } },
  plugins: [packaged],
});
await library.write({
  dir: unfinished,
  format: "esm",
  chunkFileNames: ({ moduleIds }) => {
    const name = moduleIds.find((id) => id.startsWith(EMBEDDED))?.slice(EMBEDDED.length);
    return name ? `embedded/${name.replaceAll("/", "_").replace(/\.js$/, "")}.js` : "[name].js";
  },
  codeSplitting: { groups: [{ name: OWN_NAME.slice(0, -3), tags: ["$initial"], test: /src\/(?!mediapipe)/ }] },
});
execFileSync(`${root}node_modules/.bin/tsc`, ["-p", `${root}tsconfig.types.json`, "--outDir", unfinished], {
  stdio: "inherit",
});
mkdirSync(`${unfinished}models`);
for (const name of networks) cpSync(files[`models/${name}`], `${unfinished}models/${name}`);
writeFileSync(`${unfinished}models/bundle.json`, bundle);
const ABOUT = "This package contains Knuckle (Apache-2.0) and the following code of others. It contains no fonts.";
writeFileSync(`${unfinished}NOTICES.txt`, notices(ABOUT, ["@litertjs/core", "@litertjs/wasm-utils"]));
rmSync(`${root}dist`, { recursive: true, force: true });
renameSync(unfinished, `${root}dist`);
