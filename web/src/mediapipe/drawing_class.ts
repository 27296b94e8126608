import { type Context, clamp, completed, type DrawingStyle, drawLines, drawPoints, lerp, value } from "./drawing.js";
import type { Connection, NormalizedLandmark } from "./task.js";

/** How lines and points are drawn. */
export type DrawingOptions = DrawingStyle<NormalizedLandmark>;

/** An upright box in canvas pixels. */
export interface BoundingBox {
  originX: number;
  originY: number;
  width: number;
  height: number;
  /** Not drawn, as in MediaPipe. */
  angle: number;
}

/** Draws results on a canvas. The masks of segmenters are not part of this package. */
export class DrawingUtils {
  /**
   * @param context the 2D context of the canvas; landmarks are in widths and heights of the canvas.
   * @param _gpuContext accepted and not used: nothing is drawn with WebGL.
   */
  constructor(
    private readonly context: Context,
    _gpuContext?: WebGL2RenderingContext,
  ) {}

  static clamp(x: number, x0: number, x1: number): number {
    return clamp(x, x0, x1);
  }

  /** The value between y0 and y1 that corresponds to x between x0 and x1. */
  static lerp(x: number, x0: number, x1: number, y0: number, y1: number): number {
    return lerp(x, x0, x1, y0, y1);
  }

  /** A circle at each landmark. */
  drawLandmarks(landmarks?: NormalizedLandmark[], style: DrawingOptions = {}): void {
    if (landmarks) drawPoints(this.context, landmarks, style);
  }

  /** A line for each connection. */
  drawConnectors(landmarks?: NormalizedLandmark[], connections?: Connection[], style: DrawingOptions = {}): void {
    if (!landmarks || !connections) return;
    const pairs = connections.map(({ start, end }) => [start, end] as const);
    drawLines(this.context, landmarks, pairs, style);
  }

  /** A box. */
  drawBoundingBox({ originX, originY, width, height }: BoundingBox, style: DrawingOptions = {}): void {
    const { color, fillColor, lineWidth } = completed(style);
    this.context.save();
    this.context.beginPath();
    this.context.lineWidth = value(lineWidth, {});
    this.context.strokeStyle = value(color, {});
    this.context.fillStyle = value(fillColor, {});
    this.context.moveTo(originX, originY);
    this.context.lineTo(originX + width, originY);
    this.context.lineTo(originX + width, originY + height);
    this.context.lineTo(originX, originY + height);
    this.context.lineTo(originX, originY);
    this.context.stroke();
    this.context.fill();
    this.context.restore();
  }

  /** Nothing has to be freed. */
  close(): void {}
}
