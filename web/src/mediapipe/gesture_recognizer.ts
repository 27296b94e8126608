import { InputError } from "../errors.js";
import { turn } from "../geometry.js";
import { GestureRecogniser } from "../gestures.js";
import type { Hand } from "../results.js";
import { CONNECTIONS, type HandLandmarkerResult, resultOf } from "./hand_landmarker.js";
import {
  type Category,
  type Connection,
  type Found,
  type ImageProcessingOptions,
  type ImageSource,
  Task,
  type TaskOptions,
  type WasmFileset,
} from "./task.js";
import { quarterTurns } from "./turned.js";

const NONE = "None";

/** Which gestures are returned. */
export interface ClassifierOptions {
  /** Accepted and not used: gestures have no translations. */
  displayNamesLocale?: string;
  /** Accepted; a hand has one gesture. Must not be 0. */
  maxResults?: number;
  /** Gestures with a lower score are rejected. */
  scoreThreshold?: number;
  /** Only these gestures; not together with `categoryDenylist`. */
  categoryAllowlist?: string[];
  /** Not these gestures. */
  categoryDenylist?: string[];
}

/** Options of a `GestureRecognizer`. */
export interface GestureRecognizerOptions extends TaskOptions {
  /** Which of the canned gestures are returned. */
  cannedGesturesClassifierOptions?: ClassifierOptions;
  /** Accepted and not used: gestures are named by Knuckle's own network, not by one in the model. */
  customGesturesClassifierOptions?: ClassifierOptions;
}

/** Lists with one entry per hand. */
export interface GestureRecognizerResult extends HandLandmarkerResult {
  /** One category per hand, whose index is -1; none if the options reject all gestures. */
  gestures: Category[][];
}

/** Finds hands and names MediaPipe's gestures by Knuckle's network of hand shapes; results are returned at once. */
export class GestureRecognizer {
  static HAND_CONNECTIONS: Connection[] = CONNECTIONS;

  private constructor(
    private readonly task: Task,
    private readonly recogniser: GestureRecogniser,
    private classifier: ClassifierOptions,
  ) {}

  /**
   * Load the runtime and the model: a `gesture_recognizer.task` or a `hand_landmarker.task`.
   *
   * @throws InputError if an option is out of range or there is no model.
   * @throws BundleError if the model is damaged or cannot be fetched; EngineError if the runtime cannot be loaded.
   */
  static async createFromOptions(files: WasmFileset, options: GestureRecognizerOptions): Promise<GestureRecognizer> {
    const classifier = checked(options.cannedGesturesClassifierOptions);
    const [task, recogniser] = await Promise.all([Task.create(files, options), loadRecogniser()]);
    return new GestureRecognizer(task, recogniser, classifier);
  }

  /** The same with the bytes of a `.task` file. */
  static createFromModelBuffer(
    files: WasmFileset,
    modelAssetBuffer: Uint8Array | ReadableStreamDefaultReader,
  ): Promise<GestureRecognizer> {
    return GestureRecognizer.createFromOptions(files, { baseOptions: { modelAssetBuffer } });
  }

  /** The same with the address of a `.task` file. */
  static createFromModelPath(files: WasmFileset, modelAssetPath: string): Promise<GestureRecognizer> {
    return GestureRecognizer.createFromOptions(files, { baseOptions: { modelAssetPath } });
  }

  /** Change options and keep the tracked hands. @throws InputError and changes nothing. */
  async setOptions(options: GestureRecognizerOptions): Promise<void> {
    const { cannedGesturesClassifierOptions: classifier = this.classifier } = options;
    checked(classifier);
    await this.task.setOptions(options);
    this.classifier = classifier;
  }

  /** The hands of one image and their gestures. @throws InputError if the mode is not IMAGE or the image is unusable. */
  recognize(image: ImageSource, options?: ImageProcessingOptions): GestureRecognizerResult {
    return this.named(this.task.find(image, null, options), options);
  }

  /** The same for the next frame of a video. @param timestamp milliseconds. @throws InputError, as `recognize` does. */
  recognizeForVideo(image: ImageSource, timestamp: number, options?: ImageProcessingOptions): GestureRecognizerResult {
    return this.named(this.task.find(image, timestamp, options), options);
  }

  /** Accepted and not used: nothing is sent to other hosts. */
  enableLogging(_options: TaskOptions): void {}

  /** Free the networks. */
  close(): void {
    this.task.close();
  }

  private named(found: Found, { rotationDegrees = 0 }: ImageProcessingOptions = {}): GestureRecognizerResult {
    const angleRad = (quarterTurns(rotationDegrees) * Math.PI) / 2;
    const gestures = found.hands.map((hand) => this.gestureOf(upright(hand, angleRad)));
    return { ...resultOf(found), gestures };
  }

  private gestureOf(hand: Hand): Category[] {
    const { categoryAllowlist: allowed, categoryDenylist: denied, scoreThreshold = 0 } = this.classifier;
    const scores = this.recogniser.probabilities(hand);
    const best = [...this.recogniser.names, NONE]
      .map((name, i) => ({ score: scores[i], index: -1, categoryName: name, displayName: "" }))
      .filter(
        ({ categoryName: name, score }) => (!allowed?.length || allowed.includes(name)) && score >= scoreThreshold,
      )
      .filter(({ categoryName: name }) => !denied?.includes(name))
      .sort((one, other) => other.score - one.score);
    return best.slice(0, 1);
  }
}

/** The hand as it is in the upright image: "up" is up there. */
function upright(hand: Hand, angleRad: number): Hand {
  if (!angleRad) return hand;
  const [landmarks, world] = [hand.landmarks.slice(), hand.world.slice()];
  for (const points of [landmarks, world])
    for (let i = 0; i < points.length; i += 3) [points[i], points[i + 1]] = turn(points[i], points[i + 1], angleRad);
  return { ...hand, landmarks, world };
}

async function loadRecogniser(): Promise<GestureRecogniser> {
  const [network, sets] = await Promise.all([
    import("knuckle-gestures/network.json"),
    import("knuckle-gestures/sets.json"),
  ]);
  return GestureRecogniser.ofSet(network.default, sets.default, "mediapipe");
}

function checked(options: ClassifierOptions = {}): ClassifierOptions {
  if (options.categoryAllowlist?.length && options.categoryDenylist?.length)
    throw new InputError("`categoryAllowlist` and `categoryDenylist` are mutually exclusive options.");
  if (options.maxResults === 0) throw new InputError("Invalid `maxResults` option: value must be != 0.");
  return options;
}
