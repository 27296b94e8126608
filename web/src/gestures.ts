/**
 * Gestures of hands from their landmarks: the features, the network of hand shapes and the sets of `knuckle.gestures`, and
 * gestures that users taught with `knuckle gestures train`. `tests/gestures/vectors.json` holds both languages to the same
 * numbers.
 */
import { FINGERS } from "./constants.js";
import { InputError } from "./errors.js";
import type { Hand } from "./results.js";

/** A half-precision array of `network.json`. */
interface Packed {
  readonly shape: readonly number[];
  readonly float16: string;
}

/** The content of `network.json`. */
export interface ShapeNetworkJson {
  readonly format: string;
  readonly version: string;
  readonly shapes: readonly string[];
  readonly temperature: number;
  readonly layers: readonly { readonly weights: Packed; readonly bias: Packed }[];
  readonly centre: Packed;
  readonly whiten: Packed;
}

/** The content of `sets.json`: for each set, what each gesture stands for. */
export type GestureSetsJson = Readonly<Record<string, Readonly<Record<string, readonly string[]>>>>;

/** The content of a file that `knuckle gestures train` wrote. */
export interface TaughtJson {
  readonly format: string;
  readonly network: string;
  readonly names: readonly string[];
  readonly means: readonly (readonly number[])[];
  readonly radius: number;
  readonly temperature: number;
  readonly directed: boolean;
}

const TIPS = Object.values(FINGERS).map((finger) => finger[3]);
const MCPS = [5, 9, 13, 17];
const PALM = [0, 5, 9, 13, 17];
const CONDITIONS = ["thumb_up", "thumb_down", "index_up", "index_down", "fingers_up", "palm_shown", "thumb_out"];
const LIMIT = 0.6;
const SHARPNESS = 12;
const OUT = 0.5;
const DIRECTION_SCALE = 4;
const TINY = 1e-6;
export const TAUGHT_FORMAT = "knuckle-taught-gestures-1";

interface Dense {
  readonly weights: Float32Array;
  readonly bias: Float32Array;
}

interface Term {
  readonly shape: number;
  readonly wanted: readonly number[];
  readonly unwanted: readonly number[];
  readonly name: number;
}

/**
 * Recognises the gestures of one set.
 *
 * ```ts
 * const recogniser = GestureRecogniser.ofSet(network, sets, "canned"); // the contents of network.json and sets.json
 * const named = recogniser.recognise(await tracker.track(video));
 * ```
 */
export class GestureRecogniser {
  private constructor(
    /** The gestures of the set. */
    readonly names: readonly string[],
    private readonly layers: readonly Dense[],
    private readonly temperature: number,
    private readonly probabilitiesOf: (embedding: number[], shapes: number[], conditions: number[]) => number[],
  ) {}

  /** A set that comes with Knuckle. @throws InputError if there is no such set. */
  static ofSet(network: ShapeNetworkJson, sets: GestureSetsJson, name = "canned"): GestureRecogniser {
    const table = sets[name];
    if (!table) throw new InputError(`there is no set of gestures ${name}; sets are: ${Object.keys(sets).join(", ")}`);
    const names = Object.keys(table);
    const terms = names.flatMap((gesture, k) => table[gesture].map((text) => termOf(text, k, network.shapes)));
    const probabilitiesOf = (_: number[], shapes: number[], conditions: number[]): number[] => {
      const found = new Array<number>(names.length + 1).fill(0);
      for (const { shape, wanted, unwanted, name: owner } of terms) {
        let part = shapes[shape];
        for (const k of wanted) part *= conditions[k];
        for (const k of unwanted) part *= 1 - conditions[k];
        found[owner] += part;
      }
      found[names.length] = Math.max(1 - found.reduce((sum, value) => sum + value, 0), 0);
      return found;
    };
    return new GestureRecogniser(names, layersOf(network), network.temperature, probabilitiesOf);
  }

  /** Gestures that a user taught. @throws InputError if the file is another one, or belongs to another network. */
  static ofTaught(network: ShapeNetworkJson, taught: TaughtJson): GestureRecogniser {
    if (taught?.format !== TAUGHT_FORMAT) throw new InputError(`the file holds no taught gestures (${TAUGHT_FORMAT})`);
    if (taught.network !== network.version)
      throw new InputError(`the gestures were taught to network ${taught.network}, this one is ${network.version}`);
    const whitened = whitening(network);
    const probabilitiesOf = (embedding: number[], _: number[], conditions: number[]): number[] => {
      const point = placed(whitened(embedding), conditions, taught.directed);
      const squares = taught.means.map((mean) => mean.reduce((sum, value, k) => sum + (point[k] - value) ** 2, 0));
      return softmax([...squares, taught.radius ** 2].map((square) => square / (-2 * taught.temperature)));
    };
    return new GestureRecogniser(taught.names, layersOf(network), network.temperature, probabilitiesOf);
  }

  /** Probability of each gesture of the set, then that of none, for one hand. */
  probabilities(hand: Hand): number[] {
    const left = hand.handedness === "Left";
    const values = embedded(this.layers, featuresOf(hand.landmarks, hand.world, left));
    const logits = dense(values, this.layers[this.layers.length - 1]);
    const shapes = softmax(logits.map((value) => value / this.temperature));
    return this.probabilitiesOf(values, shapes, conditionsOf(hand.world, left));
  }

  /** The hands with their `gesture`; null where the most probable is none of the set. */
  recognise(hands: readonly Hand[]): Hand[] {
    return hands.map((hand) => {
      const row = this.probabilities(hand);
      const best = row.reduce((found, value, k) => (value > row[found] ? k : found), 0);
      return { ...hand, gesture: best < this.names.length ? { name: this.names[best], score: row[best] } : null };
    });
  }
}

/** Where a hand lies in the space of taught gestures: what `spaceOfShapes` returns. */
export type Place = (hand: Pick<Hand, "landmarks" | "world" | "handedness">, directed: boolean) => number[];

/** The space in which gestures are taught: hands of the same shape scatter by 1 everywhere. */
export function spaceOfShapes(network: ShapeNetworkJson): Place {
  const [layers, whitened] = [layersOf(network), whitening(network)];
  return ({ landmarks, world, handedness }, directed) => {
    const left = handedness === "Left";
    const point = whitened(embedded(layers, featuresOf(landmarks, world, left)));
    return placed(point, conditionsOf(world, left), directed);
  };
}

function embedded(layers: readonly Dense[], features: number[]): number[] {
  return layers
    .slice(0, -1)
    .reduce((values, layer) => dense(values, layer).map((value) => Math.max(value, 0)), features);
}

function whitening(network: ShapeNetworkJson): (embedding: number[]) => number[] {
  const [centre, whiten] = [unpacked(network.centre), unpacked(network.whiten)];
  const size = network.whiten.shape[1];
  return (embedding) => {
    const point = new Array<number>(size).fill(0);
    embedding.forEach((value, row) => {
      for (let k = 0; k < size; k++) point[k] += (value - centre[row]) * whiten[row * size + k];
    });
    return point;
  };
}

function placed(point: number[], conditions: readonly number[], directed: boolean): number[] {
  return directed ? [...point, ...conditions.map((value) => DIRECTION_SCALE * value)] : point;
}

/** Numbers that do not depend on side, size, place and roll; see `knuckle.gestures.features`. */
export function featuresOf(landmarks: Float32Array, world: Float32Array, left: boolean): number[] {
  const mirror = left ? -1 : 1;
  const space = inPalmFrame(points(world, 3, mirror));
  const image = wristDown(points(landmarks, 2, mirror));
  return [...space.flat(), ...image.flat(), ...betweenTips(space), ...betweenTips(image)];
}

/** How far each condition that a set can name holds, 0..1; see `knuckle.gestures.directions`. */
export function conditionsOf(world: Float32Array, left: boolean): number[] {
  const p = points(world, 3, 1);
  const knuckles = minus(mean(p, MCPS), p[0]);
  const away = cross(minus(p[17], p[5]), knuckles);
  const facing = (away[2] / Math.max(norm(away), 1e-9)) * (left ? -1 : 1);
  const [thumb, index, fingers] = [minus(p[4], p[2]), minus(p[8], p[5]), knuckles].map(
    (vector) => -vector[1] / Math.max(norm(vector), 1e-9),
  );
  const gap = norm(minus(p[4], p[6])) / Math.max(norm(knuckles), 1e-9);
  return [thumb, -thumb, index, -index, fingers, facing + LIMIT, gap - OUT + LIMIT].map(
    (cosine) => 1 / (1 + Math.exp(-SHARPNESS * (cosine - LIMIT))),
  );
}

function termOf(text: string, name: number, shapes: readonly string[]): Term {
  const [shape, condition] = text.split(" if ");
  const words = condition ? condition.split(" and ") : [];
  const index = (word: string): number => {
    const found = CONDITIONS.indexOf(word);
    if (found < 0) throw new InputError(`there is no condition ${word} in ${text}`);
    return found;
  };
  if (!shapes.includes(shape)) throw new InputError(`there is no hand shape ${shape} in ${text}`);
  const unwanted = words.filter((word) => word.startsWith("not ")).map((word) => index(word.slice(4)));
  const wanted = words.filter((word) => !word.startsWith("not ")).map(index);
  return { shape: shapes.indexOf(shape), wanted, unwanted, name };
}

function inPalmFrame(given: number[][]): number[][] {
  const p = given.map((point) => minus(point, given[0]));
  const middle = mean(p, MCPS);
  const length = Math.max(norm(middle), TINY);
  const up = middle.map((value) => value / length);
  const side = minus(p[17], p[5]);
  const along = dot(side, up);
  const flat = side.map((value, k) => value - up[k] * along);
  const across = flat.map((value) => value / Math.max(norm(flat), TINY));
  const out = cross(across, up);
  return p.map((point) => [across, up, out].map((axis) => dot(point, axis) / length));
}

function wristDown(p: number[][]): number[][] {
  const sides = [minus(p[0], p[5]), minus(p[5], p[17]), minus(p[17], p[0])].map(norm);
  const unit = Math.max(...sides, TINY);
  const middle = minus(mean(p, MCPS), p[0]);
  const up = middle.map((value) => value / Math.max(norm(middle), TINY));
  const centre = mean(p, PALM);
  return p.map((point) => {
    const [x, y] = minus(point, centre);
    return [(-x * up[1] + y * up[0]) / unit, (-x * up[0] - y * up[1]) / unit];
  });
}

function betweenTips(p: number[][]): number[] {
  return TIPS.flatMap((first, k) => TIPS.slice(k + 1).map((second) => norm(minus(p[first], p[second]))));
}

function points(values: Float32Array, width: number, mirror: number): number[][] {
  return Array.from({ length: 21 }, (_, k) => [
    mirror * values[3 * k],
    ...Array.from(values.subarray(3 * k + 1, 3 * k + width)),
  ]);
}

function mean(p: number[][], rows: readonly number[]): number[] {
  return p[0].map((_, k) => rows.reduce((sum, row) => sum + p[row][k], 0) / rows.length);
}

const minus = (a: readonly number[], b: readonly number[]): number[] => a.map((value, k) => value - b[k]);
const dot = (a: readonly number[], b: readonly number[]): number => a.reduce((sum, value, k) => sum + value * b[k], 0);
const norm = (a: readonly number[]): number => Math.hypot(...a);

function cross(a: readonly number[], b: readonly number[]): number[] {
  return [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]];
}

function softmax(logits: readonly number[]): number[] {
  const highest = Math.max(...logits);
  const odds = logits.map((value) => Math.exp(value - highest));
  const sum = odds.reduce((total, value) => total + value, 0);
  return odds.map((value) => value / sum);
}

function dense(values: readonly number[], { weights, bias }: Dense): number[] {
  const sums = Array.from(bias);
  values.forEach((value, row) => {
    if (value !== 0) for (let k = 0; k < sums.length; k++) sums[k] += value * weights[row * sums.length + k];
  });
  return sums;
}

function layersOf(network: ShapeNetworkJson): Dense[] {
  return network.layers.map(({ weights, bias }) => ({ weights: unpacked(weights), bias: unpacked(bias) }));
}

/** Half-precision floats in base64 as single-precision floats. */
function unpacked({ float16 }: Packed): Float32Array {
  const bytes = Uint8Array.from(atob(float16), (letter) => letter.charCodeAt(0));
  const view = new DataView(bytes.buffer);
  return Float32Array.from({ length: bytes.length / 2 }, (_, k) => {
    const bits = view.getUint16(2 * k, true);
    const [exponent, fraction] = [(bits >> 10) & 31, bits & 1023];
    const size = exponent ? 2 ** (exponent - 15) * (1 + fraction / 1024) : 2 ** -14 * (fraction / 1024);
    return bits & 0x8000 ? -size : size;
  });
}
