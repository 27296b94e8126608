/**
 * `@mediapipe/drawing_utils` on a 2D canvas: `import { drawConnectors } from "knuckle-web/drawing_utils"`.
 *
 * @packageDocumentation
 */
import { type Context, completed, type DrawingStyle, drawLines, drawPoints, type Point, value } from "./drawing.js";

export { clamp, type LandmarkData as Data, lerp, type Point as NormalizedLandmark } from "./drawing.js";

/** Points in image widths and heights. */
export type NormalizedLandmarkList = Point[];
/** Pairs of indices of points. */
export type LandmarkConnectionArray = [number, number][];

/** How lines and points are drawn. */
export interface DrawingOptions extends DrawingStyle {
  /** Points that have a lower visibility are left out; default: 0.5. */
  visibilityMin?: number;
}

/** A rectangle in canvas widths and heights. */
export interface NormalizedRect {
  xCenter: number;
  yCenter: number;
  height: number;
  width: number;
  /** Clockwise, degrees. */
  rotation: number;
}

/** A circle at each visible landmark. */
export function drawLandmarks(context: Context, landmarks?: NormalizedLandmarkList, style: DrawingOptions = {}): void {
  if (landmarks) drawPoints(context, visible(landmarks, style) as Point[], style);
}

/** A line for each connection of two visible landmarks. */
export function drawConnectors(
  context: Context,
  landmarks?: NormalizedLandmarkList,
  connections?: LandmarkConnectionArray,
  style: DrawingOptions = {},
): void {
  if (!landmarks || !connections) return;
  const shown = new Set(visible(landmarks, style));
  const points = landmarks.map((point) => (shown.has(point) ? point : undefined));
  drawLines(context, points, connections, style);
}

/** A filled rectangle. */
export function drawRectangle(context: Context, rect: NormalizedRect, style: DrawingOptions = {}): void {
  const { color, fillColor, lineWidth } = completed(style);
  const { width, height } = context.canvas;
  context.save();
  context.beginPath();
  context.lineWidth = value(lineWidth, {});
  context.strokeStyle = value(color, {});
  context.fillStyle = value(fillColor, {});
  context.translate(rect.xCenter * width, rect.yCenter * height);
  context.rotate((rect.rotation * Math.PI) / 180);
  context.rect((-rect.width / 2) * width, (-rect.height / 2) * height, rect.width * width, rect.height * height);
  context.stroke();
  context.fill();
  context.restore();
}

function visible(landmarks: NormalizedLandmarkList, { visibilityMin = 0.5 }: DrawingOptions): Point[] {
  return landmarks.filter((point) => point && (point.visibility === undefined || point.visibility > visibilityMin));
}
