/** Opens, plays and closes sources, and passes their frames to the tracker. */
import { EngineError } from "../src/index.js";
import type { Busy } from "./busy.js";
import { Loop } from "./loop.js";
import { explain } from "./messages.js";
import { NOTHING, type Picture } from "./picture.js";
import type { Saving } from "./saving.js";
import type { Settings } from "./settings.js";
import type { Source } from "./sources.js";
import type { Speed } from "./speed.js";
import type { Found, Tracking } from "./tracking.js";

/** Paused frames are tracked so many times after a change of the settings, which is enough for a search for hands. */
const FRAMES_AFTER_CHANGE = 8;
const RESTARTED = "The tracker crashed and was restarted.";

/** The parts of the page that the player works with. */
export interface Stage {
  readonly picture: Picture;
  readonly tracking: Tracking;
  readonly saving: Saving;
  readonly speed: Speed;
  readonly busy: Busy;
  settings(): Settings;
  /** Load the model of the settings and set its options; returns false if that failed. */
  prepare(): Promise<boolean>;
  found(found: Found): void;
  /** The source is about to be closed. */
  leaving(): Promise<void>;
  message(text: string): void;
  /** Another source is shown, or none. */
  changed(source: Source | null): void;
}

export class Player {
  private loop: Loop | null = null;
  private turn = 0;

  constructor(private readonly stage: Stage) {}

  get source(): Source | null {
    return this.stage.picture.source;
  }

  /** Whether frames arrive one after the other. */
  get plays(): boolean {
    return this.loop !== null && !this.stage.picture.video.paused;
  }

  /** The frame interval of the video, seconds. */
  get frameS(): number {
    return this.loop?.frameS ?? 1 / 30;
  }

  /**
   * Open a source and show it in place of the current one, which stays if the new one cannot be opened. Of several
   * calls, the last one wins. Returns whether it is shown.
   */
  async open(what: string, make: () => Promise<Source>): Promise<boolean> {
    const { busy, message, picture, changed } = this.stage;
    const turn = ++this.turn;
    let opened: Source;
    try {
      opened = await busy.during(`Opening ${what} …`, make());
    } catch (error) {
      if (turn === this.turn) message(explain(error));
      return false;
    }
    if (turn === this.turn) await this.stop();
    if (turn !== this.turn) {
      opened.close();
      return false;
    }
    message("");
    try {
      await opened.show(picture);
    } catch (error) {
      opened.close();
      if (turn === this.turn) {
        changed(null);
        message(explain(error));
      }
      return false;
    }
    if (turn !== this.turn) {
      opened.close();
      return false;
    }
    picture.open(opened);
    changed(opened);
    await this.start(opened, turn);
    return true;
  }

  /** Close the source and show none. */
  async close(): Promise<void> {
    const turn = ++this.turn;
    await this.stop();
    if (turn === this.turn) this.stage.changed(null);
  }

  /** Track the image that is shown again, after a change of the settings. A video that plays needs no such call. */
  async again(): Promise<void> {
    if (this.source?.kind === "photo") await this.detectPhoto();
    else if (this.loop && !this.plays) await this.loop.again(FRAMES_AFTER_CHANGE);
  }

  /** Pause or resume. */
  togglePause(): void {
    const { video } = this.stage.picture;
    if (video.paused) void video.play();
    else video.pause();
  }

  /** Follow the settings' rate. */
  setRate(rate: number | null): void {
    if (this.loop) this.loop.rate = rate;
  }

  /** Stop tracking the video's frames, for as long as something else uses the tracker. */
  async rest(during: () => Promise<void>): Promise<void> {
    const { picture, tracking } = this.stage;
    const [source, turn] = [this.source, this.turn];
    picture.video.pause();
    await this.stopLoop();
    await during();
    if (turn !== this.turn || this.source !== source) return;
    await tracking.reset().catch(() => {});
    this.loop = this.newLoop(false);
  }

  private async start(source: Source, turn: number): Promise<void> {
    const { prepare, speed, tracking } = this.stage;
    speed.reset();
    if (!(await prepare()) || turn !== this.turn) return;
    await tracking.reset();
    if (source.kind === "photo") await this.detectPhoto();
    else if (turn === this.turn) this.loop = this.newLoop(source.kind === "camera");
  }

  private newLoop(live: boolean): Loop {
    const loop = new Loop(this.stage.picture.video, live, (video, timeS) => this.trackFrame(video, timeS));
    loop.rate = this.stage.settings().rate;
    return loop;
  }

  private async stop(): Promise<void> {
    const { picture, leaving, found, speed } = this.stage;
    const { source } = picture;
    await leaving();
    await this.stopLoop();
    if (picture.source !== source) return;
    source?.close();
    picture.open(null);
    speed.reset();
    found(NOTHING);
  }

  private async stopLoop(): Promise<void> {
    const { loop } = this;
    this.loop = null;
    await loop?.stop();
  }

  private async trackFrame(from: HTMLVideoElement, timeS: number): Promise<void> {
    const { picture, tracking, saving, speed, message } = this.stage;
    const [start, source] = [performance.now(), picture.source];
    const { exact, palmsOnly } = this.stage.settings();
    try {
      const waits = exact || saving.recordsNow;
      const { width, height } = picture.size;
      const found = await tracking.follow(waits ? picture.keepFrame() : from, timeS, palmsOnly);
      // A camera that turned in the meantime has frames of another shape.
      if (!source || picture.source !== source || !this.loop) return;
      if (picture.size.width !== width || picture.size.height !== height) return;
      speed.done(performance.now(), performance.now() - start);
      picture.showKept(waits);
      this.stage.found(found);
      if (waits) saving.add(timeS);
    } catch (error) {
      if (!picture.source) return;
      message(error instanceof EngineError ? RESTARTED : explain(error));
      await new Promise((resolve) => setTimeout(resolve, 500));
    }
  }

  private async detectPhoto(): Promise<void> {
    const { picture, tracking, speed, busy, message } = this.stage;
    const [start, { source }] = [performance.now(), picture];
    const detect = () => tracking.find(picture.photo, this.stage.settings().palmsOnly);
    try {
      const restarted = (error: unknown) => {
        if (!(error instanceof EngineError)) throw error;
        message(RESTARTED);
        return detect();
      };
      const found = await busy.during("Looking for hands …", detect().catch(restarted));
      if (picture.source !== source) return;
      speed.reset();
      speed.done(performance.now(), performance.now() - start);
      this.stage.found(found);
    } catch (error) {
      message(explain(error));
    }
  }
}
