/** The tracker of the page: made, remade and asked. */
import { type Hand, HandTracker, type Palm, type Step, type TrackerOptions } from "../src/index.js";
import type { Settings } from "./settings.js";

export interface Found {
  readonly hands: Hand[] | null;
  readonly palms: Palm[] | null;
}

/** Models as they are offered: an address, or a file that was opened. */
export type Models = string | Blob;

/** One tracker at a time; calls wait until it is there. */
export class Tracking {
  private tracker: Promise<HandTracker> | null = null;
  private models: Models = "";
  private engine = "";

  constructor(private readonly observe: (step: Step) => void) {}

  /** Load networks and engine, unless these are loaded; the ones before stay where that fails. */
  prepare(models: Models, settings: Settings, options: Partial<TrackerOptions>): Promise<HandTracker> {
    const { tracker: old, models: oldModels, engine: oldEngine } = this;
    if (old && oldModels === models && oldEngine === settings.engine) return old;
    const making = this.make(models, settings, options);
    Object.assign(this, { tracker: making, models, engine: settings.engine });
    making.then(
      () => old?.then((previous) => previous.close()).catch(() => {}),
      () => {
        if (this.tracker === making) Object.assign(this, { tracker: old, models: oldModels, engine: oldEngine });
      },
    );
    return making;
  }

  private async make(models: Models, settings: Settings, options: Partial<TrackerOptions>): Promise<HandTracker> {
    const tracker = await HandTracker.create({
      ...options,
      models,
      engine: settings.engine,
      worker: new URL(`${ENGINE}worker.js`, document.baseURI),
      wasm: new URL(`${ENGINE}wasm/`, document.baseURI),
    });
    tracker.observe = this.observe;
    return tracker;
  }

  get ready(): Promise<HandTracker> {
    return this.tracker ?? Promise.reject(new Error("the networks are not loaded"));
  }

  async setOptions(options: Partial<TrackerOptions>): Promise<void> {
    await (await this.ready).setOptions(options);
  }

  async reset(): Promise<void> {
    await (await this.ready).reset();
  }

  /** What is in the next frame of a video. */
  async follow(frame: HTMLVideoElement | HTMLCanvasElement, timeS: number, palmsOnly: boolean): Promise<Found> {
    const tracker = await this.ready;
    if (palmsOnly) return { hands: null, palms: await tracker.detectPalms(frame) };
    return { hands: await tracker.track(frame, timeS), palms: null };
  }

  /** What is in one photo. */
  async find(photo: HTMLCanvasElement, palmsOnly: boolean): Promise<Found> {
    const tracker = await this.ready;
    if (palmsOnly) return { hands: null, palms: await tracker.detectPalms(photo) };
    return { hands: await tracker.detect(photo), palms: null };
  }
}

/** The bundles that the server offers, by name, the default one first. */
export async function listModels(): Promise<string[]> {
  const answer = await fetch("models/");
  if (!answer.ok) throw new Error(`the list of models cannot be fetched: ${answer.status} ${answer.statusText}`);
  const { default: first, bundles } = (await answer.json()) as { default: string; bundles: { name: string }[] };
  return [first, ...bundles.map(({ name }) => name).filter((name) => name !== first)];
}
