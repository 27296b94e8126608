/** The newest frame of a video to the tracker, as often as it is free; frames that come meanwhile are left out. */

/** What is done with a frame; `timeS` always rises, also where the video begins again. */
export type Look = (video: HTMLVideoElement, timeS: number) => Promise<void>;

const FRAME_S = 1 / 30;

/** Follows one video element until it is stopped. */
export class Loop {
  /** Frames that the video showed, and of those the ones that were not looked at. */
  shown = 0;
  leftOut = 0;
  private busy = false;
  private waiting = false;
  private stopped = false;
  private timeS = -1;
  private lastS = 0;
  private aheadS = 0;
  private handle = 0;

  /**
   * @param live whether time is the clock's (a camera) or the video's own.
   */
  constructor(
    private readonly video: HTMLVideoElement,
    private readonly live: boolean,
    private readonly look: Look,
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
    if (this.waiting) this.leftOut++;
    this.waiting = true;
    if (!this.busy) void this.work();
  }

  private async work(): Promise<void> {
    this.busy = true;
    while (this.waiting && !this.stopped) {
      this.waiting = false;
      if (this.timeS + this.aheadS <= this.lastS) this.aheadS = this.lastS + FRAME_S - this.timeS;
      this.lastS = this.timeS + this.aheadS;
      await this.look(this.video, this.lastS);
    }
    this.busy = false;
  }
}

function hasFrameCallback(video: HTMLVideoElement): boolean {
  return "requestVideoFrameCallback" in video;
}
