/** Gestures of two hands: zoom and rotate while both pinch, frame while both make an L; see `knuckle.gestures.pairs`. */
import { FINGERS } from "./constants.js";
import type { GestureEvent } from "./motion.js";
import type { Hand } from "./results.js";
import { around, gap, PARTED, PINCHED } from "./strokes.js";

const HELD_S = 0.15;
const [ZOOMED, TURNED_RAD] = [1.1, (10 * Math.PI) / 180];
const EXTENDED = 1.2; // the tip of a stretched finger is further from the wrist than its PIP by this factor
type Pose = "" | "pinch" | "frame";

/** Follows the two hands of a video. */
export class PairGestures {
  /** What both hands do. */
  pose: Pose = "";
  private readonly heldS: number;
  private readonly parted = new Set<number>();
  private readonly last = new Map<string, GestureEvent>();
  private trackIds: readonly number[] = [];
  private startS = 0;
  private firstSpan = 1;
  private angle = 0;
  private turnedRad = 0;

  constructor(holdS: number) {
    this.heldS = Math.max(HELD_S, holdS);
  }

  /** What begins, changes or ends in this frame. Hands have track ids. */
  next(hands: readonly Hand[], timeS: number): GestureEvent[] {
    const pair = [...hands].sort((a, b) => (a.trackId ?? 0) - (b.trackId ?? 0));
    const ids = pair.map((hand) => hand.trackId ?? 0);
    for (const hand of pair) if (gap(hand) > PARTED) this.parted.add(hand.trackId ?? 0);
    const pose = pair.length === 2 ? this.poseOf(pair, ids) : "";
    const events: GestureEvent[] = [];
    if (this.pose && (pose !== this.pose || ids.some((id, k) => id !== this.trackIds[k]))) {
      for (const event of this.last.values()) events.push({ ...event, phase: "end", endS: timeS });
      this.pose = "";
      this.last.clear();
    }
    if (!pose) return events;
    const [first, second] = pair.map(({ landmarks: p }) => [(p[12] + p[24]) / 2, (p[13] + p[25]) / 2]);
    const [x, y] = [second[0] - first[0], second[1] - first[1]];
    const [span, angle] = [Math.max(Math.hypot(x, y), 1e-3), Math.atan2(y, x)];
    if (!this.pose) Object.assign(this, { pose, trackIds: ids, startS: timeS, firstSpan: span, angle, turnedRad: 0 });
    this.turnedRad += around(angle - this.angle);
    this.angle = angle;
    if (timeS - this.startS < this.heldS - 1e-6) return events;
    for (const name of this.names(span)) {
      const event = this.event(name, timeS, span, pair);
      this.last.set(name, event);
      events.push(event);
    }
    return events;
  }

  private poseOf(pair: readonly Hand[], ids: readonly number[]): Pose {
    const limit = this.pose === "pinch" ? PARTED : PINCHED;
    if (pair.every((hand) => gap(hand) < limit)) return ids.every((id) => this.parted.has(id)) ? "pinch" : "";
    return pair.every((hand) => gap(hand) > 0.8 && onlyIndexExtended(hand)) ? "frame" : "";
  }

  /** The gestures under way, and those that begin now. */
  private names(span: number): string[] {
    if (this.pose === "frame") return ["frame"];
    const zooms = Math.max(span / this.firstSpan, this.firstSpan / span) >= ZOOMED;
    const begun = { zoom: zooms, rotate: Math.abs(this.turnedRad) >= TURNED_RAD };
    return Object.entries(begun).flatMap(([name, begins]) => (begins || this.last.has(name) ? [name] : []));
  }

  private event(name: string, timeS: number, span: number, pair: readonly Hand[]): GestureEvent {
    const phase = this.last.has(name) ? "change" : "begin";
    const base = { name, phase, trackIds: this.trackIds, startS: this.startS, endS: timeS, speed: 0 } as const;
    if (name === "zoom") {
      const amount = span / this.firstSpan;
      return { ...base, direction: amount >= 1 ? "out" : "in", amount, box: null };
    }
    if (name === "rotate") {
      const amount = this.turnedRad;
      return { ...base, direction: amount >= 0 ? "clockwise" : "counterclockwise", amount, box: null };
    }
    const xs = pair.flatMap(({ landmarks }) => [2, 4, 8].map((k) => landmarks[3 * k]));
    const ys = pair.flatMap(({ landmarks }) => [2, 4, 8].map((k) => landmarks[3 * k + 1]));
    const box = [Math.min(...xs), Math.min(...ys), Math.max(...xs), Math.max(...ys)] as const;
    return { ...base, direction: null, amount: 1, box };
  }
}

function apart(hand: Hand, a: number, b: number): number {
  return Math.hypot(...[0, 1, 2].map((axis) => hand.world[3 * a + axis] - hand.world[3 * b + axis]));
}

/** Whether the index finger is stretched out, and the other three are not. */
function onlyIndexExtended(hand: Hand): boolean {
  const stretched = [FINGERS.index, FINGERS.middle, FINGERS.ring, FINGERS.pinky].map((f) => isExtended(hand, f));
  return stretched[0] && !stretched.slice(1).some(Boolean);
}

function isExtended(hand: Hand, [, joint, , tip]: readonly number[]): boolean {
  return apart(hand, tip, 0) > EXTENDED * apart(hand, joint, 0);
}
