import type { Models } from "./bundle.js";
import { type Device, devicesOf, isInt8, type Precision } from "./devices.js";
import type { Engine } from "./engine.js";
import { EngineError, InputError, receive } from "./errors.js";
import { absolute, folder, ownScript, packagedFile, packagedModels, packagedRuntime } from "./files.js";
import { type Frame, frameOf, type RawImage, type WebVideoFrame } from "./frame.js";
import type { Observer } from "./graph.js";
import type { About, Answer, LocalTracker, Request, Setup } from "./local_tracker.js";
import { IS_NODE } from "./node.js";
import { type TrackerOptions, withChanges } from "./options.js";
import type { Hand, Palm, Roi } from "./results.js";
import type { FromWorker, ToWorker } from "./worker.js";

/**
 * An image that a tracker takes. An `ImageBitmap` or `VideoFrame` is transferred: it is closed when the call is done, so
 * that its pixels need not be copied. All others are only read. A `Blob` is an image file.
 */
export type Source =
  | WebVideoFrame
  | ImageBitmap
  | ImageData
  | RawImage
  | Blob
  | HTMLVideoElement
  | HTMLImageElement
  | HTMLCanvasElement
  | OffscreenCanvas;

/** Options of `HandTracker.create`: where the files are, and every option of the tracker. */
export interface CreateOptions extends Partial<TrackerOptions> {
  /**
   * A `.task` file, the address of a folder with a `bundle.json`, or two tflite networks; addresses or bytes. Default: the
   * networks of this package.
   */
  models?: Models;
  /** Address of the folder with the `litert_wasm_*` files of the runtime. Default: the files of this package. */
  wasm?: string | URL;
  /**
   * Address of this library's `worker.js`, or false to run in the calling thread. Default: the file of this package; false
   * in Node.
   */
  worker?: string | URL | false;
  /** Threads on the CPU. Default: one per core, at most 4, if the page is cross-origin isolated, else one. */
  threads?: number;
  /** "auto" is WebGPU if the browser has a hardware GPU, else the CPU. An `Engine` of your own needs `worker: false`. */
  engine?: Device | Engine;
  /** "auto" runs the landmark network in 8 bits where that is faster and the bundle has it. */
  precision?: Precision;
  /** Called while models and runtime are downloaded, with the bytes so far; compressed files count as decompressed. */
  onProgress?: (bytes: number) => void;
}

/** What answers requests: a worker, or a `LocalTracker` in this thread. */
interface Backend {
  readonly about: About;
  handle(request: Request, observe: Observer | null): Promise<Answer>;
  close(): void;
}

/**
 * Tracks hands through one video or camera stream; give it one frame after the other. Use one tracker per stream, because
 * it remembers hands. It runs in a worker of its own, so the page stays responsive. Frames never leave the device.
 *
 * ```ts
 * const tracker = await HandTracker.create();
 * const hands = await tracker.track(video, video.currentTime);
 * ```
 *
 * Calls take turns. If frames come faster than they are tracked, wait for `track` and then give it the newest frame.
 */
export class HandTracker {
  /** Called after each call, once for every node that it ran or skipped. */
  observe: Observer | null = null;
  private highestId = 0;
  private backend: Promise<Backend> | null = null;
  private about: About = { device: "", threads: 1 };
  private closed = false;
  private onDownload: (bytes: number) => void = () => {};

  private constructor(
    private readonly setup: Omit<Setup, "options" | "nextId">,
    private readonly worker: string | false,
    private options: TrackerOptions,
  ) {}

  /**
   * Load the networks and the runtime.
   *
   * @throws InputError if an option does not exist or is out of range.
   * @throws BundleError if the models are damaged or cannot be fetched.
   * @throws EngineError if the runtime cannot be loaded or the device is missing.
   */
  static async create(given: CreateOptions = {}): Promise<HandTracker> {
    const { models, wasm, worker, threads = null, engine = "auto", precision = "auto", onProgress, ...changes } = given;
    if (threads !== null && !(Number.isInteger(threads) && threads >= 1))
      throw new InputError(`threads must be a whole number of at least 1, got ${threads}`);
    if (typeof engine !== "string" && worker !== false)
      throw new InputError("an engine of your own needs worker: false");
    if (!["auto", "float", "int8"].includes(precision))
      throw new InputError(`precision must be "auto", "float" or "int8", got ${JSON.stringify(precision)}`);
    const options = withChanges(undefined, changes);
    const devices = typeof engine === "string" ? await devicesOf(engine) : engine;
    const setup = {
      models:
        models === undefined
          ? await packagedModels(isInt8(precision, "open" in devices ? devices : devices[0]))
          : absolute(models),
      wasm: wasm === undefined ? await packagedRuntime() : folder(wasm),
      threads,
      engine: devices,
      precision,
    };
    const isHere = worker === false || (worker === undefined && IS_NODE);
    const script = !isHere && (worker === undefined ? await packagedFile("worker.js") : absolute(String(worker)));
    const tracker = new HandTracker(setup, script && (await ownScript(script)), options);
    let bytes = 0;
    tracker.onDownload = (more) => {
      bytes += more;
      onProgress?.(bytes);
    };
    await tracker.ready();
    return tracker;
  }

  /** The device that the networks run on: "cpu" or "webgpu". */
  get device(): string {
    return this.about.device;
  }

  /** Threads on the CPU. */
  get threads(): number {
    return this.about.threads;
  }

  /**
   * The hands of this frame, by track id, with landmarks in pixels of this frame.
   *
   * @param timeS Time of the frame in seconds; must increase from call to call. null: 30 frames per second.
   * @throws InputError if the image cannot be used or the time does not increase; the tracker stays usable.
   * @throws EngineError if the worker failed; the next call starts another one, which has forgotten the hands.
   */
  async track(frame: Source, timeS: number | null = null): Promise<Hand[]> {
    const hands = (await this.ask({ kind: "track", frame: await frameOf(frame), timeS })) as Hand[];
    for (const { trackId } of hands) this.highestId = Math.max(this.highestId, trackId ?? 0);
    return hands;
  }

  /** The hands of one image, the best palm's first. Nothing is remembered or smoothed. */
  async detect(image: Source): Promise<Hand[]> {
    return (await this.ask({ kind: "detect", frame: await frameOf(image) })) as Hand[];
  }

  /** All palms of one image, best first, without landmarks. `maxHands` does not limit them. */
  async detectPalms(image: Source): Promise<Palm[]> {
    return (await this.ask({ kind: "detectPalms", frame: await frameOf(image) })) as Palm[];
  }

  /** Landmarks in regions of your own: for each region its hand, or null if the network sees no hand there. */
  async landmarksIn(image: Source, rois: readonly Roi[]): Promise<(Hand | null)[]> {
    return (await this.ask({ kind: "landmarksIn", frame: await frameOf(image), rois })) as (Hand | null)[];
  }

  /** Change options from the next frame on; hands stay tracked. @throws InputError and changes nothing. */
  async setOptions(changes: Partial<TrackerOptions>): Promise<void> {
    this.options = withChanges(this.options, changes);
    await this.ask({ kind: "setOptions", changes: this.options });
  }

  /** Forget all hands and the time; ids start at 1 again. */
  async reset(): Promise<void> {
    await this.ask({ kind: "reset" });
    this.highestId = 0;
  }

  /** Stop the worker and free the networks. Calls that are not finished are rejected. */
  close(): void {
    if (this.closed) return;
    this.closed = true;
    this.backend?.then((backend) => backend.close()).catch(() => {});
  }

  private async ask(request: Request): Promise<Answer> {
    if (this.closed) throw new InputError("this tracker is closed");
    return (await this.ready()).handle(request, this.observe);
  }

  /** The backend; it is started if there is none or the last one failed. */
  private ready(): Promise<Backend> {
    this.backend ??= this.start().catch((error) => {
      this.backend = null;
      throw error;
    });
    return this.backend;
  }

  private async start(): Promise<Backend> {
    const setup = { ...this.setup, options: this.options, nextId: this.highestId + 1 };
    const events = {
      onBroken: () => {
        this.backend = null;
      },
      onDownload: this.onDownload,
    };
    const start = this.worker ? WorkerBackend.start(this.worker, setup, events) : startHere(setup, events);
    const backend = await start;
    this.about = backend.about;
    return backend;
  }
}

interface Events {
  onBroken(): void;
  onDownload(bytes: number): void;
}

async function startHere(setup: Setup, events: Events): Promise<LocalTracker> {
  const { LocalTracker, onDownload } = await import("./local_tracker.js");
  onDownload(events.onDownload);
  try {
    return await LocalTracker.create(setup);
  } finally {
    onDownload(null);
  }
}

/** A worker that is silent for longer has ended or hangs. While it starts, it may be waiting for a script on a slow line. */
const SILENT_S = { starting: 60, started: 10 };

/** A worker, and the calls that wait for its answers. */
class WorkerBackend implements Backend {
  about: About = { device: "", threads: 1 };
  private readonly worker: Worker;
  private readonly waiting = new Map<
    number,
    { resolve(value: unknown): void; reject(error: Error): void; observe: Observer | null }
  >();
  private calls = 0;
  /** Seconds that passed on the page's timer without a message of the worker, while calls waited for it. */
  private silentS = 0;
  private timer: ReturnType<typeof setInterval> | undefined;

  private constructor(
    url: string,
    private readonly events: Events,
  ) {
    this.worker = new Worker(url);
    this.worker.onmessage = ({ data }: MessageEvent<FromWorker>) => this.settle(data);
    this.worker.onerror = (event) => {
      event.preventDefault();
      this.breakDown(event.message || `it cannot be loaded from ${url}`);
    };
    this.worker.onmessageerror = () => this.breakDown("a message could not be read");
  }

  static async start(url: string, setup: Setup, events: Events): Promise<WorkerBackend> {
    const backend = new WorkerBackend(url, events);
    try {
      backend.about = (await backend.post({ setup }, [], null)) as About;
    } catch (error) {
      backend.stop();
      throw error;
    }
    return backend;
  }

  handle(request: Request, observe: Observer | null): Promise<Answer> {
    const moved = "frame" in request && isMovable(request.frame) ? [request.frame] : [];
    return this.post({ request, observe: observe !== null }, moved, observe) as Promise<Answer>;
  }

  close(): void {
    this.stop();
    this.rejectAll(new InputError("this tracker was closed"));
  }

  private post(message: WithoutId<ToWorker>, moved: Transferable[], observe: Observer | null): Promise<unknown> {
    const id = ++this.calls;
    return new Promise((resolve, reject) => {
      this.waiting.set(id, { resolve, reject, observe });
      this.timer ??= setInterval(() => this.listen(), 1000);
      try {
        this.worker.postMessage({ id, ...message }, moved);
      } catch (error) {
        this.waiting.delete(id);
        reject(new InputError(`this cannot be sent to the worker; is it closed? (${(error as Error).message})`));
      }
    });
  }

  /**
   * A worker that ended says nothing, and browsers do not tell either. So ask it every second while calls wait. Ticks of
   * a timer are counted instead of time, since page and worker sleep together.
   */
  private listen(): void {
    const mostS = this.about.device ? SILENT_S.started : SILENT_S.starting;
    if (!this.waiting.size) {
      clearInterval(this.timer);
      this.timer = undefined;
      this.silentS = 0;
    } else if (++this.silentS > mostS) this.breakDown(`it has not answered for ${mostS} s`);
    else this.worker.postMessage({ id: 0, beat: true } satisfies ToWorker);
  }

  private settle(data: FromWorker): void {
    this.silentS = 0;
    if ("downloaded" in data) {
      this.events.onDownload(data.downloaded);
      return;
    }
    const call = this.waiting.get(data.id);
    this.waiting.delete(data.id);
    if (!call) return;
    if ("error" in data) {
      call.reject(receive(data.error));
      if (data.broken) this.breakDown(data.error.message);
      return;
    }
    for (const step of data.steps) call.observe?.(step);
    call.resolve(data.value);
  }

  private breakDown(reason: string): void {
    this.stop();
    this.events.onBroken();
    this.rejectAll(new EngineError(`the worker of the tracker failed (${reason}); the next call starts another one`));
  }

  private stop(): void {
    clearInterval(this.timer);
    this.worker.terminate();
  }

  private rejectAll(error: Error): void {
    for (const { reject } of this.waiting.values()) reject(error);
    this.waiting.clear();
  }
}

type WithoutId<T> = T extends unknown ? Omit<T, "id"> : never;

function isMovable(frame: Frame): frame is ImageBitmap | VideoFrame {
  return (
    (typeof ImageBitmap !== "undefined" && frame instanceof ImageBitmap) ||
    (typeof VideoFrame !== "undefined" && frame instanceof VideoFrame)
  );
}
