/** The page's tracker: loads it, reloads it and calls it. */
import { type Hand, HandTracker, type Palm, type Step, type TrackerOptions } from "../src/index.js";
import type { Settings, Thresholds } from "./settings.js";

export interface Found {
  readonly hands: Hand[] | null;
  readonly palms: Palm[] | null;
}

interface BundleJson {
  readonly name: string;
  readonly min_palm_score: number;
  readonly min_presence: number;
  readonly bytes: number;
}

/** A bundle of the server: its thresholds, and the size of its networks. */
export interface Listed extends Thresholds {
  readonly bytes: number;
}

/** A model: the address of a bundle, or an opened file. */
export type Models = string | Blob;

/** A frame of a video. */
type Frame = HTMLVideoElement | HTMLCanvasElement | OffscreenCanvas;

/** Holds one tracker; calls wait until it is loaded. */
export class Tracking {
  isLoading = false;
  /** Gives hands their gestures; the time is null for photos. */
  named: (hands: Hand[], timeS: number | null) => Hand[] = (hands) => hands;
  /** Called when another video begins. */
  onReset: () => void = () => {};
  private tracker: Promise<HandTracker> | null = null;
  private models: Models = "";
  private engine = "";

  constructor(private readonly observe: (step: Step) => void) {}

  /** Load a model and engine unless they are loaded already; if that fails, the previous ones stay in use. */
  prepare(
    models: Models,
    settings: Settings,
    options: Partial<TrackerOptions>,
    loaded: (bytes: number) => void,
  ): Promise<HandTracker> {
    const { tracker: old, models: oldModels, engine: oldEngine } = this;
    if (old && oldModels === models && oldEngine === settings.engine) return old;
    const making = this.make(models, settings, options, loaded);
    this.isLoading = true;
    const done = () => {
      if (this.tracker === making) this.isLoading = false;
    };
    making.then(done, done);
    Object.assign(this, { tracker: making, models, engine: settings.engine });
    making.then(
      () => old?.then((previous) => previous.close()).catch(() => {}),
      () => {
        if (this.tracker === making) Object.assign(this, { tracker: old, models: oldModels, engine: oldEngine });
      },
    );
    return making;
  }

  private async make(
    models: Models,
    settings: Settings,
    options: Partial<TrackerOptions>,
    onProgress: (bytes: number) => void,
  ): Promise<HandTracker> {
    const tracker = await HandTracker.create({
      ...options,
      onProgress,
      models,
      engine: settings.engine,
      worker: new URL(`${ENGINE}worker.js`, document.baseURI),
      wasm: new URL(`${ENGINE}wasm/`, document.baseURI),
    });
    tracker.observe = this.observe;
    return tracker;
  }

  get ready(): Promise<HandTracker> {
    return this.tracker ?? Promise.reject(new Error("the model is not loaded"));
  }

  async setOptions(options: Partial<TrackerOptions>): Promise<void> {
    await (await this.ready).setOptions(options);
  }

  async reset(): Promise<void> {
    this.onReset();
    await (await this.ready).reset();
  }

  /** Track the next frame of a video. */
  async follow(frame: Frame, timeS: number, palmsOnly: boolean): Promise<Found> {
    const tracker = await this.ready;
    if (palmsOnly) return { hands: null, palms: await tracker.detectPalms(frame) };
    return { hands: this.named(await tracker.track(frame, timeS), timeS), palms: null };
  }

  /** Detect hands or palms in a photo. */
  async find(photo: HTMLCanvasElement, palmsOnly: boolean): Promise<Found> {
    const tracker = await this.ready;
    if (palmsOnly) return { hands: null, palms: await tracker.detectPalms(photo) };
    return { hands: this.named(await tracker.detect(photo), null), palms: null };
  }
}

/** The server's bundles by name, with their thresholds, the default bundle first. */
export async function listModels(): Promise<Map<string, Listed>> {
  const answer = await fetch("models/");
  if (!answer.ok) throw new Error(`the list of models cannot be loaded: ${answer.status} ${answer.statusText}`);
  const { default: first, bundles } = (await answer.json()) as { default: string; bundles: BundleJson[] };
  bundles.sort((a, b) => Number(b.name === first) - Number(a.name === first));
  const listed = ({ min_palm_score: minPalmScore, min_presence: minPresence, bytes }: BundleJson): Listed => ({
    minPalmScore,
    minPresence,
    bytes,
  });
  return new Map(bundles.map((bundle) => [bundle.name, listed(bundle)]));
}
