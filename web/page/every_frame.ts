/** The button that tracks every frame of a video file, and its progress. */
import type { Busy } from "./busy.js";
import { explain } from "./messages.js";
import type { Player, Stage } from "./player.js";
import { element, showSpeed } from "./report.js";
import type { VideoBar } from "./video_bar.js";

const BUSY_CONTROLS = ["pause", "record", "seek", "back", "forward"];

export class EveryFrame {
  private work: { stop: AbortController; done: Promise<void> } | null = null;

  constructor(
    private readonly stage: Stage & { readonly busy: Busy },
    private readonly player: Player,
    private readonly bar: VideoBar,
  ) {}

  /** Start, or stop and offer what there is so far. */
  async toggle(): Promise<void> {
    if (this.work) return this.cancel();
    if (!this.player.source?.file) return;
    const stop = new AbortController();
    this.work = { stop, done: this.run(stop.signal) };
    await this.work.done;
    this.work = null;
  }

  async cancel(): Promise<void> {
    this.work?.stop.abort();
    await this.work?.done;
  }

  private async run(stop: AbortSignal): Promise<void> {
    const { player, stage } = this;
    this.showWork(true);
    try {
      await player.rest(() => this.process(stop));
    } catch (error) {
      stage.message(explain(error));
    } finally {
      this.showWork(false);
    }
  }

  private async process(stop: AbortSignal): Promise<void> {
    const { picture, tracking, saving, busy, settings, speed } = this.stage;
    const { source } = picture;
    if (!source?.file) return;
    const { label } = source;
    const [{ openFrames }, { processVideo, showProgress }] = [
      await import("./frames.js"),
      await import("./processing.js"),
    ];
    const frames = await busy.during(
      "Reading the video …",
      source.file().then((file) => openFrames(file, label)),
    );
    await tracking.reset();
    speed.reset();
    const { overlay } = saving;
    let lastS = 0;
    const { files, error } = await processVideo(picture, {
      frames,
      label,
      overlay,
      stop,
      track: async (frame) => {
        const start = performance.now();
        const found = await tracking.follow(frame.image, frame.timeS, settings().palmsOnly);
        speed.done(performance.now(), performance.now() - start);
        return found;
      },
      progress: (now) => {
        lastS = now.timeS;
        showSpeed(speed, performance.now());
        showProgress(now);
        this.bar.show(now.timeS, now.durationS);
        this.stage.found(picture.found);
      },
    });
    frames.close();
    if (files.length) saving.offer(files, stop.aborted ? "Video up to where it was stopped" : "Video with every frame");
    if (error) this.stage.message(`${explain(error)} The files below end before this frame.`);
    picture.video.currentTime = lastS;
  }

  private showWork(on: boolean): void {
    element("work").hidden = !on;
    element("work-text").textContent = "";
    element<HTMLProgressElement>("work-bar").value = 0;
    element("process").textContent = on ? "Stop" : "Track every frame";
    for (const id of BUSY_CONTROLS) element<HTMLButtonElement>(id).disabled = on;
    if (!on) this.stage.saving.showState();
  }
}
