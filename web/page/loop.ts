/** Passes the newest frame of a video to the tracker whenever it is free; frames in between are skipped. */

/** Processes a frame. `timeS` always rises, even when the video restarts. */
export type Process = (video: HTMLVideoElement, timeS: number) => Promise<void>;

const FRAME_S = 1 / 30;

/** Follows a video element until it is stopped. */
export class Loop {
  /** At most this many frames per second are processed; null for no limit. */
  rate: number | null = null;
  /** The shortest step between two frames of the video so far: its frame interval. */
  frameS = FRAME_S;
  private busy = false;
  private working: Promise<void> = Promise.resolve();
  private waiting = false;
  private stopped = false;
  private timeS = -1;
  private lastS = 0;
  private aheadS = 0;
  private handle = 0;
  private startedMs = -Infinity;
  private shortestS = Infinity;

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

  /** Stop, and wait for the frame that is being processed: a tracker that is reset must not see it afterwards. */
  async stop(): Promise<void> {
    this.stopped = true;
    if (hasFrameCallback(this.video)) this.video.cancelVideoFrameCallback(this.handle);
    else cancelAnimationFrame(this.handle);
    await this.working;
  }

  /** Process the frame that is shown once more, `steps` times, as if time went on. For videos that are paused. */
  async again(steps: number): Promise<void> {
    for (let step = 0; step < steps && !this.stopped; step++) {
      while (this.busy) await new Promise((resolve) => setTimeout(resolve, 5));
      this.waiting = true;
      this.working = this.work();
      await this.working;
    }
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
    const timeS = this.live ? now / 1000 : mediaTime;
    const stepS = timeS - this.timeS;
    const isStep = !this.live && !this.video.paused && this.timeS >= 0 && stepS > 0.004;
    if (isStep && stepS < this.shortestS) this.frameS = this.shortestS = stepS;
    this.timeS = timeS;
    // A little earlier than the rate asks, since frames arrive at their own pace.
    if (this.rate !== null && !this.video.paused && now - this.startedMs < 1000 / this.rate - 8) return;
    this.waiting = true;
    if (!this.busy) this.working = this.work();
  }

  private async work(): Promise<void> {
    this.busy = true;
    while (this.waiting && !this.stopped) {
      this.waiting = false;
      this.startedMs = performance.now();
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
