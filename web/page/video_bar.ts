/** The bar below a video file: seek, step from frame to frame, and track every frame. */
import type { Player } from "./player.js";
import { element } from "./report.js";

/** Connects the bar with the video. */
export class VideoBar {
  private readonly bar = element("bar");
  private readonly seek = element<HTMLInputElement>("seek");
  private readonly video = element<HTMLVideoElement>("video");
  private drags = false;
  private interval: Promise<number> | null = null;

  constructor(private readonly player: Player) {
    const { seek, video } = this;
    seek.addEventListener("input", () => {
      this.drags = true;
      if (Number.isFinite(video.duration)) video.currentTime = (Number(seek.value) / 1000) * video.duration;
    });
    seek.addEventListener("change", () => {
      this.drags = false;
    });
    for (const event of ["timeupdate", "seeked", "durationchange"]) video.addEventListener(event, () => this.show());
  }

  /** Show the bar for video files only. */
  open(isVideo: boolean): void {
    this.bar.hidden = !isVideo;
    this.interval = null;
    this.show();
  }

  /** Pause, and go to the next frame (1) or the one before (-1). */
  async step(direction: 1 | -1): Promise<void> {
    const { video } = this;
    if (!video.paused) element("pause").click();
    this.interval ??= this.frameInterval();
    const frameS = await this.interval;
    // Aimed at the middle of a frame, since times of frames are rounded.
    const frame = Math.floor(video.currentTime / frameS + 1e-3) + direction;
    video.currentTime = Math.max(0, Math.min(video.duration - frameS / 2, (frame + 0.5) * frameS));
  }

  private async frameInterval(): Promise<number> {
    const file = await this.player.source?.file?.().catch(() => null);
    const { frameIntervalOf } = await import("./frames.js");
    return (file && (await frameIntervalOf(file))) ?? this.player.frameS;
  }

  /** Show a time while another part of the page goes through the video. */
  show(timeS = this.video.currentTime, durationS = this.video.duration): void {
    if (this.bar.hidden || !Number.isFinite(durationS)) return;
    if (!this.drags) this.seek.value = String(Math.round((1000 * timeS) / durationS));
    const text = `${clock(timeS)} of ${clock(durationS)}`;
    this.seek.setAttribute("aria-valuetext", text);
    element("time").textContent = text;
  }
}

/** Minutes, seconds and hundredths. */
function clock(timeS: number): string {
  const seconds = (timeS % 60).toFixed(2).padStart(5, "0");
  return `${Math.floor(timeS / 60)}:${seconds}`;
}
