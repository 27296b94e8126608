/**
 * `@mediapipe/camera_utils`: `import { Camera } from "knuckle-web/camera_utils"`.
 *
 * @packageDocumentation
 */

/** What a camera does. */
export interface CameraOptions {
  /** Called for each frame. The next frame waits for its promise; frames that arrive in the meantime are dropped. */
  onFrame: () => Promise<void> | null | undefined;
  /** Default: "user". */
  facingMode?: "user" | "environment";
  /** Wanted size in pixels; default: 640 × 480. */
  width?: number;
  height?: number;
}

/** Shows a camera in a video element and calls a function for each of its frames. */
export class Camera {
  private stream: MediaStream | null = null;
  private shownS = -1;

  constructor(
    private readonly video: HTMLVideoElement,
    private readonly options: CameraOptions,
  ) {}

  /** Open the camera. @throws the browser's error if that fails; it is also written to the console. */
  async start(): Promise<void> {
    const { facingMode = "user", width = 640, height = 480 } = this.options;
    try {
      this.stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode, width, height } });
    } catch (error) {
      console.error(`Failed to acquire camera feed: ${error}`);
      throw error;
    }
    this.video.srcObject = this.stream;
    this.video.onloadedmetadata = () => {
      this.video.play();
      this.next();
    };
  }

  /** Close the camera. */
  async stop(): Promise<void> {
    for (const track of this.stream?.getTracks() ?? []) track.stop();
    this.stream = null;
  }

  private next(): void {
    if (this.stream) requestAnimationFrame(() => this.show());
  }

  private show(): void {
    const { paused, currentTime } = this.video;
    const isNew = !paused && currentTime !== this.shownS;
    if (isNew) this.shownS = currentTime;
    const done = isNew ? this.options.onFrame() : null;
    if (done) done.then(() => this.next());
    else this.next();
  }
}
