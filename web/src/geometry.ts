/**
 * Squares, angles and affines between image and crop, and the functions that cut crops.
 *
 * Pixel centres are at integers, in the image and in the crop, and crop pixel 0 lies on the edge of the region. So the
 * coordinate c in a crop of `side` pixels is the fraction c / side of the region.
 */
import { InputError } from "./errors.js";
import type { Roi } from "./results.js";

/** Pixels of an image or a part of it: RGBA bytes, row by row. */
export interface Pixels {
  readonly data: Uint8Array | Uint8ClampedArray;
  /** Bytes per row. */
  readonly stride: number;
  /** Position of the first pixel in the image. */
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
}

/** A rectangle of pixels; right and bottom are exclusive. */
export interface Area {
  readonly left: number;
  readonly top: number;
  readonly right: number;
  readonly bottom: number;
}

/** a, b, c, d, e, f: x' = a x + b y + c, y' = d x + e y + f. */
export type Affine = readonly [number, number, number, number, number, number];

export type Box = readonly [number, number, number, number];

const fround = Math.fround;
// Adding and subtracting 1.5 * 2^52 rounds a double to the nearest integer, half to even.
const ROUND = 6755399441055744;
const TO_UNIT = Float32Array.from({ length: 256 }, (_, value) => value * fround(1 / 255));

/** The angle within [-pi, pi). */
export function wrapAngle(angleRad: number): number {
  return angleRad - 2 * Math.PI * Math.floor((angleRad + Math.PI) / (2 * Math.PI));
}

/** Rotate a point about the origin, clockwise on screen (y points down). */
export function turn(x: number, y: number, angleRad: number): [number, number] {
  const [c, s] = [Math.cos(angleRad), Math.sin(angleRad)];
  return [c * x - s * y, s * x + c * y];
}

/** The smallest square around the whole image; a crop of it is the letterboxed image. */
export function wholeImage(width: number, height: number): Roi {
  return { x: width / 2, y: height / 2, size: Math.max(width, height), angleRad: 0 };
}

/** Numbers of a region are below this, in pixels: single precision still holds half pixels there. */
export const MAX_PX = 1e6;

/** Whether a region can be cropped: finite numbers below `MAX_PX`, and a size above 0. */
export function isUsable({ x, y, size, angleRad }: Roi): boolean {
  return size > 0 && size < MAX_PX && Math.abs(x) < MAX_PX && Math.abs(y) < MAX_PX && Number.isFinite(angleRad);
}

/** The affine from crop pixels to image pixels. @throws InputError if the region is not usable, see `isUsable`. */
export function imageFromCrop(roi: Roi, side: number): Affine {
  const { x, y, size, angleRad } = roi;
  if (!isUsable(roi))
    throw new InputError(
      `a region needs finite numbers below ${MAX_PX} and a size above 0, got ${JSON.stringify(roi)}`,
    );
  const scale = size / side;
  const [c, s, half] = [scale * Math.cos(angleRad), scale * Math.sin(angleRad), side / 2];
  return [c, -s, x - c * half + s * half, s, c, y - s * half - c * half];
}

/** The part of the image that the crop of a region needs. */
export function cropArea(roi: Roi, width: number, height: number): Area {
  const reach = (roi.size / 2) * (Math.abs(Math.cos(roi.angleRad)) + Math.abs(Math.sin(roi.angleRad))) + 2;
  const [left, right] = within(roi.x - reach, roi.x + reach, width);
  const [top, bottom] = within(roi.y - reach, roi.y + reach, height);
  return { left, top, right, bottom };
}

/** Clamp [low, high) to the pixels of an image with this length; never empty. */
function within(low: number, high: number, length: number): [number, number] {
  const first = Math.min(Math.max(Math.floor(low), 0), length - 1);
  return [first, Math.max(Math.min(Math.ceil(high), length), first + 1)];
}

/**
 * Cut a rotated square out of an image into `out`, (side, side, 3) RGB in 0..1. Beyond the border the edge pixels repeat.
 *
 * Bilinear in steps of 1/32 pixel, as in the training of the networks. `area` is `cropArea(roi, …)`, and `pixels` must
 * cover it.
 */
export function crop(pixels: Pixels, area: Area, roi: Roi, side: number, out: Float32Array): void {
  const affine = imageFromCrop(roi, side);
  const [a, b, c, d, e, f] = Float32Array.from([
    affine[0],
    affine[1],
    affine[2] - area.left,
    affine[3],
    affine[4],
    affine[5] - area.top,
  ]);
  const { data, stride } = pixels;
  const start = (area.top - pixels.top) * stride + (area.left - pixels.left) * 4;
  const [lastX, lastY] = [area.right - area.left - 1, area.bottom - area.top - 1];
  for (let row = 0, o = 0; row < side; row++) {
    const rowX = fround(fround(b * row) + c);
    const rowY = fround(fround(e * row) + f);
    for (let column = 0; column < side; column++, o += 3) {
      const x32 = (fround(rowX + fround(a * column)) * 32 + ROUND - ROUND) | 0;
      const y32 = (fround(rowY + fround(d * column)) * 32 + ROUND - ROUND) | 0;
      const x = x32 >> 5;
      const y = y32 >> 5;
      const u = x32 & 31;
      const v = y32 & 31;
      let p = start + y * stride + 4 * x;
      let q = p + 4;
      let r = p + stride;
      let s = r + 4;
      if (x < 0 || y < 0 || x >= lastX || y >= lastY) {
        const [x0, y0] = [x < 0 ? 0 : Math.min(x, lastX), y < 0 ? 0 : Math.min(y, lastY)];
        const [x1, y1] = [x < -1 ? 0 : x >= lastX ? lastX : x + 1, y < -1 ? 0 : y >= lastY ? lastY : y + 1];
        p = start + y0 * stride + 4 * x0;
        q = start + y0 * stride + 4 * x1;
        r = start + y1 * stride + 4 * x0;
        s = start + y1 * stride + 4 * x1;
      }
      const wp = (32 - u) * (32 - v);
      const wq = u * (32 - v);
      const wr = (32 - u) * v;
      const ws = u * v;
      out[o] = TO_UNIT[(wp * data[p] + wq * data[q] + wr * data[r] + ws * data[s] + 512) >> 10];
      out[o + 1] = TO_UNIT[(wp * data[p + 1] + wq * data[q + 1] + wr * data[r + 1] + ws * data[s + 1] + 512) >> 10];
      out[o + 2] = TO_UNIT[(wp * data[p + 2] + wq * data[q + 2] + wr * data[r + 2] + ws * data[s + 2] + 512) >> 10];
    }
  }
}

/** Write the image, centred in a black square, to `out`: (side, side, 3) RGB in 0..1. `pixels` is the whole image. */
export function letterbox(pixels: Pixels, side: number, out: Float32Array): void {
  const { data, stride, width, height } = pixels;
  const [xs, ys] = letterboxMaps(width, height, side);
  for (let i = 0, o = 0; i < xs.length; i++, o += 3) {
    const x = xs[i] >> 5;
    const y = ys[i] >> 5;
    if (x < -1 || y < -1 || x >= width || y >= height) {
      out[o] = out[o + 1] = out[o + 2] = 0;
      continue;
    }
    // A sample beyond the border is black: its weight is 0, and its address may be that of any pixel.
    const right = x + 1 < width ? xs[i] & 31 : 0;
    const below = y + 1 < height ? ys[i] & 31 : 0;
    const left = x >= 0 ? 32 - (xs[i] & 31) : 0;
    const above = y >= 0 ? 32 - (ys[i] & 31) : 0;
    const x0 = x >= 0 ? 4 * x : 0;
    const x1 = x + 1 < width ? 4 * x + 4 : 0;
    const y0 = y >= 0 ? y * stride : 0;
    const y1 = y + 1 < height ? (y + 1) * stride : 0;
    const p = y0 + x0;
    const q = y0 + x1;
    const r = y1 + x0;
    const s = y1 + x1;
    const wp = left * above;
    const wq = right * above;
    const wr = left * below;
    const ws = right * below;
    out[o] = TO_UNIT[(wp * data[p] + wq * data[q] + wr * data[r] + ws * data[s] + 512) >> 10];
    out[o + 1] = TO_UNIT[(wp * data[p + 1] + wq * data[q + 1] + wr * data[r + 1] + ws * data[s + 1] + 512) >> 10];
    out[o + 2] = TO_UNIT[(wp * data[p + 2] + wq * data[q + 2] + wr * data[r + 2] + ws * data[s + 2] + 512) >> 10];
  }
}

let lastMaps: { key: string; maps: [Int32Array, Int32Array] } | null = null;

/**
 * The image position of each pixel of the letterbox, in 1/32 pixels. Kept for the last image size.
 *
 * Many samples fall exactly between two steps of 1/32 pixel. In the reference, rounding noise decides them, and palms
 * depend on it. So its arithmetic is repeated here step by step: the homography of the corners, its inverse by cofactors,
 * blocks of 64 columns, rounding half to even.
 */
export function letterboxMaps(width: number, height: number, side: number): [Int32Array, Int32Array] {
  const key = `${width} ${height} ${side}`;
  if (lastMaps?.key === key) return lastMaps.maps;
  const roi = wholeImage(width, height);
  const [lowX, lowY] = [fround(roi.x - roi.size / 2), fround(roi.y - roi.size / 2)];
  const [highX, highY] = [fround(2 * fround(roi.x) - lowX), fround(2 * fround(roi.y) - lowY)];
  const source = [lowX, highY, lowX, lowY, highX, lowY, highX, highY];
  const m = inverse3(homography(source, [0, side, 0, 0, side, 0, side, side]));
  const [xs, ys] = [new Int32Array(side * side), new Int32Array(side * side)];
  for (let row = 0, i = 0; row < side; row++)
    for (let column = 0; column < side; column++, i++) {
      const block = 64 * Math.floor(column / 64);
      const at = (k: number) => m[k] * block + m[k + 1] * row + m[k + 2] + m[k] * (column - block);
      const scale = 32 / at(6);
      xs[i] = at(0) * scale + ROUND - ROUND;
      ys[i] = at(3) * scale + ROUND - ROUND;
    }
  lastMaps = { key, maps: [xs, ys] };
  return lastMaps.maps;
}

/** The 3x3 homography that maps four points to four others (Gaussian elimination): nine numbers, the last one is 1. */
function homography(source: readonly number[], target: readonly number[]): number[] {
  const rows: number[][] = [];
  for (let i = 0; i < 4; i++) {
    const [x, y, u] = [source[2 * i], source[2 * i + 1], target[2 * i]];
    rows.push([x, y, 1, 0, 0, 0, -x * u, -y * u, u]);
  }
  for (let i = 0; i < 4; i++) {
    const [x, y, v] = [source[2 * i], source[2 * i + 1], target[2 * i + 1]];
    rows.push([0, 0, 0, x, y, 1, -x * v, -y * v, v]);
  }
  for (let i = 0; i < 8; i++) {
    let pivot = i;
    for (let j = i + 1; j < 8; j++) if (Math.abs(rows[j][i]) > Math.abs(rows[pivot][i])) pivot = j;
    [rows[i], rows[pivot]] = [rows[pivot], rows[i]];
    const factor = -1 / rows[i][i];
    for (let j = i + 1; j < 8; j++) {
      const weight = rows[j][i] * factor;
      for (let k = i + 1; k < 9; k++) rows[j][k] += weight * rows[i][k];
    }
  }
  const solved = new Array<number>(9).fill(1);
  for (let i = 7; i >= 0; i--) {
    let value = rows[i][8];
    for (let k = i + 1; k < 8; k++) value -= rows[i][k] * solved[k];
    solved[i] = value / rows[i][i];
  }
  return solved;
}

function inverse3([a, b, c, d, e, f, g, h, i]: readonly number[]): number[] {
  const factor = 1 / (a * (e * i - f * h) - b * (d * i - f * g) + c * (d * h - e * g));
  const cofactors = [e * i - f * h, c * h - b * i, b * f - c * e];
  cofactors.push(f * g - d * i, a * i - c * g, c * d - a * f, d * h - e * g, b * g - a * h, a * e - b * d);
  return cofactors.map((value) => value * factor);
}

/** Intersection over union of two boxes x0, y0, x1, y1; 0 for empty unions. */
export function iou(one: Box, other: Box): number {
  const width = Math.max(Math.min(one[2], other[2]) - Math.max(one[0], other[0]), 0);
  const height = Math.max(Math.min(one[3], other[3]) - Math.max(one[1], other[1]), 0);
  const shared = width * height;
  const union = (one[2] - one[0]) * (one[3] - one[1]) + (other[2] - other[0]) * (other[3] - other[1]) - shared;
  return union > 0 ? shared / union : 0;
}
