/** Reads parts of images as RGBA bytes, with as little copying as the browser allows. */
import { InputError } from "./errors.js";
import type { Area, Pixels } from "./geometry.js";

/** RGBA bytes, row by row, as in `ImageData`. */
export interface RawImage {
  readonly data: Uint8Array | Uint8ClampedArray;
  readonly width: number;
  readonly height: number;
}

/** `VideoFrame`; nothing in TypeScript 5.0, which does not know it. */
export type WebVideoFrame = typeof globalThis extends { VideoFrame: { prototype: infer T } } ? T : never;

/** An image as it is sent to the worker. */
export type Frame = ImageBitmap | WebVideoFrame | RawImage | Blob;

/** An image whose parts can be read. */
export interface Picture {
  readonly width: number;
  readonly height: number;
  /** RGBA pixels that cover the area. They are valid until the next call. After the whole image was read, it is these. */
  read(area: Area): Pixels | Promise<Pixels>;
  close(): void;
}

const EXPECTED = "expected an ImageBitmap, VideoFrame, ImageData, Blob, image, video or canvas";

/** Opens frames. It keeps the canvas and the buffer that reading them needs. */
export class FrameReader {
  private context: OffscreenCanvasRenderingContext2D | null = null;
  private buffer = new Uint8Array(0);

  /** The image in a frame. @throws InputError if there is none or it is empty. */
  async open(frame: Frame): Promise<Picture> {
    if (frame instanceof Blob) return this.drawable(await decode(frame));
    if (isVideoFrame(frame))
      return (await copiesRgba()) && isPlain(frame) ? this.copyable(frame) : this.drawable(frame);
    if (isBitmap(frame)) return this.drawable(frame);
    return raw(frame as RawImage);
  }

  /** The image in any image source of this thread, which can be read at once. @throws InputError if it is empty. */
  openNow(source: unknown): Picture {
    if (isRaw(source)) return raw(source);
    const read = (area: Area) => this.draw(source as CanvasImageSource, area);
    return readOnce({ ...sizeOf(source), read, close: () => {} });
  }

  /** Pixels directly from a video frame, in a third of the time that a canvas takes. */
  private copyable(frame: VideoFrame): Picture {
    const { displayWidth: width, displayHeight: height } = frame;
    const read = (area: Area) => this.copy(frame, even(area, width, height));
    return readOnce({ width, height, read, close: () => frame.close() });
  }

  private async copy(frame: VideoFrame, { left, top, right, bottom }: Area): Promise<Pixels> {
    const [width, height] = [right - left, bottom - top];
    const size = width * height * 4;
    if (this.buffer.length < size) this.buffer = new Uint8Array(size);
    await frame.copyTo(this.buffer, rgbaOf({ x: left, y: top, width, height }));
    return { data: this.buffer, stride: width * 4, left, top, width, height };
  }

  private drawable(source: ImageBitmap | VideoFrame): Picture {
    const [width, height] = isVideoFrame(source)
      ? [source.displayWidth, source.displayHeight]
      : [source.width, source.height];
    if (!(width > 0 && height > 0)) throw new InputError(`${EXPECTED}, got one that has no pixels or is closed`);
    return readOnce({ width, height, read: (area) => this.draw(source, area), close: () => source.close() });
  }

  private draw(source: CanvasImageSource, { left, top, right, bottom }: Area): Pixels {
    const [width, height] = [right - left, bottom - top];
    const context = this.canvas(width, height);
    context.drawImage(source, left, top, width, height, 0, 0, width, height);
    return { data: context.getImageData(0, 0, width, height).data, stride: width * 4, left, top, width, height };
  }

  private canvas(width: number, height: number): OffscreenCanvasRenderingContext2D {
    let context = this.context;
    if (!context || context.canvas.width < width || context.canvas.height < height) {
      const before = context?.canvas ?? { width: 0, height: 0 };
      const canvas = new OffscreenCanvas(Math.max(width, before.width), Math.max(height, before.height));
      context = canvas.getContext("2d", { willReadFrequently: true });
      if (!context) throw new InputError("this browser has no 2D canvas to read images with; send ImageData instead");
      context.imageSmoothingEnabled = false;
      context.globalCompositeOperation = "copy";
      this.context = context;
    }
    return context;
  }
}

/** A picture that gives the whole image, once that was read, in place of parts, which would be read again. */
function readOnce(picture: Picture): Picture {
  let whole: ReturnType<Picture["read"]> | null = null;
  const read = (area: Area) => {
    if (whole) return whole;
    const pixels = picture.read(area);
    if (area.right - area.left === picture.width && area.bottom - area.top === picture.height) whole = pixels;
    return pixels;
  };
  return { ...picture, read };
}

function isBitmap(frame: unknown): frame is ImageBitmap {
  return typeof ImageBitmap !== "undefined" && frame instanceof ImageBitmap;
}

function isVideoFrame(frame: unknown): frame is VideoFrame {
  return typeof VideoFrame !== "undefined" && frame instanceof VideoFrame;
}

/** Whether the pixels of a frame are stored as they are shown: not rotated, scaled or cropped, in a known format. */
function isPlain(frame: VideoFrame): boolean {
  const { displayWidth, displayHeight, visibleRect, format } = frame;
  const { rotation, flip } = frame as { rotation?: number; flip?: boolean };
  const whole = visibleRect?.x === 0 && visibleRect.y === 0;
  return (
    !!format &&
    !rotation &&
    !flip &&
    whole &&
    visibleRect.width === displayWidth &&
    visibleRect.height === displayHeight
  );
}

function rgbaOf(rect: DOMRectInit & { width: number }): VideoFrameCopyToOptions {
  return {
    rect,
    layout: [{ offset: 0, stride: rect.width * 4 }],
    format: "RGBA",
    colorSpace: "srgb",
  } as VideoFrameCopyToOptions;
}

let copying: Promise<boolean> | null = null;

/** Whether this browser converts video frames to RGBA when it copies them. Older ones copy the stored format. */
function copiesRgba(): Promise<boolean> {
  copying ??= (async () => {
    const orange = { format: "BGRX", codedWidth: 2, codedHeight: 2, timestamp: 0 } as const;
    const gray = { ...orange, format: "I420" } as const;
    const [out, black] = [new Uint8Array(16), new Uint8Array(16)];
    try {
      for (const [bytes, options, target] of [
        [Uint8Array.of(...Array<number[]>(4).fill([0, 128, 255, 0]).flat()), orange, out],
        [Uint8Array.of(16, 16, 16, 16, 128, 128), gray, black],
      ] as const) {
        const frame = new VideoFrame(bytes, options);
        await frame.copyTo(target, rgbaOf({ x: 0, y: 0, width: 2, height: 2 }));
        frame.close();
      }
    } catch {
      return false;
    }
    return out[0] === 255 && out[1] === 128 && out[2] === 0 && black[0] < 8 && black[3] === 255;
  })();
  return copying;
}

/** The area enlarged to even pixels, which frames with subsampled colour need. */
function even({ left, top, right, bottom }: Area, width: number, height: number): Area {
  const up = (value: number, limit: number) => Math.min(value + (value & 1), limit);
  return { left: left & ~1, top: top & ~1, right: up(right, width), bottom: up(bottom, height) };
}

function isRaw(source: unknown): source is RawImage {
  return typeof source === "object" && source !== null && "data" in source;
}

/** The names under which kinds of images keep their width and height in pixels. */
const SIZES: Readonly<Record<string, readonly [string, string]>> = {
  HTMLVideoElement: ["videoWidth", "videoHeight"],
  HTMLImageElement: ["naturalWidth", "naturalHeight"],
  VideoFrame: ["displayWidth", "displayHeight"],
  ImageBitmap: ["width", "height"],
  ImageData: ["width", "height"],
  HTMLCanvasElement: ["width", "height"],
  OffscreenCanvas: ["width", "height"],
};

/** Width and height of an image source in pixels. @throws InputError if it is none, or empty. */
export function sizeOf(source: unknown): { width: number; height: number } {
  const kind = Object.keys(SIZES).find((name) => isOf(name, source));
  if (!kind) throw new InputError(`${EXPECTED}, got ${describe(source)}`);
  const [width, height] = SIZES[kind].map((name) => (source as Record<string, number>)[name]);
  if (!(width > 0 && height > 0)) throw new InputError(`expected an image, got a ${kind} that has no pixels yet`);
  return { width, height };
}

function raw({ data, width, height }: RawImage): Picture {
  if (!(data instanceof Uint8Array || data instanceof Uint8ClampedArray)) throw new InputError(EXPECTED);
  if (!(width > 0 && height > 0) || data.length !== width * height * 4)
    throw new InputError(`expected ${width} x ${height} RGBA pixels in 8 bits, got ${data.length} bytes`);
  const pixels = { data, stride: width * 4, left: 0, top: 0, width, height };
  return { width, height, read: () => pixels, close: () => {} };
}

async function decode(blob: Blob): Promise<ImageBitmap> {
  try {
    return await createImageBitmap(blob);
  } catch (error) {
    throw new InputError(`the browser cannot read this file as an image (${(error as Error).message})`);
  }
}

/** Any image source of a page as a frame that can be sent to a worker. */
export async function frameOf(source: unknown): Promise<Frame> {
  if (isVideoFrame(source) || source instanceof Blob || isBitmap(source)) return source;
  if (isRaw(source)) return source;
  if (typeof source !== "object" || source === null) throw new InputError(`${EXPECTED}, got ${describe(source)}`);
  try {
    const isLive =
      isOf("HTMLVideoElement", source) || isOf("HTMLCanvasElement", source) || isOf("OffscreenCanvas", source);
    if (isLive && typeof VideoFrame !== "undefined")
      return new VideoFrame(source as HTMLVideoElement, { timestamp: 0 });
    return await createImageBitmap(source as ImageBitmapSource);
  } catch (error) {
    throw new InputError(`${EXPECTED}, got ${describe(source)} (${(error as Error).message})`);
  }
}

/** `instanceof` for classes that do not exist in a worker. */
function isOf(name: string, source: unknown): boolean {
  const type = (globalThis as Record<string, unknown>)[name];
  return typeof type === "function" && source instanceof type;
}

function describe(value: unknown): string {
  return typeof value === "object" && value ? value.constructor.name : JSON.stringify(value);
}
