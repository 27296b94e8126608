/** Gestures of one hand in motion, found in the last seconds of its track; see `knuckle.gestures.strokes`. */
import { FINGERS } from "./constants.js";
import type { Hand } from "./results.js";

const PALM = [0, 5, 9, 13, 17];
// The landmark network guesses depth: tips that touch are often read as near across, and half a palm apart in depth.
const TRUST = [1, 1, 0.4];
const [REST_SPEED, REST_S] = [2, 0.1];
const [SWIPE_LENGTH, SWIPE_S, SWIPE_SPEED, STRAIGHTNESS, SAME_SHAPE] = [1.5, 0.6, 4, 0.85, 0.35];
export const [PINCHED, PARTED] = [0.3, 0.5];
const DOUBLE_S = 0.7;
const [TAP_DEPTH, TAP_S, TAP_TRAVEL, TAP_OTHERS] = [0.22, 0.45, 0.35, 0.25];
const [OPEN, CLOSED, CLOSING_S, CLOSING_TRAVEL, HELD_S] = [0.8, 0.5, 0.6, 1, 0.1];
const [WAVE_TURNS, WAVE_S, WAVE_LENGTH] = [3, 1.8, 0.35];
const [CIRCLE_TURN_RAD, CIRCLE_S, CIRCLE_RADIUS, CIRCLE_SPEED] = [1.9 * Math.PI, 2, [0.2, 3], 1.5] as const;
const STEADY_COSINE = Math.cos((50 * Math.PI) / 180);
const POINTING = 0.2;
const CLOSE = 1e-6;
const SIDES = [
  ["left", "right"],
  ["up", "down"],
] as const;

/** A hand at one moment. Lengths are palm lengths. */
export interface Sample {
  readonly timeS: number;
  /** Middle of the palm and tip of the index finger, image pixels. */
  readonly palm: readonly number[];
  readonly tip: readonly number[];
  /** Palm length, image pixels. */
  readonly size: number;
  /** See `gap`. */
  readonly pinch: number;
  /** How far the four fingers are stretched, 0 to 1, and the same without the index finger. */
  readonly openness: number;
  readonly others: number;
  /** How much further the tip of the index finger is from the wrist than that of the middle finger. */
  readonly reach: number;
  /** Unit vector out of the palm or the back of the hand. */
  readonly normal: readonly number[];
  /** Whether the fingers point up, and whether the wrist is not above the knuckles. */
  readonly raised: boolean;
  readonly wristBelow: boolean;
}

/** A gesture of one hand that ended with the last sample. */
export interface Stroke {
  readonly name: string;
  readonly startS: number;
  readonly direction?: string;
  readonly speed?: number;
  readonly amount?: number;
}

type Samples = readonly Sample[];

/** The sample of a hand. */
export function sampleOf(hand: Hand, timeS: number): Sample {
  const image = (k: number) => Array.from(hand.landmarks.subarray(3 * k, 3 * k + 2));
  const world = (k: number) => Array.from(hand.world.subarray(3 * k, 3 * k + 3));
  const apart = (a: number, b: number) => distance(world(a), world(b));
  const seen = (k: number) => world(k).map((value, axis) => value * TRUST[axis]);
  const reach = (k: number) => distance(seen(k), seen(0)) / Math.max(apart(0, 9), CLOSE);
  const [wrist, index, pinky] = [0, 5, 17].map(image);
  const size = Math.max(distance(wrist, index), distance(index, pinky), distance(pinky, wrist), 1e-3);
  const fingers = [FINGERS.index, FINGERS.middle, FINGERS.ring, FINGERS.pinky];
  const spans = fingers.map((joints) => apart(joints[0], joints[3]));
  const bones = fingers.map((f) => apart(f[0], f[1]) + apart(f[1], f[2]) + apart(f[2], f[3]));
  const out = cross(minus(world(17), world(5)), minus(world(9), world(0)));
  const norm = Math.max(Math.hypot(...out), 1e-9);
  return {
    timeS,
    palm: [0, 1].map((axis) => mean(PALM.map((k) => image(k)[axis]))),
    tip: image(8),
    size,
    pinch: gap(hand),
    openness: stretched(spans, bones),
    others: stretched(spans.slice(1), bones.slice(1)),
    reach: reach(8) - reach(12),
    normal: out.map((value) => value / norm),
    raised: image(9)[1] < wrist[1] - 0.5 * size,
    wristBelow: image(9)[1] < wrist[1] + size / 3,
  };
}

/** Distance of the tips of thumb and index finger, palm lengths; its part in depth counts less, see `TRUST`. */
export function gap({ world }: Hand): number {
  const between = (a: number, b: number) => [0, 1, 2].map((axis) => world[3 * a + axis] - world[3 * b + axis]);
  const tips = between(4, 8).map((value, axis) => value * TRUST[axis]);
  return Math.hypot(...tips) / Math.max(Math.hypot(...between(0, 9)), CLOSE);
}

/** The palm moved fast along one axis of the image, from rest to rest, while the hand kept its shape. */
export function swipeIn(samples: Samples): Stroke | null {
  const stroke = lastMotion(samples);
  if (!stroke) return null;
  const lasted = last(stroke).timeS - stroke[0].timeS;
  if (lasted > SWIPE_S || range(stroke.map((one) => one.openness)) > SAME_SHAPE) return null;
  const size = mean(stroke.map((one) => one.size));
  const steps = stroke.slice(1).map((one, k) => distance(one.palm, stroke[k].palm) / size);
  const moved = [0, 1].map((axis) => (last(stroke).palm[axis] - stroke[0].palm[axis]) / size);
  const axis = Math.abs(moved[1]) > Math.abs(moved[0]) ? 1 : 0;
  const peak = Math.max(...steps.map((step, k) => step / (stroke[k + 1].timeS - stroke[k].timeS)));
  const length = Math.abs(moved[axis]);
  if (length < Math.max(SWIPE_LENGTH, STRAIGHTNESS * sum(steps)) || peak < SWIPE_SPEED) return null;
  const direction = SIDES[axis][Number(moved[axis] > 0)];
  return { name: "swipe", startS: stroke[0].timeS, direction, speed: length / lasted };
}

/** The samples of the palm's last motion, with one at rest at each end, if it rested before and rests now. */
function lastMotion(samples: Samples): Samples | null {
  const speeds = samples.slice(1).map((one, k) => {
    const seconds = Math.max(one.timeS - samples[k].timeS, CLOSE);
    return distance(samples[k].palm, one.palm) / one.size / seconds;
  });
  let end = speeds.length;
  while (end && speeds[end - 1] <= REST_SPEED) end--;
  let begin = end;
  while (begin && speeds[begin - 1] > REST_SPEED) begin--;
  let first = begin;
  while (first && speeds[first - 1] <= REST_SPEED) first--;
  const rested = samples[begin].timeS - samples[first].timeS;
  const rests = last(samples).timeS - samples[end].timeS;
  return begin < end && Math.min(rested, rests) >= REST_S - CLOSE ? samples.slice(begin, end + 1) : null;
}

/** Thumb and index finger touched twice, and parted after the second time. */
export function pinchesIn(samples: Samples): Stroke | null {
  const recent = since(samples, DOUBLE_S + 0.4);
  const touches: number[] = [];
  let closed = false;
  for (const { pinch, timeS } of recent) {
    if (!closed && pinch < PINCHED) {
      closed = true;
      touches.push(timeS);
    } else if (closed && pinch > PARTED) closed = false;
  }
  const [before, now] = touches.slice(-2);
  if (closed || recent[0].pinch <= PARTED || touches.length < 2 || now - before > DOUBLE_S || turned(recent))
    return null;
  return { name: "double_pinch", startS: before };
}

/** The index finger dipped and came back while palm and other fingers kept still and nothing was pinched. */
export function tapIn(samples: Samples): Stroke | null {
  const recent = since(samples, TAP_S);
  if (recent.length < 4 || recent.length === samples.length) return null;
  if (Math.min(...recent.map((one) => one.pinch)) < PINCHED || travelOf(recent) > TAP_TRAVEL || turned(recent))
    return null;
  if (range(recent.map((one) => one.others)) > TAP_OTHERS) return null;
  const reach = recent.map((one) => one.reach);
  const lowest = reach.indexOf(Math.min(...reach));
  const highest = Math.max(...reach.slice(0, lowest + 1));
  const depth = Math.min(highest, last(reach)) - reach[lowest];
  if (depth < TAP_DEPTH || lowest === 0 || lowest === reach.length - 1) return null;
  const startS = recent[reach.indexOf(highest)].timeS;
  const before = samples.filter(({ timeS }) => startS >= timeS && startS - timeS <= REST_S + CLOSE);
  return range(before.map((one) => one.reach)) > depth / 2 ? null : { name: "tap", startS };
}

/** An open hand became a fist ("grab"), or a fist an open hand ("release"), and did not travel. */
export function closingIn(samples: Samples): Stroke | null {
  const closed = samples.map((one) => one.others < CLOSED);
  const opened = samples.map((one) => one.others > OPEN);
  for (const [name, before, after] of [
    ["grab", opened, closed],
    ["release", closed, opened],
  ] as const) {
    const began = samples.length - runOf(after);
    const until = before.lastIndexOf(true, began - 1);
    if (began === samples.length || began === 0 || until < 0) continue;
    const first = until + 1 - runOf(before.slice(0, until + 1));
    const held = Math.min(samples[until].timeS - samples[first].timeS, last(samples).timeS - samples[began].timeS);
    const changing = samples.slice(until, began + 1);
    const quick = last(changing).timeS - changing[0].timeS <= CLOSING_S;
    if (held >= HELD_S - CLOSE && quick && travelOf(changing) <= CLOSING_TRAVEL && !turned(changing))
      return { name, startS: samples[until].timeS };
  }
  return null;
}

/** How many flags at the end are set. */
function runOf(flags: readonly boolean[]): number {
  return flags.length - 1 - flags.lastIndexOf(false);
}

/** An open raised hand went from side to side. */
export function waveIn(samples: Samples): Stroke | null {
  const recent = since(samples, WAVE_S);
  const open = recent.filter((one) => one.openness > 0.6 && one.others > 0.6 && one.raised).length;
  if (open / recent.length < 0.8) return null;
  const size = mean(recent.map((one) => one.size));
  const x = recent.map((one) => one.tip[0] / size);
  const extremes = [0]; // places where the direction changed, each a WAVE_LENGTH from the one before
  let sign = 0;
  for (let k = 1; k < x.length; k++) {
    const step = x[k] - x[last(extremes)];
    if (sign && Math.sign(step) === sign) extremes[extremes.length - 1] = k;
    else if (Math.abs(step) >= WAVE_LENGTH) {
      extremes.push(k);
      sign = Math.sign(step);
    }
  }
  if (extremes.length < WAVE_TURNS + 2) return null;
  const turns = extremes.slice(-WAVE_TURNS - 2);
  const path = sum(turns.slice(1).map((k, n) => Math.abs(x[k] - x[turns[n]])));
  let start = turns[0]; // where the rest ended
  for (let k = start; k < turns[1]; k++) if (Math.abs(x[k] - x[turns[0]]) < WAVE_LENGTH / 4) start = k;
  const startS = recent[start].timeS;
  return { name: "wave", startS, speed: path / Math.max(last(recent).timeS - startS, CLOSE) };
}

/** The tip of the index finger drew a circle while the hand pointed. */
export function circleIn(samples: Samples): Stroke | null {
  const recent = since(samples, CIRCLE_S);
  const size = mean(recent.map((one) => one.size));
  // The shortest path that is a circle.
  const latest = 2 * Math.ceil((recent.length - 8) / 2) - 2;
  for (let first = latest; first >= 0; first -= 2) {
    const part = recent.slice(first);
    const found = circleOf(part.map((one) => one.tip.map((value) => value / size)));
    if (!found) continue;
    const speed = found.path / (last(part).timeS - part[0].timeS);
    if (speed < CIRCLE_SPEED || mean(part.map((one) => one.reach)) < POINTING) continue;
    const direction = found.turn > 0 ? "clockwise" : "counterclockwise"; // y is down
    return { name: "circle", startS: part[0].timeS, direction, speed, amount: Math.abs(found.turn) / (2 * Math.PI) };
  }
  return null;
}

/** The turn in radians and the length of a path that is a circle. */
function circleOf(path: readonly number[][]): { turn: number; path: number } | null {
  const middle = [0, 1].map((axis) => {
    const values = path.map((point) => point[axis]);
    return (Math.min(...values) + Math.max(...values)) / 2;
  });
  const centred = path.map((point) => minus(point, middle));
  const radii = centred.map((point) => Math.hypot(...point));
  const radius = mean(radii);
  const deviation = Math.sqrt(mean(radii.map((value) => (value - radius) ** 2)));
  if (radius <= CIRCLE_RADIUS[0] || radius >= CIRCLE_RADIUS[1] || deviation > 0.3 * radius) return null;
  const angles = centred.map(([x, y]) => Math.atan2(y, x));
  const turns = angles.slice(1).map((angle, k) => around(angle - angles[k]));
  const turn = sum(turns);
  const same = turns.filter((one) => Math.sign(one) === Math.sign(turn)).length / turns.length;
  if (Math.abs(turn) < CIRCLE_TURN_RAD || same <= 0.85) return null;
  return { turn, path: sum(path.slice(1).map((point, k) => distance(point, path[k]))) };
}

/** An angle between -pi and pi. */
export function around(angle: number): number {
  return angle - 2 * Math.PI * Math.round(angle / (2 * Math.PI));
}

/** How far the palm came from where it was, palm lengths. */
export function travelOf(samples: Samples): number {
  return Math.max(...[0, 1].map((axis) => range(samples.map((one) => one.palm[axis] / last(samples).size))));
}

/** Whether the palm turned in space. */
function turned(samples: Samples): boolean {
  return samples.some(({ normal }) => sum(normal.map((value, k) => value * samples[0].normal[k])) < STEADY_COSINE);
}

function since(samples: Samples, seconds: number): Samples {
  return samples.filter(({ timeS }) => last(samples).timeS - timeS <= seconds);
}

function stretched(spans: readonly number[], bones: readonly number[]): number {
  return Math.min(Math.max((sum(spans) / Math.max(sum(bones), CLOSE) - 0.35) / 0.6, 0), 1);
}

const last = <T>(values: readonly T[]): T => values[values.length - 1];
const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);
const mean = (values: readonly number[]): number => sum(values) / values.length;
const range = (values: readonly number[]): number => Math.max(...values) - Math.min(...values);
const minus = (a: readonly number[], b: readonly number[]): number[] => a.map((value, k) => value - b[k]);
const distance = (a: readonly number[], b: readonly number[]): number => Math.hypot(...minus(a, b));
const cross = (a: readonly number[], b: readonly number[]): number[] => [
  a[1] * b[2] - a[2] * b[1],
  a[2] * b[0] - a[0] * b[2],
  a[0] * b[1] - a[1] * b[0],
];
