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

/** What a network put out, by the names of its outputs. */
export type Outputs = Readonly<Record<string, Float32Array>>;

/** A network that is ready to run. */
export interface Network {
  /** Side of the square input, pixels. */
  readonly side: number;
  /** Run on one picture: (side, side, 3) RGB in 0..1. The picture may be reused when the promise is settled. */
  run(picture: Float32Array): Promise<Outputs>;
  close(): void;
}

/** The seam between the pipeline and what runs its networks: give your own one to `HandTracker.create`. */
export interface Engine {
  /** What it runs on, as it is shown to users. */
  readonly device: string;
  /** Threads on the CPU. */
  readonly threads: number;
  /** @throws EngineError where the file is no network that it can run. */
  open(tflite: Uint8Array): Promise<Network>;
  close(): void;
}

/** "auto" is WebGPU where the browser has a real GPU, else WebAssembly on the CPU. */
export type Device = "auto" | "cpu" | "webgpu";

/** How LiteRT is started. */
export interface LiteRtOptions {
  /** Address of the folder with the `litert_wasm_*` files, with a slash at its end. */
  readonly wasm: string;
  readonly device: "cpu" | "webgpu";
  /** Threads on the CPU; null is as many as there are cores, at most 4, where the page is cross-origin isolated. */
  readonly threads: number | null;
}

/** As many threads as a page may use, at most 4: more gain nothing on networks this small. */
export function defaultThreads(): number {
  return globalThis.crossOriginIsolated ? Math.min(navigator.hardwareConcurrency || 1, 4) : 1;
}

/** The devices to try, in order: a GPU only where it is not an imitation in software. */
export async function devicesOf(device: Device): Promise<("webgpu" | "cpu")[]> {
  if (device !== "auto") return [device];
  const adapter = await (navigator as { gpu?: GPU }).gpu?.requestAdapter().catch(() => null);
  return adapter && !adapter.info.isFallbackAdapter ? ["webgpu", "cpu"] : ["cpu"];
}

/**
 * LiteRT.js: XNNPACK in WebAssembly on the CPU, or WebGPU. It never touches WebGL. One build can be loaded at a time in
 * a page or worker, so trackers in one thread share it.
 *
 * @throws EngineError where the runtime cannot be loaded or there is no such device.
 */
export async function openLiteRt({ wasm, device, threads }: LiteRtOptions): Promise<Engine> {
  const gpu = device === "webgpu";
  const wanted = gpu ? 1 : (threads ?? defaultThreads());
  const threaded = wanted > 1 && (await supportsFeature("relaxedSimd")) && (await supportsFeature("threads"));
  const liteRt = await loadOnce(wasm, threaded, gpu);
  if (gpu && !liteRt.getWebGpuDevice())
    throw new EngineError('this browser gives no WebGPU device; use engine "cpu" or "auto"');
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

/** Forget the runtime that is loaded, so that another build of it can be. */
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
  // Compiled while the runtime's script, which would ask for it, is still on its way.
  const compiled = compile(`${threads ? threaded : plain}.wasm`);
  // The runtime reads this global. In a worker it would look for its files beside the worker's script.
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
  // A server that does not name the type cannot be streamed from.
  const isNamed = answer.headers.get("Content-Type")?.startsWith("application/wasm");
  return isNamed ? WebAssembly.compileStreaming(answer) : WebAssembly.compile(await answer.arrayBuffer());
}

/** The runtime asks for a GPU even when it is not to use one, and complains where there is none. */
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
      throw new EngineError(`the network broke down: ${messageOf(error)}`);
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
