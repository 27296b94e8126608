/** Gestures in motion: swipe, tap, double pinch, grab, release, wave, circle; with two hands zoom, rotate, frame. */
import { InputError } from "./errors.js";
import { PairGestures } from "./pairs.js";
import type { Hand } from "./results.js";
import {
  circleIn,
  closingIn,
  pinchesIn,
  type Sample,
  type Stroke,
  sampleOf,
  swipeIn,
  tapIn,
  travelOf,
  waveIn,
} from "./strokes.js";

const MEMORY_S = 2;
const MOST_S = 10;
const FORGET_S = 0.5; // a hand that was not seen for so long begins anew
const FRAME_S = 1 / 30; // a hold may be shorter by a frame, since it begins between two
const HOLD_TRAVEL = 0.35; // palm lengths that a palm at rest may move
const ORDER = [circleIn, waveIn, swipeIn, pinchesIn, closingIn, tapIn];

/** A gesture in motion; see `knuckle.gestures.events.GestureEvent`. */
export interface GestureEvent {
  readonly name: string;
  readonly phase: "once" | "begin" | "change" | "end";
  readonly trackIds: readonly number[];
  readonly startS: number;
  readonly endS: number;
  readonly direction: string | null;
  readonly speed: number;
  readonly amount: number;
  readonly box: readonly [number, number, number, number] | null;
}

/** Recognises gestures in motion in one video; see `knuckle.gestures.motion.MotionGestures`. */
export class MotionGestures {
  private tracks = new Map<number, Sample[]>();
  private quietUntilS = new Map<number, number>();
  private pair: PairGestures;

  /**
   * @param holdS lock: a hand must be raised and at rest for so long before its gesture; two hands must pinch for so long.
   * @param quietS after a gesture a hand makes no other for so long.
   * @throws InputError if a value is out of range.
   */
  constructor(
    private readonly holdS = 0,
    private readonly quietS = 0.5,
  ) {
    for (const [name, value] of Object.entries({ holdS, quietS }))
      if (!(value >= 0 && value <= MOST_S)) throw new InputError(`${name} must be from 0 to ${MOST_S}, got ${value}`);
    this.pair = new PairGestures(holdS);
  }

  /** Forget all hands, before another video. */
  reset(): void {
    this.tracks.clear();
    this.quietUntilS.clear();
    this.pair = new PairGestures(this.holdS);
  }

  /** The gestures that end in this frame, and those of two hands that begin, change or end. */
  next(hands: readonly Hand[], timeS: number): GestureEvent[] {
    const tracked = hands.filter((hand) => hand.trackId !== null && hand.landmarks.every(Number.isFinite));
    for (const hand of tracked) this.remember(hand, timeS);
    for (const [id, samples] of this.tracks) {
      const away = timeS - samples[samples.length - 1].timeS;
      if (!(away >= 0 && away <= FORGET_S)) this.tracks.delete(id);
    }
    const events = this.pair.next(tracked, timeS);
    if (!this.pair.pose) for (const hand of tracked) events.push(...this.strokeOf(hand.trackId ?? 0, timeS));
    return events;
  }

  private remember(hand: Hand, timeS: number): void {
    const id = hand.trackId ?? 0;
    const samples = this.tracks.get(id) ?? [];
    const away = samples.length ? timeS - samples[samples.length - 1].timeS : 0;
    if (samples.length && !(away > 0 && away <= FORGET_S)) samples.length = 0;
    samples.push(sampleOf(hand, timeS));
    while (timeS - samples[0].timeS > MEMORY_S + this.holdS) samples.shift();
    this.tracks.set(id, samples);
  }

  /** At most one gesture of a hand. Its history begins anew `quietS` after one. */
  private strokeOf(id: number, timeS: number): GestureEvent[] {
    const samples = this.tracks.get(id) ?? [];
    if (timeS < (this.quietUntilS.get(id) ?? Number.NEGATIVE_INFINITY)) samples.splice(0, samples.length - 1);
    if (samples.length < 4) return [];
    for (const find of ORDER) {
      const stroke = find(samples);
      if (!stroke || !this.isMeant(stroke, samples)) continue;
      this.quietUntilS.set(id, timeS + this.quietS);
      const { name, startS, direction = null, speed = 0, amount = 1 } = stroke;
      return [{ name, phase: "once", trackIds: [id], startS, endS: timeS, direction, speed, amount, box: null }];
    }
    return [];
  }

  /** Whether the hand was raised and at rest for `holdS` before the stroke. */
  private isMeant({ startS }: Stroke, samples: readonly Sample[]): boolean {
    if (!this.holdS) return true;
    const before = samples.filter(({ timeS }) => startS - this.holdS - FRAME_S < timeS && timeS <= startS);
    const held = before.length > 0 && before[before.length - 1].timeS - before[0].timeS >= this.holdS - FRAME_S;
    return held && travelOf(before) <= HOLD_TRAVEL && before.every((one) => one.wristBelow);
  }
}
