/**
 * The old `@mediapipe/hands` on Knuckle: `import { Hands, HAND_CONNECTIONS } from "knuckle-web/hands"`. New code should use
 * `HandTracker`.
 *
 * @packageDocumentation
 */
import { HAND_CONNECTIONS as PAIRS } from "../constants.js";
import { InputError } from "../errors.js";
import { sizeOf } from "../frame.js";
import { type TrackerOptions, withChanges } from "../options.js";
import type { Hand } from "../results.js";
import { type CreateOptions, HandTracker } from "../tracker.js";

/** Pairs of landmarks that a line connects. */
export type LandmarkConnectionArray = [number, number][];
export const HAND_CONNECTIONS: LandmarkConnectionArray = PAIRS.map(([start, end]) => [start, end]);

/** The version of MediaPipe's package whose names this one has. */
export const VERSION: string = "0.4.1675469240";

/** A landmark: x and z in image widths, y in image heights. */
export interface NormalizedLandmark {
  x: number;
  y: number;
  z: number;
  visibility?: number;
}
export type NormalizedLandmarkList = NormalizedLandmark[];
export type NormalizedLandmarkListList = NormalizedLandmarkList[];

/** A landmark in metres. */
export interface Landmark extends NormalizedLandmark {}
export type LandmarkList = Landmark[];
export type LandmarkListList = LandmarkList[];

/** Left or right, as in MediaPipe: of a person who looks into a mirror. */
export interface Handedness {
  /** 0 for "Left", 1 for "Right". */
  index: number;
  /** 0.5..1. */
  score: number;
  label: "Right" | "Left";
}

/** The hands of one image. */
export interface Results {
  multiHandLandmarks: NormalizedLandmarkListList;
  multiHandWorldLandmarks: LandmarkListList;
  multiHandedness: Handedness[];
  /** Not in MediaPipe: the number of the same hand throughout a video. */
  trackIds: (number | null)[];
  /** The image that the landmarks belong to; mirrored if `selfieMode` is on. It is drawn over by the next call. */
  image: HTMLCanvasElement;
}

/** Options; each one that is left out keeps its value. */
export interface Options {
  /** Mirror images before hands are looked for; default: false. */
  selfieMode?: boolean;
  /** Default: 2. */
  maxNumHands?: number;
  /** Accepted and not used: there is one model, or the one that the constructor was given. */
  modelComplexity?: 0 | 1;
  /** Minimum palm score; default: the model's own. */
  minDetectionConfidence?: number;
  /** Minimum presence of a hand; default: the model's own. */
  minTrackingConfidence?: number;
}

export type InputImage = HTMLVideoElement | HTMLImageElement | HTMLCanvasElement;
export interface InputMap {
  image: InputImage;
}
export type ResultsListener = (results: Results) => Promise<void> | void;

/** Where files are. MediaPipe's `locateFile` is accepted and not used, since the files are those of this package. */
export interface HandsConfig extends Pick<CreateOptions, "models" | "wasm" | "worker" | "threads" | "engine"> {
  locateFile?: (path: string, prefix?: string) => string;
}

/** Tracks hands through the images that it is sent, in a worker. */
export class Hands {
  private readonly files: Omit<HandsConfig, "locateFile">;
  private readonly canvas = document.createElement("canvas");
  private listener: ResultsListener = () => {};
  private tracker: Promise<HandTracker> | null = null;
  private options: TrackerOptions = withChanges(undefined, { mirrored: true });
  private isApplied = true;
  private selfieMode = false;

  constructor({ locateFile: _, ...files }: HandsConfig = {}) {
    this.files = files;
  }

  /** Receive the results of every image. */
  onResults(listener: ResultsListener): void {
    this.listener = listener;
  }

  /** Change options from the next image on. @throws InputError and changes nothing. */
  setOptions(options: Options): void {
    const { maxNumHands: maxHands, minDetectionConfidence: minPalmScore, minTrackingConfidence: minPresence } = options;
    this.options = withChanges(this.options, { maxHands, minPalmScore, minPresence });
    this.selfieMode = options.selfieMode ?? this.selfieMode;
    this.isApplied = false;
  }

  /** Load the runtime and the model; else the first image does so. */
  async initialize(): Promise<void> {
    await this.ready();
  }

  /** Find the hands of an image, and pass them to the listener. @throws InputError if the image cannot be used. */
  async send({ image }: InputMap): Promise<void> {
    const tracker = await this.ready();
    const { width, height } = this.draw(image);
    if (!this.isApplied) {
      this.isApplied = true;
      await tracker.setOptions(this.options);
    }
    const hands = await tracker.track(this.canvas, performance.now() / 1000);
    await this.listener({ ...resultsOf(hands, width, height), image: this.canvas });
  }

  /** Forget all hands before the next image. */
  reset(): void {
    this.tracker?.then((tracker) => tracker.reset()).catch(() => {});
  }

  /** Stop the worker. The next image would start another one. */
  async close(): Promise<void> {
    const tracker = this.tracker;
    this.tracker = null;
    (await tracker)?.close();
  }

  private ready(): Promise<HandTracker> {
    this.tracker ??= HandTracker.create({ ...this.files, ...this.options });
    this.tracker.catch(() => {
      this.tracker = null; // the next call tries again
    });
    return this.tracker;
  }

  private draw(image: InputImage): { width: number; height: number } {
    const { width, height } = sizeOf(image);
    if (this.canvas.width !== width || this.canvas.height !== height) Object.assign(this.canvas, { width, height });
    const context = this.canvas.getContext("2d");
    if (!context) throw new InputError("this browser has no 2D canvas to read images with");
    context.setTransform(this.selfieMode ? -1 : 1, 0, 0, 1, this.selfieMode ? width : 0, 0);
    context.drawImage(image, 0, 0, width, height);
    return { width, height };
  }
}

function resultsOf(hands: readonly Hand[], width: number, height: number): Omit<Results, "image"> {
  return {
    multiHandLandmarks: hands.map(({ landmarks }) => points(landmarks, width, height)),
    multiHandWorldLandmarks: hands.map(({ world }) => points(world, 1, 1)),
    multiHandedness: hands.map(({ handedness: label, handednessScore: score }) => ({
      index: label === "Right" ? 1 : 0,
      score,
      label,
    })),
    trackIds: hands.map(({ trackId }) => trackId),
  };
}

/** Points x, y, z; x and z divided by the width, y by the height. */
function points(values: Float32Array, width: number, height: number): NormalizedLandmark[] {
  return Array.from({ length: values.length / 3 }, (_, i) => ({
    x: values[3 * i] / width,
    y: values[3 * i + 1] / height,
    z: values[3 * i + 2] / width,
  }));
}
