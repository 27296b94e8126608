// Builds the library into dist/: index.js (with local_tracker.js for pages that use no worker), worker.js, types and the runtime's
// files. `npm run build:library`.
import { execFileSync } from "node:child_process";
import { appendFileSync, cpSync, mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { rolldown } from "rolldown";
import { notices } from "./notices.mjs";

const root = fileURLToPath(new URL("..", import.meta.url));
const runtime = `${root}node_modules/@litertjs/core/wasm/`;
const unfinished = `${root}dist.unfinished/`;
const BUILDS = ["litert_wasm_internal", "litert_wasm_threaded_internal", "litert_wasm_compat_internal"];

rmSync(unfinished, { recursive: true, force: true });
const ENTRIES = { index: "index", "tasks-vision": "mediapipe/tasks_vision" };
const input = Object.fromEntries(Object.entries(ENTRIES).map(([name, file]) => [name, `${root}src/${file}.ts`]));
const resolve = { alias: { "knuckle-gestures": `${root}../src/knuckle/gestures` } };
const library = await rolldown({ input, resolve });
await library.write({
  dir: unfinished,
  format: "esm",
  chunkFileNames: "[name].js",
  codeSplitting: { groups: [{ name: "shared", tags: ["$initial"], test: /src\/(?!mediapipe)/ }] },
  sourcemap: true,
});
const worker = await rolldown({ input: `${root}src/worker.ts` });
await worker.write({ file: `${unfinished}worker.js`, format: "iife", minify: true, sourcemap: true });
execFileSync(`${root}node_modules/.bin/tsc`, ["-p", `${root}tsconfig.types.json`, "--outDir", unfinished], {
  stdio: "inherit",
});
mkdirSync(`${unfinished}wasm`);
for (const build of BUILDS)
  for (const kind of ["js", "wasm"]) cpSync(`${runtime}${build}.${kind}`, `${unfinished}wasm/${build}.${kind}`);
// Scripts define global variables, modules do not: module workers import the runtime's script as a module.
for (const build of BUILDS)
  appendFileSync(`${unfinished}wasm/${build}.js`, "globalThis.ModuleFactory = ModuleFactory;\n");
const ABOUT = "This package contains Knuckle (Apache-2.0) and the following code of others. It contains no fonts.";
writeFileSync(`${unfinished}NOTICES.txt`, notices(ABOUT, ["@litertjs/core", "@litertjs/wasm-utils"]));
rmSync(`${root}dist`, { recursive: true, force: true });
renameSync(unfinished, `${root}dist`);
