/** Gestures from a few examples, as `knuckle gestures train` learns them; see `knuckle.gestures.taught`. */
import { InputError } from "./errors.js";
import { type Place, type ShapeNetworkJson, spaceOfShapes, TAUGHT_FORMAT, type TaughtJson } from "./gestures.js";
import type { Hand, Handedness } from "./results.js";

/** The name of examples that show no gesture: they are asked and never learned. */
export const NONE = "None";
const COPIES = 6; // changed copies of each example
const SMALLEST_RADIUS = 3;
const TURNS_RAD = [10, 12, 6].map((degrees) => (degrees * Math.PI) / 180);
const NOISE = 0.03; // of the palm
const DIRECTED_GAIN = 0.03; // where a hand points counts if more held-out hands than this are then right

/** A hand that shows a gesture. */
export interface Example {
  readonly name: string;
  /** The person or the take. Hands of one group are never both learned and asked. */
  readonly group: string;
  readonly hand: Hand;
}

/** What gestures that were learned without a hand's group say of it. */
export interface Report {
  /** Hands that were right, and all hands. */
  readonly right: number;
  readonly total: number;
  /** Counts of what was said, by the true name; "None" counts hands that were taken for no gesture. */
  readonly confusion: Readonly<Record<string, Readonly<Record<string, number>>>>;
}

interface Point {
  readonly name: string;
  readonly group: string;
  /** The hand, and its changed copies. */
  readonly own: readonly number[];
  readonly copies: readonly (readonly number[])[];
}

/**
 * Learn gestures from examples: the content of a file that Python and `GestureRecogniser.ofTaught` read.
 *
 * @param directed whether it matters where a hand points; by default, if that makes more held-out hands right.
 * @throws InputError if there are no examples.
 */
export function fitGestures(network: ShapeNetworkJson, examples: readonly Example[], directed?: boolean): TaughtJson {
  const shown = examples.filter(({ name }) => name !== NONE);
  if (!shown.length) throw new InputError("there are no examples to learn from");
  const counts = directed ?? pointsTheWay(network, shown);
  return fitted(network.version, placedExamples(network, shown, counts), counts);
}

/** How often gestures are right that were learned without the hand's group, or without the hand if no other shows it. */
export function reportOf(network: ShapeNetworkJson, examples: readonly Example[], directed: boolean): Report {
  return judged(network.version, placedExamples(network, examples, directed), directed);
}

function pointsTheWay(network: ShapeNetworkJson, examples: readonly Example[]): boolean {
  const [plain, directed] = [false, true].map((way) => reportOf(network, examples, way).right / examples.length);
  return directed > plain + DIRECTED_GAIN;
}

function judged(version: string, points: readonly Point[], directed: boolean): Report {
  const confusion: Record<string, Record<string, number>> = {};
  let right = 0;
  const models = new Map<string, TaughtJson | null>();
  for (const point of points) {
    const others = points.filter(({ group }) => group !== point.group);
    const alone = point.name !== NONE && !others.some(({ name }) => name === point.name);
    const learned = (alone ? points.filter((other) => other !== point) : others).filter(({ name }) => name !== NONE);
    const model = alone ? null : models.get(point.group);
    const taught = model ?? (learned.length ? fitted(version, learned, directed) : null);
    if (!alone) models.set(point.group, taught);
    const said = taught ? nearest(taught, point.own) : null;
    confusion[point.name] ??= {};
    confusion[point.name][said ?? NONE] = (confusion[point.name][said ?? NONE] ?? 0) + 1;
    right += Number((said ?? NONE) === point.name);
  }
  return { right, total: points.length, confusion };
}

function nearest(taught: TaughtJson, own: readonly number[]): string | null {
  const squares = taught.means.map((mean) => squareOf(mean, own));
  const best = squares.indexOf(Math.min(...squares));
  return squares[best] < taught.radius ** 2 ? taught.names[best] : null;
}

function fitted(version: string, points: readonly Point[], directed: boolean): TaughtJson {
  const names = [...new Set(points.map(({ name }) => name))].sort();
  const copies = names.map((name) => points.filter((point) => point.name === name).flatMap((point) => point.copies));
  const means = copies.map((rows) => rows[0].map((_, k) => rows.reduce((sum, row) => sum + row[k], 0) / rows.length));
  const squares = copies.flatMap((rows, k) => rows.map((row) => squareOf(means[k], row)));
  const sorted = squares.map(Math.sqrt).sort((a, b) => a - b);
  const spread = squares.reduce((sum, value) => sum + value, 0) / squares.length / means[0].length;
  return {
    format: TAUGHT_FORMAT,
    network: version,
    names,
    means: means.map((row) => row.map(rounded)),
    radius: rounded(Math.max(SMALLEST_RADIUS, 1.25 * quantile(sorted, 0.95))),
    temperature: rounded(Math.max(1, spread)),
    directed,
  };
}

const rounded = (value: number): number => Math.round(value * 1000) / 1000;

function squareOf(a: readonly number[], b: readonly number[]): number {
  return a.reduce((sum, value, k) => sum + (value - b[k]) ** 2, 0);
}

function quantile(sorted: readonly number[], share: number): number {
  const at = share * (sorted.length - 1);
  const low = Math.floor(at);
  return sorted[low] + (at - low) * (sorted[Math.min(low + 1, sorted.length - 1)] - sorted[low]);
}

function placedExamples(network: ShapeNetworkJson, examples: readonly Example[], directed: boolean): Point[] {
  const [place, normal] = [spaceOfShapes(network), normals(1)];
  return examples.map(({ name, group, hand }) => ({
    name,
    group,
    own: place(hand, directed),
    copies: Array.from({ length: COPIES }, () => changedCopy(place, hand, directed, normal)),
  }));
}

/** A copy seen from a slightly other side, with errors as the network makes them. */
function changedCopy(place: Place, hand: Hand, directed: boolean, normal: () => number): number[] {
  const turns = TURNS_RAD.map((deviation) => deviation * normal());
  const [landmarks, world] = [hand.landmarks, hand.world].map((points) => changed(points, turns, normal));
  const handedness: Handedness = hand.handedness;
  return place({ landmarks, world, handedness }, directed);
}

/** Points turned about the wrist by small angles about x, y and z, with noise. */
function changed(points: Float32Array, [x, y, z]: readonly number[], normal: () => number): Float32Array {
  const palm = Math.hypot(points[27] - points[0], points[28] - points[1], points[29] - points[2]);
  const found = new Float32Array(points.length);
  for (let k = 0; k < points.length; k += 3) {
    const [a, b, c] = [points[k] - points[0], points[k + 1] - points[1], points[k + 2] - points[2]];
    // To first order a small turn is the unit matrix and the cross product with its angles.
    const turned = [a - z * b + y * c, z * a + b - x * c, -y * a + x * b + c];
    for (let axis = 0; axis < 3; axis++) found[k + axis] = points[axis] + turned[axis] + NOISE * palm * normal();
  }
  return found;
}

/** Normally distributed numbers from a seed: mulberry32, then the method of Box and Muller. */
function normals(seed: number): () => number {
  let state = seed;
  const uniform = (): number => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
  return () => Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform());
}
