import { HAND_CONNECTIONS } from "../constants.js";
import {
  type Category,
  type Connection,
  type Found,
  handednessOf,
  type ImageProcessingOptions,
  type ImageSource,
  type Landmark,
  metric,
  type NormalizedLandmark,
  normalized,
  Task,
  type TaskOptions,
  type WasmFileset,
} from "./task.js";

/** Options of a `HandLandmarker`. */
export type HandLandmarkerOptions = TaskOptions;

/** Lists with one entry per hand. */
export interface HandLandmarkerResult {
  landmarks: NormalizedLandmark[][];
  worldLandmarks: Landmark[][];
  /** One category per hand. It assumes an image that is not mirrored. */
  handednesses: Category[][];
  /** The same. */
  handedness: Category[][];
  /** Not in MediaPipe: the number of the same hand throughout a video; null for single images. */
  trackIds: (number | null)[];
}

/** The connections between landmarks. */
export const CONNECTIONS: Connection[] = HAND_CONNECTIONS.map(([start, end]) => ({ start, end }));

/** Finds hands in images, or tracks them through a video; results are returned at once. */
export class HandLandmarker {
  static HAND_CONNECTIONS: Connection[] = CONNECTIONS;

  private constructor(private readonly task: Task) {}

  /**
   * Load the runtime and the model.
   *
   * @throws InputError if an option is out of range or there is no model.
   * @throws BundleError if the model is damaged or cannot be fetched; EngineError if the runtime cannot be loaded.
   */
  static async createFromOptions(files: WasmFileset, options: HandLandmarkerOptions): Promise<HandLandmarker> {
    return new HandLandmarker(await Task.create(files, options));
  }

  /** The same with the bytes of a `.task` file. */
  static createFromModelBuffer(
    files: WasmFileset,
    modelAssetBuffer: Uint8Array | ReadableStreamDefaultReader,
  ): Promise<HandLandmarker> {
    return HandLandmarker.createFromOptions(files, { baseOptions: { modelAssetBuffer } });
  }

  /** The same with the address of a `.task` file. */
  static createFromModelPath(files: WasmFileset, modelAssetPath: string): Promise<HandLandmarker> {
    return HandLandmarker.createFromOptions(files, { baseOptions: { modelAssetPath } });
  }

  /** Change options and keep the tracked hands. @throws InputError and changes nothing. */
  setOptions(options: HandLandmarkerOptions): Promise<void> {
    return this.task.setOptions(options);
  }

  /** The hands of one image. @throws InputError if the mode is not IMAGE or the image cannot be used. */
  detect(image: ImageSource, options?: ImageProcessingOptions): HandLandmarkerResult {
    return resultOf(this.task.find(image, null, options));
  }

  /** The hands of the next frame of a video. @param timestamp milliseconds. @throws InputError, as `detect` does. */
  detectForVideo(image: ImageSource, timestamp: number, options?: ImageProcessingOptions): HandLandmarkerResult {
    return resultOf(this.task.find(image, timestamp, options));
  }

  /** Accepted and not used: nothing is sent to other hosts. */
  enableLogging(_options: TaskOptions): void {}

  /** Free the networks. */
  close(): void {
    this.task.close();
  }
}

/** The result for hands. */
export function resultOf({ hands, width, height }: Found): HandLandmarkerResult {
  const handedness = hands.map((hand) => [handednessOf(hand)]);
  return {
    landmarks: hands.map((hand) => normalized(hand, width, height)),
    worldLandmarks: hands.map(metric),
    handednesses: handedness,
    handedness,
    trackIds: hands.map(({ trackId }) => trackId),
  };
}
