/** The image on the page: the video or photo, with the hands drawn over it. */
import { drawHands, drawPalms, mapTo } from "./overlay.js";
import type { Source } from "./sources.js";
import type { Found } from "./tracking.js";

/** No hands and no palms. */
export const NOTHING: Found = { hands: [], palms: null };

/** Size of an image, pixels. */
export interface Size {
  readonly width: number;
  readonly height: number;
}

/** The image area of the page. */
export class Picture {
  source: Source | null = null;
  found: Found = NOTHING;
  labels = true;
  /** Show the image as in a mirror; this does not change the results. */
  flip = false;
  /** The frame that is being tracked, in sync mode. */
  readonly frame = document.createElement("canvas");

  constructor(
    readonly stage: HTMLElement,
    readonly video: HTMLVideoElement,
    readonly photo: HTMLCanvasElement,
    private readonly overlay: HTMLCanvasElement,
  ) {
    new ResizeObserver(() => this.draw()).observe(overlay);
    // A camera turns with its phone: the same stream goes on in another size.
    video.addEventListener("resize", () => this.fit());
  }

  /** Show a source, or none. */
  open(source: Source | null): void {
    this.source = source;
    const kind = source?.kind;
    this.stage.dataset.source = kind ?? "none";
    this.video.hidden = kind !== "camera" && kind !== "video";
    this.photo.hidden = kind !== "photo";
    this.fit();
  }

  /** Size of the image now, in pixels. */
  get size(): Size {
    const { photo, video } = this;
    if (this.source?.kind === "photo") return { width: photo.width, height: photo.height };
    return { width: video.videoWidth, height: video.videoHeight };
  }

  /** Take the shape of the image; what was found in an image of another shape is no longer shown. */
  private fit(): void {
    const { width, height } = this.size;
    this.stage.style.setProperty("--ratio", this.source && height ? String(width / height) : "1.6");
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

  /** Copy the current frame of the video, to show it once it has been tracked. */
  keepFrame(): HTMLCanvasElement {
    resize(this.frame, this.video.videoWidth, this.video.videoHeight);
    this.frame.getContext("2d", { alpha: false, willReadFrequently: true })?.drawImage(this.video, 0, 0);
    return this.frame;
  }

  /** Show the copied frame, or the video itself. */
  showKept(kept: boolean): void {
    if (this.source?.kind === "photo") return;
    if (kept) this.cover(this.frame);
    else this.photo.hidden = true;
  }

  /** Show a frame of the video's file in place of the video, with what was found in it. */
  showFrame(image: HTMLCanvasElement | OffscreenCanvas, found: Found): void {
    this.cover(image);
    this.show(found);
  }

  private cover(image: HTMLCanvasElement | OffscreenCanvas): void {
    this.photo.hidden = false;
    resize(this.photo, image.width, image.height);
    this.photo.getContext("2d")?.drawImage(image, 0, 0);
  }

  /** Draw the overlay at the resolution of the screen. */
  draw(): void {
    const ctx = this.overlay.getContext("2d");
    const pixelRatio = Math.min(devicePixelRatio, 2);
    const { clientWidth, clientHeight } = this.overlay;
    if (!ctx || !clientWidth) return;
    resize(this.overlay, Math.round(clientWidth * pixelRatio), Math.round(clientHeight * pixelRatio));
    ctx.clearRect(0, 0, this.overlay.width, this.overlay.height);
    this.drawFound(ctx, pixelRatio);
  }

  /** Draw an image for saving, with its hands if `overlay` is set: the whole image, in the middle of the canvas. */
  drawInto(ctx: CanvasRenderingContext2D, picture: CanvasImageSource, overlay: boolean): void {
    const { canvas } = ctx;
    const { width, height } = this.size;
    const scale = Math.min(canvas.width / width, canvas.height / height);
    const [left, top] = [(canvas.width - scale * width) / 2, (canvas.height - scale * height) / 2];
    ctx.save();
    ctx.clearRect(0, 0, canvas.width, canvas.height);
    if (this.flip) ctx.setTransform(-1, 0, 0, 1, canvas.width, 0);
    ctx.drawImage(picture, left, top, scale * width, scale * height);
    ctx.restore();
    if (overlay) this.drawFound(ctx, Math.max(1, canvas.width / 900));
  }

  private drawFound(ctx: CanvasRenderingContext2D, pixelRatio: number): void {
    if (!this.source) return;
    const { width, height } = this.size;
    if (!width || !height) return;
    const map = mapTo(ctx.canvas, width, height, this.flip);
    drawHands(ctx, this.found.hands ?? [], map, this.labels, pixelRatio);
    drawPalms(ctx, this.found.palms ?? [], map, this.labels, pixelRatio);
  }
}

/** Resize a canvas only if needed, because setting the size clears it. */
function resize(canvas: HTMLCanvasElement, width: number, height: number): void {
  if (canvas.width === width && canvas.height === height) return;
  canvas.width = width;
  canvas.height = height;
}
