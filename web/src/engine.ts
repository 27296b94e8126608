import {
  type CompiledModel,
  type CompileOptions,
  type LiteRt,
  loadAndCompile,
  loadLiteRt,
  supportsFeature,
  Tensor,
  unloadLiteRt,
} from "@litertjs/core";
import { EngineError } from "./errors.js";

/** The outputs of a network by name. */
export type Outputs = Readonly<Record<string, Float32Array>>;

/** A network that is ready to run. */
export interface Network {
  /** Side of the square input, pixels. */
  readonly side: number;
  /** Run on one picture: (side, side, 3) RGB in 0..1. The array may be reused once the promise is settled. */
  run(picture: Float32Array): Promise<Outputs>;
  close(): void;
}

/** Runs the networks of the pipeline. `HandTracker.create` also takes an engine of your own. */
export interface Engine {
  /** The device, as shown to users. */
  readonly device: string;
  /** Threads on the CPU. */
  readonly threads: number;
  /** @throws EngineError if it cannot run this network. */
  open(tflite: Uint8Array): Promise<Network>;
  close(): void;
}

/** "auto" is WebGPU if the browser has a hardware GPU, else WebAssembly on the CPU. */
export type Device = "auto" | "cpu" | "webgpu";

/** Options of LiteRT. */
export interface LiteRtOptions {
  /** Address of the folder with the `litert_wasm_*` files; ends with a slash. */
  readonly wasm: string;
  readonly device: "cpu" | "webgpu";
  /** Threads on the CPU. null: one per core, at most 4, if the page is cross-origin isolated, else one. */
  readonly threads: number | null;
}

/** The number of threads that a page may use, at most 4: more gain nothing on networks this small. */
export function defaultThreads(): number {
  return globalThis.crossOriginIsolated ? Math.min(navigator.hardwareConcurrency || 1, 4) : 1;
}

/** The devices to try, in order. A GPU that is emulated in software is left out. */
export async function devicesOf(device: Device): Promise<("webgpu" | "cpu")[]> {
  if (device !== "auto") return [device];
  const adapter = await (navigator as { gpu?: GPU }).gpu?.requestAdapter().catch(() => null);
  return adapter && !adapter.info.isFallbackAdapter ? ["webgpu", "cpu"] : ["cpu"];
}

/**
 * LiteRT.js: XNNPACK in WebAssembly on the CPU, or WebGPU. It does not use WebGL. A page or worker can load one build at a
 * time, so trackers in one thread share it.
 *
 * @throws EngineError if the runtime cannot be loaded or the device is missing.
 */
export async function openLiteRt({ wasm, device, threads }: LiteRtOptions): Promise<Engine> {
  const gpu = device === "webgpu";
  const wanted = gpu ? 1 : (threads ?? defaultThreads());
  const threaded = wanted > 1 && (await supportsFeature("relaxedSimd")) && (await supportsFeature("threads"));
  const liteRt = await loadOnce(wasm, threaded, gpu);
  if (gpu && !liteRt.getWebGpuDevice())
    throw new EngineError('this browser has no WebGPU device; use engine "cpu" or "auto"');
  const compile: CompileOptions = gpu
    ? { accelerator: "webgpu", gpuOptions: { precision: "fp32" } }
    : { accelerator: "wasm", cpuOptions: { numThreads: threaded ? wanted : 1 } };
  return {
    device,
    threads: threaded ? wanted : 1,
    open: (tflite) => LiteRtNetwork.open(tflite, compile),
    close: () => {},
  };
}

/** Unload the runtime, so that another build of it can be loaded. */
export async function unload(): Promise<void> {
  await loading?.catch(() => {});
  if (loading) unloadLiteRt();
  loading = null;
}

let loading: Promise<LiteRt> | null = null;

function loadOnce(wasm: string, threads: boolean, gpu: boolean): Promise<LiteRt> {
  loading ??= load(wasm, threads, gpu).catch((error) => {
    loading = null;
    throw new EngineError(`the runtime cannot be loaded from ${wasm}: ${messageOf(error)}`);
  });
  return loading;
}

async function load(wasm: string, threads: boolean, gpu: boolean): Promise<LiteRt> {
  const threaded = `${wasm}litert_wasm_threaded_internal`;
  const plain = `${wasm}litert_wasm_${(await supportsFeature("relaxedSimd")) ? "internal" : "compat_internal"}`;
  // Compiled while the script of the runtime is still loading, which would fetch it only afterwards.
  const compiled = compile(`${threads ? threaded : plain}.wasm`);
  // The runtime reads this global. Without it, a worker would look for the files beside its own script.
  const Module = {
    locateFile: (file: string) => wasm + file,
    mainScriptUrlOrBlob: `${threaded}.js`,
    printErr: (line: string) => /^(INFO|WARNING): /.test(line) || console.warn(line),
    instantiateWasm: (imports: WebAssembly.Imports, done: (...made: unknown[]) => void) => {
      compiled.then(async (module) => done(await WebAssembly.instantiate(module, imports), module)).catch(() => {});
      return {};
    },
  };
  Object.assign(globalThis, { Module });
  const started = gpu ? loadLiteRt(wasm, { threads }) : withoutGpu(() => loadLiteRt(wasm, { threads }));
  return (await Promise.all([started, compiled]))[0];
}

async function compile(url: string): Promise<WebAssembly.Module> {
  const answer = await fetch(url);
  if (!answer.ok) throw new EngineError(`${url}: ${answer.status} ${answer.statusText}`);
  // Streaming needs the right Content-Type, which not every server sends.
  const isNamed = answer.headers.get("Content-Type")?.startsWith("application/wasm");
  return isNamed ? WebAssembly.compileStreaming(answer) : WebAssembly.compile(await answer.arrayBuffer());
}

/** Hide the GPU while the runtime starts: it requests one even when told not to use it, and warns if there is none. */
async function withoutGpu<T>(start: () => Promise<T>): Promise<T> {
  const { warn } = console;
  Object.defineProperty(navigator, "gpu", { value: undefined, configurable: true });
  console.warn = (...words) => String(words[0]).includes("default WebGPU device") || warn(...words);
  try {
    return await start();
  } finally {
    console.warn = warn;
    Reflect.deleteProperty(navigator, "gpu");
  }
}

class LiteRtNetwork implements Network {
  private constructor(
    private readonly model: CompiledModel,
    readonly side: number,
  ) {}

  static async open(tflite: Uint8Array, compile: CompileOptions): Promise<Network> {
    let model: CompiledModel;
    try {
      model = await loadAndCompile(tflite, compile);
    } catch (error) {
      throw new EngineError(`the network cannot be compiled: ${messageOf(error)}`);
    }
    if (compile.accelerator === "webgpu" && !(model.isFullyAccelerated && model.options.accelerator === "webgpu"))
      throw new EngineError('the network does not run on this GPU; use engine "cpu" or "auto"');
    const [input, ...more] = model.getInputDetails();
    const [, height, width, channels] = input.shape;
    if (more.length || input.dtype !== "float32" || height !== width || channels !== 3)
      throw new EngineError(`expected a network with one float32 input (1, side, side, 3), got (${input.shape})`);
    return new LiteRtNetwork(model, width);
  }

  async run(picture: Float32Array): Promise<Outputs> {
    const input = new Tensor(picture, [1, this.side, this.side, 3]);
    try {
      const tensors = await this.model.run([input]);
      const outputs: Record<string, Float32Array> = {};
      for (const [i, { name }] of this.model.getOutputDetails().entries()) {
        outputs[name] = (await tensors[i].data()) as Float32Array;
        tensors[i].delete();
      }
      return outputs;
    } catch (error) {
      throw new EngineError(`the network failed: ${messageOf(error)}`);
    } finally {
      input.delete();
    }
  }

  close(): void {
    this.model.delete();
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String((error as Event)?.type ?? error);
}
