/** What is shown: the video or photo, and what was found drawn over it. */
import { drawHands, drawPalms, mapTo } from "./overlay.js";
import type { Source } from "./sources.js";
import type { Found } from "./tracking.js";

/** Nothing in view. */
export const NOTHING: Found = { hands: [], palms: null };

/** The stage of the page. */
export class Picture {
  source: Source | null = null;
  found: Found = NOTHING;
  labels = true;
  /** Shown as in a mirror; what is found is not changed by it. */
  flip = false;
  /** A frame that waits for its hands. */
  readonly frame = document.createElement("canvas");

  constructor(
    readonly stage: HTMLElement,
    readonly video: HTMLVideoElement,
    readonly photo: HTMLCanvasElement,
    private readonly overlay: HTMLCanvasElement,
  ) {
    new ResizeObserver(() => this.draw()).observe(overlay);
  }

  /** Show another source, or none. */
  open(source: Source | null): void {
    this.source = source;
    const kind = source?.kind;
    this.stage.dataset.source = kind ?? "none";
    this.stage.style.setProperty("--ratio", source ? String(source.width / source.height) : "1.6");
    this.video.hidden = kind !== "camera" && kind !== "video";
    this.photo.hidden = kind !== "photo";
    this.show(NOTHING);
  }

  show(found: Found): void {
    this.found = found;
    this.stage.dataset.hands = String(found.hands?.length ?? 0);
    this.stage.dataset.palms = String(found.palms?.length ?? 0);
    this.draw();
  }

  setFlip(flip: boolean): void {
    this.flip = flip;
    this.stage.dataset.flip = String(flip);
    this.draw();
  }

  /** The video's frame as it is now, kept until its hands are known. */
  keepFrame(): HTMLCanvasElement {
    resize(this.frame, this.video.videoWidth, this.video.videoHeight);
    this.frame.getContext("2d", { alpha: false, willReadFrequently: true })?.drawImage(this.video, 0, 0);
    return this.frame;
  }

  /** Show the frame that was kept, or the video as it plays. */
  showKept(kept: boolean): void {
    if (this.source?.kind === "photo") return;
    this.photo.hidden = !kept;
    if (!kept) return;
    resize(this.photo, this.frame.width, this.frame.height);
    this.photo.getContext("2d")?.drawImage(this.frame, 0, 0);
  }

  /** The overlay, in the pixels of the screen. */
  draw(): void {
    const ctx = this.overlay.getContext("2d");
    const pixelRatio = Math.min(devicePixelRatio, 2);
    const { clientWidth, clientHeight } = this.overlay;
    if (!ctx || !clientWidth) return;
    resize(this.overlay, Math.round(clientWidth * pixelRatio), Math.round(clientHeight * pixelRatio));
    ctx.clearRect(0, 0, this.overlay.width, this.overlay.height);
    this.drawFound(ctx, pixelRatio);
  }

  /** A picture of the source with what was found in it, as it is saved. */
  drawInto(ctx: CanvasRenderingContext2D, picture: CanvasImageSource): void {
    const { width, height } = ctx.canvas;
    ctx.save();
    if (this.flip) ctx.setTransform(-1, 0, 0, 1, width, 0);
    ctx.drawImage(picture, 0, 0, width, height);
    ctx.restore();
    this.drawFound(ctx, Math.max(1, width / 900));
  }

  private drawFound(ctx: CanvasRenderingContext2D, pixelRatio: number): void {
    if (!this.source) return;
    const map = mapTo(ctx.canvas, this.source.width, this.source.height, this.flip);
    drawHands(ctx, this.found.hands ?? [], map, this.labels, pixelRatio);
    drawPalms(ctx, this.found.palms ?? [], map, this.labels, pixelRatio);
  }
}

/** Setting a canvas's size clears it, also where it is the same. */
function resize(canvas: HTMLCanvasElement, width: number, height: number): void {
  if (canvas.width === width && canvas.height === height) return;
  canvas.width = width;
  canvas.height = height;
}
