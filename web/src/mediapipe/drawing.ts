/** Drawing of landmarks on a 2D canvas, as MediaPipe's packages do it; their styles and defaults. */

/** A point in image widths and heights. */
export interface Point {
  x: number;
  y: number;
  z?: number;
  visibility?: number;
}

/** What a style function learns about the line or point that is drawn. */
export interface LandmarkData<P = Point> {
  index?: number;
  from?: P;
  to?: P;
}

/** A value, or a function that gives it for each line or point. */
type Styled<T, P> = T | ((data: LandmarkData<P>) => T);
type Colour = string | CanvasGradient | CanvasPattern;

/** How lines and points are drawn. */
export interface DrawingStyle<P = Point> {
  /** Default: white. */
  color?: Styled<Colour, P>;
  /** Default: `color`, or black if there is none. */
  fillColor?: Styled<Colour, P>;
  /** Canvas pixels; default: 4. */
  lineWidth?: Styled<number, P>;
  /** Canvas pixels; default: 6. */
  radius?: Styled<number, P>;
}

/** A context that can be drawn on. */
export type Context = CanvasRenderingContext2D | OffscreenCanvasRenderingContext2D;

/** Restrict a number to the range between two others, in any order. */
export function clamp(x: number, x0: number, x1: number): number {
  const [low, high] = x0 < x1 ? [x0, x1] : [x1, x0];
  return Math.min(Math.max(x, low), high);
}

/** The value between y0 and y1 that corresponds to x between x0 and x1; never beyond y0 and y1. */
export function lerp(x: number, x0: number, x1: number, y0: number, y1: number): number {
  return clamp(y0 * (1 - (x - x0) / (x1 - x0)) + y1 * (1 - (x1 - x) / (x1 - x0)), y0, y1);
}

/** A filled circle at each point. */
export function drawPoints<P extends Point>(context: Context, points: readonly P[], style: DrawingStyle<P>): void {
  const { width, height } = context.canvas;
  const chosen = { ...completed(style), radius: style.radius ?? 6 };
  context.save();
  for (const [index, from] of points.entries()) {
    const data = { index, from };
    context.fillStyle = value(chosen.fillColor, data);
    context.strokeStyle = value(chosen.color, data);
    context.lineWidth = value(chosen.lineWidth, data);
    const circle = new Path2D();
    circle.arc(from.x * width, from.y * height, value(chosen.radius, data), 0, 2 * Math.PI);
    context.fill(circle);
    context.stroke(circle);
  }
  context.restore();
}

/** A line for each pair of indices of points. */
export function drawLines<P extends Point>(
  context: Context,
  points: readonly (P | undefined)[],
  pairs: readonly (readonly [number, number])[],
  style: DrawingStyle<P>,
): void {
  const { width, height } = context.canvas;
  const { color, lineWidth } = completed(style);
  context.save();
  for (const [index, [start, end]] of pairs.entries()) {
    const [from, to] = [points[start], points[end]];
    if (!from || !to) continue;
    context.beginPath();
    context.strokeStyle = value(color, { index, from, to });
    context.lineWidth = value(lineWidth, { index, from, to });
    context.moveTo(from.x * width, from.y * height);
    context.lineTo(to.x * width, to.y * height);
    context.stroke();
  }
  context.restore();
}

/** A style with its defaults. */
export function completed<P>(style: DrawingStyle<P>): Required<Omit<DrawingStyle<P>, "radius">> {
  const { color, lineWidth = 4 } = style;
  return { color: color ?? "white", fillColor: style.fillColor ?? color ?? "black", lineWidth };
}

/** The value of a style for one line or point. */
export function value<T, P>(styled: Styled<T, P>, data: LandmarkData<P>): T {
  return typeof styled === "function" ? (styled as (data: LandmarkData<P>) => T)(data) : styled;
}
