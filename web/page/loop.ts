/** Passes the newest frame of a video to the tracker whenever it is free; frames in between are skipped. */

/** Processes a frame. `timeS` always rises, even when the video restarts. */
export type Process = (video: HTMLVideoElement, timeS: number) => Promise<void>;

const FRAME_S = 1 / 30;

/** Follows a video element until it is stopped. */
export class Loop {
  /** Frames that the video showed, and how many of them were skipped. */
  shown = 0;
  skipped = 0;
  private busy = false;
  private waiting = false;
  private stopped = false;
  private timeS = -1;
  private lastS = 0;
  private aheadS = 0;
  private handle = 0;

  /**
   * @param live take times from the clock (for cameras) instead of from the video.
   */
  constructor(
    private readonly video: HTMLVideoElement,
    private readonly live: boolean,
    private readonly process: Process,
  ) {
    this.schedule();
  }

  stop(): void {
    this.stopped = true;
    if (hasFrameCallback(this.video)) this.video.cancelVideoFrameCallback(this.handle);
    else cancelAnimationFrame(this.handle);
  }

  private schedule(): void {
    if (this.stopped) return;
    if (hasFrameCallback(this.video))
      this.handle = this.video.requestVideoFrameCallback((now, frame) => this.arrived(now, frame.mediaTime));
    else
      this.handle = requestAnimationFrame((now) => {
        if (this.video.readyState >= 2 && this.video.currentTime !== this.timeS)
          this.arrived(now, this.video.currentTime);
        else this.schedule();
      });
  }

  private arrived(now: number, mediaTime: number): void {
    this.schedule();
    this.shown++;
    this.timeS = this.live ? now / 1000 : mediaTime;
    if (this.waiting) this.skipped++;
    this.waiting = true;
    if (!this.busy) void this.work();
  }

  private async work(): Promise<void> {
    this.busy = true;
    while (this.waiting && !this.stopped) {
      this.waiting = false;
      if (this.timeS + this.aheadS <= this.lastS) this.aheadS = this.lastS + FRAME_S - this.timeS;
      this.lastS = this.timeS + this.aheadS;
      await this.process(this.video, this.lastS);
    }
    this.busy = false;
  }
}

function hasFrameCallback(video: HTMLVideoElement): boolean {
  return "requestVideoFrameCallback" in video;
}
