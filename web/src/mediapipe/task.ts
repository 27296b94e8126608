/** What the tasks of `@mediapipe/tasks-vision` share: files, options, results, and calls that return at once. */

import type { Models } from "../bundle.js";
import { DEFAULT_OPTIONS } from "../constants.js";
import { InputError } from "../errors.js";
import { absolute, folder, packagedModels, packagedRuntime, type RuntimeFiles, runtimeFile } from "../files.js";
import { sizeOf } from "../frame.js";
import type { LocalTracker } from "../local_tracker.js";
import { type TrackerOptions, withChanges } from "../options.js";
import type { Hand } from "../results.js";
import { quarterTurns, turned, turnedBack } from "./turned.js";

/** An image or a video frame. */
export type ImageSource = TexImageSource;

/** A pair of landmarks that a line connects. */
export interface Connection {
  start: number;
  end: number;
}

/** A landmark: x and z in image widths, y in image heights; z relative to the wrist, smaller is nearer. */
export interface NormalizedLandmark {
  x: number;
  y: number;
  z: number;
  /** Probability that it is visible; 0 if the network does not say so. */
  visibility: number;
}

/** A landmark in metres; x right, y down, z away, origin near the hand's centre. */
export interface Landmark {
  x: number;
  y: number;
  z: number;
  visibility: number;
}

/** A name with its score, 0..1. */
export interface Category {
  score: number;
  index: number;
  categoryName: string;
  displayName: string;
}

/** The model. Default: the networks of this package. */
export interface BaseOptions {
  /** Address of a `.task` file, or of a folder with a `bundle.json` (it ends with a slash). */
  modelAssetPath?: string;
  /** The bytes of a `.task` file, or a reader of them. */
  modelAssetBuffer?: Uint8Array | ReadableStreamDefaultReader;
  /** Accepted. Results are returned at once, which only the CPU can do. */
  delegate?: "CPU" | "GPU";
}

/** IMAGE allows calls for single images, VIDEO those for frames of a video. */
export type RunningMode = "IMAGE" | "VIDEO";

/** Options of a task. Each option that is left out keeps its value. */
export interface TaskOptions {
  baseOptions?: BaseOptions;
  /** Default: "IMAGE". */
  runningMode?: RunningMode;
  /** Accepted and not used: nothing is drawn. */
  canvas?: HTMLCanvasElement | OffscreenCanvas;
  /** Maximum number of hands; default: 1. */
  numHands?: number;
  /** Minimum palm score, 0..1; default: the model's own. */
  minHandDetectionConfidence?: number;
  /** Minimum presence of a hand, 0..1; default: the model's own. */
  minHandPresenceConfidence?: number;
  /** Accepted and not used: whether a hand is still tracked is decided by its presence. */
  minTrackingConfidence?: number;
  /**
   * Not in MediaPipe: options of Knuckle's tracker. `{ uprightRad: Math.PI / 2 }` cuts new hands out upright, which
   * MediaPipe does not do; `{ smooth: false }` returns landmarks without a filter, as MediaPipe does.
   */
  tracker?: Partial<TrackerOptions>;
}

/** How to process an image. */
export interface ImageProcessingOptions {
  /** Must be left out: hands are looked for in whole images. */
  regionOfInterest?: { left: number; top: number; right: number; bottom: number };
  /** Clockwise rotation that makes the image upright, a multiple of 90. Landmarks refer to the image that was passed. */
  rotationDegrees?: number;
}

/** Addresses of the runtime's files without threads; `files` has all. */
export interface WasmFileset {
  wasmLoaderPath: string;
  wasmBinaryPath: string;
  files?: RuntimeFiles;
}

/** Finds the runtime. */
export const FilesetResolver = {
  /**
   * The runtime of this library. Folders of MediaPipe's runtime hold other files, so they are not used.
   *
   * @param _basePath accepted and not used.
   * @param wasm not in MediaPipe: address of the folder with the `litert_wasm_*` files. Default: the files of this package.
   */
  async forVisionTasks(_basePath?: string, _useModule?: boolean, wasm?: string): Promise<WasmFileset> {
    const files = wasm === undefined ? await packagedRuntime() : folder(wasm);
    const names = typeof files === "string" ? [] : Object.keys(files);
    const name =
      names.length && !names.includes("litert_wasm_internal.js")
        ? "litert_wasm_compat_internal"
        : "litert_wasm_internal";
    const [wasmLoaderPath, wasmBinaryPath] = ["js", "wasm"].map((kind) => runtimeFile(files, `${name}.${kind}`));
    return { wasmLoaderPath, wasmBinaryPath, files };
  },

  /** WebAssembly needs SIMD, which every browser of today has. */
  async isSimdSupported(_useModule?: boolean): Promise<boolean> {
    return true;
  },
};

/** Hands with the size of their image. */
export interface Found {
  readonly hands: Hand[];
  readonly width: number;
  readonly height: number;
}

/** MediaPipe reads 90 degrees as radians, which rotates crops of new hands by 26.6 degrees. Its models get the same. */
const TASK_UPRIGHT_RAD = 90;

/** A tracker in this thread whose calls return at once. */
export class Task {
  private closed = false;
  private mode: RunningMode = "IMAGE";

  private constructor(
    private tracker: LocalTracker,
    private options: TrackerOptions,
    private readonly wasm: RuntimeFiles,
  ) {}

  /** Load the runtime and the model. */
  static async create(files: WasmFileset, given: TaskOptions): Promise<Task> {
    const models = await modelOf(given.baseOptions);
    const options = withChanges(withChanges(undefined, { maxHands: 1 }), changesOf(given, models));
    const wasm = files.files ?? folder(new URL(".", absolute(files.wasmLoaderPath)));
    const task = new Task(await open(models, options, wasm), options, wasm);
    task.mode = given.runningMode ?? "IMAGE";
    return task;
  }

  /** Change options; they hold from the next call on. Only another model takes time. */
  async setOptions(given: TaskOptions): Promise<void> {
    this.requireOpen();
    const { modelAssetPath, modelAssetBuffer } = given.baseOptions ?? {};
    const models = modelAssetPath || modelAssetBuffer ? await modelOf(given.baseOptions) : null;
    const options = withChanges(this.options, changesOf(given, models));
    if (models) {
      const next = await open(models, options, this.wasm);
      this.tracker.close();
      this.tracker = next;
    } else this.tracker.configure(options);
    this.options = options;
    this.mode = given.runningMode ?? this.mode;
  }

  /** The hands of one image, or of the next frame of a video, whose time is then in milliseconds. */
  find(
    source: ImageSource,
    timestampMs: number | null,
    { regionOfInterest, rotationDegrees = 0 }: ImageProcessingOptions = {},
  ): Found {
    this.requireOpen();
    const wanted = timestampMs === null ? "IMAGE" : "VIDEO";
    if (this.mode !== wanted)
      throw new InputError(
        `Task is not initialized with ${wanted.toLowerCase()} mode. 'runningMode' must be set to '${wanted}'.`,
      );
    if (regionOfInterest) throw new InputError("This task doesn't support region-of-interest.");
    const turns = quarterTurns(rotationDegrees);
    const { width, height } = sizeOf(source);
    const image = turns ? turned(source as CanvasImageSource, turns) : source;
    const request =
      timestampMs === null ? ({ kind: "detect" } as const) : ({ kind: "track", timeS: timestampMs / 1000 } as const);
    const hands = this.tracker.now(request, image) as Hand[];
    return { hands: turns ? hands.map((hand) => turnedBack(hand, turns, width, height)) : hands, width, height };
  }

  close(): void {
    if (!this.closed) this.tracker.close();
    this.closed = true;
  }

  private requireOpen(): void {
    if (this.closed) throw new InputError("this task is closed");
  }
}

/** 21 landmarks in image widths and heights. */
export function normalized({ landmarks, visibility }: Hand, width: number, height: number): NormalizedLandmark[] {
  return Array.from({ length: landmarks.length / 3 }, (_, i) => ({
    x: landmarks[3 * i] / width,
    y: landmarks[3 * i + 1] / height,
    z: landmarks[3 * i + 2] / width,
    visibility: visibility?.[i] ?? 0,
  }));
}

/** 21 landmarks in metres. */
export function metric({ world, visibility }: Hand): Landmark[] {
  return Array.from({ length: world.length / 3 }, (_, i) => ({
    x: world[3 * i],
    y: world[3 * i + 1],
    z: world[3 * i + 2],
    visibility: visibility?.[i] ?? 0,
  }));
}

/** The handedness as a category: index 0 "Right" or 1 "Left". */
export function handednessOf({ handedness, handednessScore }: Hand): Category {
  const index = handedness === "Left" ? 1 : 0;
  return { score: handednessScore, index, categoryName: handedness, displayName: handedness };
}

function changesOf(given: TaskOptions, models: Models | null): Partial<TrackerOptions> {
  const isFolder = typeof models === "string" && models.endsWith("/");
  const isTask = models instanceof Uint8Array || (typeof models === "string" && !isFolder);
  return {
    uprightRad: isTask ? TASK_UPRIGHT_RAD : models ? DEFAULT_OPTIONS.uprightRad : undefined,
    maxHands: given.numHands,
    minPalmScore: given.minHandDetectionConfidence,
    minPresence: given.minHandPresenceConfidence,
    ...given.tracker,
  };
}

async function modelOf({ modelAssetPath, modelAssetBuffer }: BaseOptions = {}): Promise<Models> {
  if (modelAssetPath && modelAssetBuffer)
    throw new InputError("Cannot set both baseOptions.modelAssetPath and baseOptions.modelAssetBuffer");
  if (modelAssetPath) return absolute(String(modelAssetPath));
  if (modelAssetBuffer) return modelAssetBuffer instanceof Uint8Array ? modelAssetBuffer : read(modelAssetBuffer);
  return packagedModels(true);
}

async function read(reader: ReadableStreamDefaultReader): Promise<Uint8Array> {
  const parts: Uint8Array<ArrayBuffer>[] = [];
  for (let step = await reader.read(); !step.done; step = await reader.read()) parts.push(step.value);
  return new Uint8Array(await new Blob(parts).arrayBuffer());
}

async function open(models: Models, options: TrackerOptions, wasm: RuntimeFiles): Promise<LocalTracker> {
  const { LocalTracker } = await import("../local_tracker.js");
  // One thread: a page that waits for other threads of the runtime would stand still.
  return LocalTracker.create({ models, options, wasm, threads: 1, engine: ["cpu"], precision: "auto", nextId: 1 });
}
