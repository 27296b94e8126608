/** The tracker itself, as `HandTracker` runs it: in a worker, or in the page's own thread. */
import { loadBundle, type Models } from "./bundle.js";
import { type Clock, usualStep } from "./clock.js";
import { isInt8, type Precision } from "./devices.js";
import { type Engine, openLiteRt } from "./engine.js";
import { BundleError, EngineError, InputError } from "./errors.js";
import type { RuntimeFiles } from "./files.js";
import { type Frame, FrameReader, type Picture } from "./frame.js";
import type { Graph, Observer } from "./graph.js";
import { HandLandmarker } from "./hand.js";
import { completed, type TrackerOptions, withChanges } from "./options.js";
import { PalmDetector } from "./palm.js";
import { handDetection, handTracking } from "./pipeline.js";
import type { Hand, Palm, Roi } from "./results.js";
import { unloadRuntime } from "./runtime.js";
import { NO_MEMORY } from "./tracks.js";
import { finish, finishNow, type Work } from "./work.js";

export { onDownload } from "./downloads.js";

/** The arguments of a `LocalTracker`. All of them can be sent to a worker, except an engine of the caller's own. */
export interface Setup {
  readonly models: Models;
  readonly options: TrackerOptions;
  readonly wasm: RuntimeFiles;
  readonly threads: number | null;
  /** The devices to try, in order, or an engine of the caller's own. */
  readonly engine: readonly ("cpu" | "webgpu")[] | Engine;
  readonly precision: Precision;
  /** Id of the first new hand. */
  readonly nextId: number;
}

/** What a tracker reports about itself. */
export interface About {
  readonly device: string;
  readonly threads: number;
}

/** The requests that a `LocalTracker` answers. */
export type Request =
  | { readonly kind: "track"; readonly frame: Frame; readonly timeS: number | null }
  | { readonly kind: "detect" | "detectPalms"; readonly frame: Frame }
  | { readonly kind: "landmarksIn"; readonly frame: Frame; readonly rois: readonly Roi[] }
  | { readonly kind: "setOptions"; readonly changes: Partial<TrackerOptions> }
  | { readonly kind: "reset" };

/** A request to look at an image, without the image. */
type Look = WithoutFrame<Extract<Request, { frame: Frame }>>;
type WithoutFrame<T> = T extends unknown ? Omit<T, "frame"> : never;

export type Answer = Hand[] | Palm[] | (Hand | null)[] | undefined;

interface Networks {
  readonly palm: Awaited<ReturnType<Engine["open"]>>;
  readonly hand: Awaited<ReturnType<Engine["open"]>>;
}

/**
 * Runs the networks and keeps the memory of one tracker, in the thread that it was created in. `worker.ts` wraps it for a
 * worker; `HandTracker` uses it directly if there is no worker.
 */
export class LocalTracker {
  private readonly reader = new FrameReader();
  private turn: Promise<unknown> = Promise.resolve();
  private landmarker!: HandLandmarker;
  private tracking!: Graph;
  private detection!: Graph;
  private palms!: Graph;

  private constructor(
    private readonly networks: Networks,
    private readonly engine: Engine,
    private readonly bundle: Awaited<ReturnType<typeof loadBundle>>["bundle"],
    private options: TrackerOptions,
    nextId: number,
  ) {
    this.build({ previous: { ...NO_MEMORY, nextId } });
  }

  /** @throws BundleError, EngineError */
  static async create(setup: Setup): Promise<LocalTracker> {
    const { models, options, wasm, threads, engine: wanted, precision, nextId } = setup;
    const devices = "open" in wanted ? [wanted] : wanted;
    for (const [i, device] of devices.entries())
      try {
        const loading = loadBundle(models, isInt8(precision, device));
        loading.catch(() => {}); // errors are thrown where it is awaited, below
        const opening = typeof device === "string" ? openLiteRt({ wasm, device, threads }) : device;
        const [{ bundle, ...files }, engine] = await Promise.all([loading, opening]);
        const [palm, hand] = [await engine.open(files.palm), await engine.open(files.hand)];
        if (palm.side !== bundle.palmSide || hand.side !== bundle.handSide)
          throw new BundleError(
            `expected networks of ${bundle.palmSide} and ${bundle.handSide} px, got ${palm.side} and ${hand.side} px`,
          );
        return new LocalTracker({ palm, hand }, engine, bundle, options, nextId);
      } catch (error) {
        if (!(error instanceof EngineError) || i === devices.length - 1) throw error;
        await unloadRuntime(); // "auto" continues with the next device; `about` says which one it is
      }
    throw new EngineError("no device to run on");
  }

  get about(): About {
    return { device: this.engine.device, threads: this.engine.threads };
  }

  /** Requests are answered in the order in which they came. One that fails does not change the tracker. */
  handle(request: Request, observe: Observer | null = null): Promise<Answer> {
    const done = this.turn.then(() => this.answer(request, observe));
    this.turn = done.catch(() => {});
    return done;
  }

  /**
   * The answer at once, for any image source of this thread. The image stays open. Not while `handle` is at work.
   *
   * @throws InputError if the image cannot be used; EngineError if the network fails.
   */
  now(request: Look, source: unknown): Answer {
    return finishNow(this.look(request, this.reader.openNow(source), null));
  }

  /** Change options and keep the tracked hands. @throws InputError and changes nothing. */
  configure(changes: Partial<TrackerOptions>): undefined {
    this.options = withChanges(this.options, changes);
    this.build(this.tracking.memory);
  }

  close(): void {
    this.networks.palm.close();
    this.networks.hand.close();
    this.engine.close();
  }

  private build(memory: Readonly<Record<string, unknown>>): void {
    const options = completed(this.options, this.bundle);
    const detector = new PalmDetector(this.networks.palm, this.bundle);
    this.landmarker = new HandLandmarker(this.networks.hand, this.bundle, options);
    this.tracking = handTracking(detector, this.landmarker, options);
    this.tracking.reset(memory);
    this.detection = handDetection(detector, this.landmarker, options);
    this.palms = detector.graph(options.minPalmScore);
  }

  private async answer(request: Request, observe: Observer | null): Promise<Answer> {
    switch (request.kind) {
      case "reset":
        this.tracking.reset();
        return undefined;
      case "setOptions":
        return this.configure(request.changes);
      default: {
        const picture = await this.reader.open(request.frame);
        try {
          return await finish(this.look(request, picture, observe));
        } finally {
          picture.close();
        }
      }
    }
  }

  private *look(request: Look, picture: Picture, observe: Observer | null): Work<Answer> {
    switch (request.kind) {
      case "track":
        return yield* this.follow(picture, request.timeS, observe);
      case "detect":
        return (yield* this.detection.work([picture], observe)) as Hand[];
      case "detectPalms":
        return (yield* this.palms.work([picture], observe)) as Palm[];
      case "landmarksIn":
        return yield* this.landmarksIn(picture, request.rois);
    }
  }

  private *landmarksIn(picture: Picture, rois: readonly Roi[]): Work<(Hand | null)[]> {
    const hands = yield* this.landmarker.read(
      picture,
      rois.map((roi) => ({ roi, palmScore: null })),
    );
    return hands.map((hand) => (this.landmarker.accepts(hand) ? hand : null));
  }

  private *follow(picture: Picture, timeS: number | null, observe: Observer | null): Work<Hand[]> {
    const before = this.tracking.memory.clock as Clock;
    const stampS = timeS ?? (before.stampS === -Infinity ? 0 : before.stampS + usualStep(before));
    if (!Number.isFinite(stampS))
      throw new InputError(`timeS must be a finite number of seconds or null, got ${timeS}`);
    const hands = yield* this.tracking.work([picture, stampS], observe);
    const { trouble } = this.tracking.memory.clock as Clock;
    if (trouble && !before.trouble)
      console.warn(`${trouble}; tracking goes on as if its steps were even. Call reset() before another video`);
    return hands as Hand[];
  }
}
