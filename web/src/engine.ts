import { type CompiledModel, type CompileOptions, type LiteRt, loadAndCompile, Tensor } from "@litertjs/core";
import { threadsFor } from "./devices.js";
import { EngineError } from "./errors.js";
import type { RuntimeFiles } from "./files.js";
import { loadRuntime, messageOf } from "./runtime.js";

/** The outputs of a network by name. */
export type Outputs = Readonly<Record<string, Float32Array>>;

/** A network that is ready to run. */
export interface Network {
  /** Side of the square input, pixels. */
  readonly side: number;
  /** Run on one picture: (side, side, 3) RGB in 0..1. The array may be reused once the outputs are there. */
  run(picture: Float32Array): Outputs | Promise<Outputs>;
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

/** Options of LiteRT. */
export interface LiteRtOptions {
  /** Where the `litert_wasm_*` files are. */
  readonly wasm: RuntimeFiles;
  readonly device: "cpu" | "webgpu";
  /** Threads on the CPU. null: one per core, at most 4, if the page is cross-origin isolated, else one. */
  readonly threads: number | null;
}

/**
 * LiteRT.js: XNNPACK in WebAssembly on the CPU, or WebGPU. It does not use WebGL. A page or worker can load one build at a
 * time, so trackers in one thread share it.
 *
 * @throws EngineError if the runtime cannot be loaded or the device is missing.
 */
export async function openLiteRt({ wasm, device, threads }: LiteRtOptions): Promise<Engine> {
  const gpu = device === "webgpu";
  const wanted = gpu ? 1 : threadsFor(threads);
  const { liteRt, threaded } = await loadRuntime(wasm, wanted > 1, gpu);
  if (gpu && !liteRt.getWebGpuDevice())
    throw new EngineError('this browser has no WebGPU device; use engine "cpu" or "auto"');
  const compile: CompileOptions = gpu
    ? { accelerator: "webgpu", gpuOptions: { precision: "fp32" } }
    : { accelerator: "wasm", cpuOptions: { numThreads: threaded ? wanted : 1 } };
  return {
    device,
    threads: threaded ? wanted : 1,
    open: (tflite) => LiteRtNetwork.open({ runtime: liteRt, tflite, compile }),
    close: () => {},
  };
}

/** What `CompiledModel.run` calls, without the promises around it: on the CPU its results are there at once. */
interface DirectModel {
  readonly defaultSignature: {
    readonly liteRtCompiledModel: {
      run(signature: number, inputs: readonly Tensor["liteRtTensorBuffer"][]): Tensor["liteRtTensorBuffer"][];
    };
  };
}

/**
 * Closed networks of the CPU, newest first, for the next trackers in this thread. If they were freed, XNNPACK would pack the
 * next ones into memory that is not zero, and it leaves padding as it is: with denormal numbers there, an int8 network took
 * up to four times as long.
 */
const closed: LiteRtNetwork[] = [];
const MOST_CLOSED = 4;

/** What a network was made of. */
interface Origin {
  readonly runtime: LiteRt;
  readonly tflite: Uint8Array;
  readonly compile: CompileOptions;
}

class LiteRtNetwork implements Network {
  private constructor(
    private readonly model: CompiledModel,
    readonly side: number,
    private readonly origin: Origin,
  ) {}

  static async open(origin: Origin): Promise<Network> {
    const kept = closed.findIndex((network) => isSame(network.origin, origin));
    if (kept >= 0) return closed.splice(kept, 1)[0];
    const { tflite, compile } = origin;
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
    return new LiteRtNetwork(model, width, origin);
  }

  run(picture: Float32Array): Outputs | Promise<Outputs> {
    return this.model.options.accelerator === "webgpu" ? this.runOnGpu(picture) : this.runOnCpu(picture);
  }

  private runOnCpu(picture: Float32Array): Outputs {
    const { liteRtCompiledModel } = (this.model as unknown as DirectModel).defaultSignature;
    const input = new Tensor(picture, [1, this.side, this.side, 3]);
    try {
      const tensors = liteRtCompiledModel.run(0, [input.liteRtTensorBuffer]).map((buffer) => new Tensor(buffer));
      return this.named(
        tensors.map((tensor) => tensor.toTypedArray() as Float32Array),
        tensors,
      );
    } catch (error) {
      throw new EngineError(`the network failed: ${messageOf(error)}`);
    } finally {
      input.delete();
    }
  }

  private async runOnGpu(picture: Float32Array): Promise<Outputs> {
    const input = new Tensor(picture, [1, this.side, this.side, 3]);
    try {
      const tensors = await this.model.run([input]);
      return this.named((await Promise.all(tensors.map((tensor) => tensor.data()))) as Float32Array[], tensors);
    } catch (error) {
      throw new EngineError(`the network failed: ${messageOf(error)}`);
    } finally {
      input.delete();
    }
  }

  private named(values: readonly Float32Array[], tensors: readonly Tensor[]): Outputs {
    for (const tensor of tensors) tensor.delete();
    return Object.fromEntries(this.model.getOutputDetails().map(({ name }, i) => [name, values[i]]));
  }

  close(): void {
    if (this.origin.compile.accelerator === "webgpu") this.model.delete();
    else closed.unshift(this);
    for (const old of closed.splice(MOST_CLOSED)) if (old.origin.runtime === this.origin.runtime) old.model.delete(); // else it went with its runtime
  }
}

function isSame(one: Origin, other: Origin): boolean {
  const [bytes, others] = [one.tflite, other.tflite];
  return (
    one.runtime === other.runtime &&
    JSON.stringify(one.compile) === JSON.stringify(other.compile) &&
    bytes.length === others.length &&
    bytes.every((value, i) => value === others[i])
  );
}
