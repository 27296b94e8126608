/** Loads the runtime of LiteRT.js: its script, its WebAssembly and its threads. */
import { type LiteRt, loadLiteRt, supportsFeature, unloadLiteRt } from "@litertjs/core";
import { countedBytes } from "./downloads.js";
import { EngineError } from "./errors.js";
import { ownScript, type RuntimeFiles, runtimeFile } from "./files.js";
import { IS_NODE, readFile, runScript } from "./node.js";

/** The runtime, and whether it is the build with threads. */
export interface Runtime {
  readonly liteRt: LiteRt;
  readonly threaded: boolean;
}

/** Threads that have not started this long after the runtime was compiled never will: browsers sometimes lose a script. */
const START_THREADS_MS = 10_000;

/** The threads of the runtime did not start. */
class ThreadsError extends EngineError {}

let loading: Promise<Runtime> | null = null;

/**
 * Load the runtime from its files. A page or worker can load one build at a time, so trackers in one thread share it.
 * Without threads if these do not start.
 *
 * @throws EngineError if it cannot be loaded.
 */
export function loadRuntime(files: RuntimeFiles, threads: boolean, gpu: boolean): Promise<Runtime> {
  loading ??= withThreadsOrWithout(files, threads, gpu).catch((error) => {
    loading = null;
    const place = typeof files === "string" ? files : Object.values(files)[0];
    throw new EngineError(`the runtime cannot be loaded from ${place}: ${messageOf(error)}`);
  });
  return loading;
}

/** Unload the runtime, so that another build of it can be loaded. */
export async function unloadRuntime(): Promise<void> {
  await loading?.catch(() => {});
  if (loading) unloadLiteRt();
  loading = null;
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String((error as Event)?.type ?? error);
}

async function withThreadsOrWithout(files: RuntimeFiles, threads: boolean, gpu: boolean): Promise<Runtime> {
  const relaxed = await supportsFeature("relaxedSimd");
  const isThere = typeof files === "string" || "litert_wasm_threaded_internal.js" in files;
  if (threads && isThere && relaxed && (await supportsFeature("threads")))
    try {
      return { liteRt: await load(files, "threaded_internal", gpu), threaded: true };
    } catch (error) {
      if (!(error instanceof ThreadsError)) throw error;
      console.warn(`${error.message}; the tracker runs on one thread`);
    }
  return { liteRt: await load(files, relaxed ? "internal" : "compat_internal", gpu), threaded: false };
}

async function load(files: RuntimeFiles, build: string, gpu: boolean): Promise<LiteRt> {
  const address = runtimeFile(files, `litert_wasm_${build}.js`);
  // Compiled while the script of the runtime is still loading, which would fetch it only afterwards.
  const compiled = compile(runtimeFile(files, `litert_wasm_${build}.wasm`));
  const script = await ownScript(address);
  // The runtime reads this global. Without it, a worker would look for the files beside its own script.
  const Module = {
    locateFile: (file: string) => runtimeFile(files, file),
    mainScriptUrlOrBlob: script,
    printErr: (line: string) => /^(INFO|WARNING): /.test(line) || console.warn(line),
    instantiateWasm: (imports: WebAssembly.Imports, done: (...made: unknown[]) => void) => {
      compiled.then(async (module) => done(await WebAssembly.instantiate(module, imports), module)).catch(() => {});
      return {};
    },
  };
  Object.assign(globalThis, { Module });
  const restore = [...(IS_NODE ? [] : [watchStart(compiled)]), ...(gpu ? [] : [hideGpu()])];
  try {
    if (isModuleWorker() || IS_NODE) restore.push(await importScript(script));
    // LiteRT.js takes an address that ends with .js as that of the script, whatever the script's name says about threads.
    return await loadLiteRt(script.endsWith(".js") ? script : `${script}#.js`);
  } finally {
    for (const each of restore) each();
  }
}

async function compile(url: string): Promise<WebAssembly.Module> {
  if (IS_NODE) return WebAssembly.compile(readFile(url));
  const answer = await fetch(url);
  if (!answer.ok) throw new EngineError(`${url}: ${answer.status} ${answer.statusText}`);
  // A copy is counted, because browsers keep compiled code only for an answer as it came.
  void countedBytes(answer.clone()).catch(() => {});
  // Streaming needs the right Content-Type, which not every server sends.
  const isNamed = answer.headers.get("Content-Type")?.startsWith("application/wasm");
  return isNamed ? WebAssembly.compileStreaming(answer) : WebAssembly.compile(await answer.arrayBuffer());
}

/** Starts the runtime; its script defines the global `ModuleFactory`, and LiteRT.js calls it. */
type Factory = (module: unknown) => Promise<unknown>;

/** Fail the start if `compiled` fails or the threads do not start. By itself the runtime would wait for ever. */
function watchStart(compiled: Promise<unknown>): () => void {
  const threads: Worker[] = [];
  const Plain = globalThis.Worker;
  let fail: (error: unknown) => void;
  const failed = new Promise<never>((_, reject) => {
    fail = reject;
  });
  failed.catch(() => {}); // it is thrown where the runtime starts
  class Watched extends Plain {
    constructor(...given: ConstructorParameters<typeof Worker>) {
      super(...given);
      threads.push(this);
      this.addEventListener("error", () => fail(new ThreadsError("the script of a runtime thread cannot be loaded")));
    }
  }
  globalThis.Worker = Watched;
  let timer: ReturnType<typeof setTimeout> | undefined;
  compiled.then(
    () => {
      const late = new ThreadsError(`the threads of the runtime did not start within ${START_THREADS_MS / 1000} s`);
      timer = setTimeout(() => fail(late), START_THREADS_MS);
    },
    (error) => fail(error),
  );
  let factory: Factory | undefined;
  const start: Factory = async (module) => {
    try {
      return await Promise.race([(factory as Factory)(module), failed]);
    } catch (error) {
      for (const thread of threads) thread.terminate();
      throw error;
    }
  };
  Object.defineProperty(globalThis, "ModuleFactory", {
    configurable: true,
    get: () => factory && start,
    set: (given?: Factory) => {
      if (given !== start) factory = given; // the script's last line reads this global and sets it
    },
  });
  return () => {
    clearTimeout(timer);
    globalThis.Worker = Plain;
    Reflect.deleteProperty(globalThis, "ModuleFactory");
  };
}

declare let importScripts: ((...urls: string[]) => void) | undefined;
const imported = new Map<string, Factory>();

/** Module workers have `importScripts`, but it throws there; in Firefox only if it is given a script. */
function isModuleWorker(): boolean {
  try {
    importScripts?.("data:text/javascript,");
    return false;
  } catch (error) {
    return error instanceof TypeError; // a page throws a ReferenceError
  }
}

/** Import the runtime's script as a module, and keep LiteRT.js from loading it once more. */
async function importScript(script: string): Promise<() => void> {
  const scope = globalThis as unknown as { ModuleFactory?: Factory; importScripts: unknown };
  if (IS_NODE) scope.ModuleFactory = runScript(script) as Factory;
  else await import(/* @vite-ignore */ /* webpackIgnore: true */ script);
  // A module runs once, so another start finds what the first one defined.
  if (scope.ModuleFactory) imported.set(script, scope.ModuleFactory);
  else scope.ModuleFactory = imported.get(script);
  scope.importScripts = () => {};
  return () => Reflect.deleteProperty(scope, "importScripts");
}

/** Hide the GPU while the runtime starts: it requests one even when told not to use it, and warns if there is none. */
function hideGpu(): () => void {
  const { warn } = console;
  const { navigator } = globalThis; // Node 20 has none
  if (navigator) Object.defineProperty(navigator, "gpu", { value: undefined, configurable: true });
  console.warn = (...words) => String(words[0]).includes("default WebGPU device") || warn(...words);
  return () => {
    console.warn = warn;
    if (navigator) Reflect.deleteProperty(navigator, "gpu");
  };
}
