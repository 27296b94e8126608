/**
 * The tracker's clock: from the time stamps of frames to times that motion can be measured with.
 *
 * One rule: a step of less than half the usual step is not believed. The frame then counts as a little less than one usual
 * step after the frame before it, and the steps that follow make up for the difference. `knuckle/pipeline/clock.py` is the
 * same in Python and says why; `tests/pipeline/clock.json` holds for both.
 */
import {
  BELIEVED_PART,
  FRAME_S,
  GUESSED_PART,
  MAX_AHEAD_S,
  MAX_REPEATS,
  MAX_USUAL_S,
  MIN_USUAL_S,
  USUAL_STEPS,
} from "./constants.js";

/** What the clock knows when a frame arrives. */
export interface Clock {
  /** Time stamp of the previous frame, as given; -Infinity before the first frame. */
  readonly stampS: number;
  /** Time of the previous frame for the tracker; always rises. */
  readonly timeS: number;
  /** Mean step of the stamps, and the number of steps in it. */
  readonly stepS: number;
  readonly steps: number;
  /** Added to stamps. It changes when they go back for good. */
  readonly offsetS: number;
  /** How many frames in a row had the same stamp as the frame before. */
  readonly repeats: number;
  /** The first thing about the stamps that a user should know; empty if they are fine. */
  readonly trouble: string;
}

export const NEW_CLOCK: Clock = {
  stampS: -Infinity,
  timeS: -Infinity,
  stepS: FRAME_S,
  steps: 1,
  offsetS: 0,
  repeats: 0,
  trouble: "",
};

/** The usual step between frames, seconds. */
export function usualStep({ stepS }: Pick<Clock, "stepS">): number {
  return Math.max(Math.abs(stepS), MIN_USUAL_S);
}

/** The clock after a frame with this time stamp. Stamps may be equal, go back, or come in bursts. */
export function tick(clock: Clock, stampS: number): Clock {
  if (clock.stampS === -Infinity) return { ...NEW_CLOCK, stampS, timeS: stampS };
  const repeats = stampS === clock.stampS ? clock.repeats + 1 : 0;
  let { trouble, offsetS } = clock;
  if (repeats === MAX_REPEATS) trouble ||= `the time has been ${stampS} s for ${repeats + 1} frames`;
  if (stampS + offsetS < clock.timeS - MAX_AHEAD_S) {
    // Otherwise the steps became much shorter, which is no trouble.
    if (stampS < clock.stampS) trouble ||= `the time went back from ${clock.stampS} to ${stampS} s and stays behind`;
    const timeS = clock.timeS + usualStep(clock);
    offsetS = timeS - stampS;
    return { ...clock, stampS, timeS, offsetS, repeats, trouble };
  }
  const steps = Math.min(clock.steps + 1, USUAL_STEPS);
  const stepS = clock.stepS + (Math.min(stampS - clock.stampS, MAX_USUAL_S) - clock.stepS) / steps;
  const usualS = usualStep({ stepS });
  let timeS = stampS + offsetS;
  if (timeS < clock.timeS + BELIEVED_PART * usualS) timeS = clock.timeS + GUESSED_PART * usualS;
  return { stampS, timeS, stepS, steps, offsetS, repeats, trouble };
}

/** The time of the frame for the tracker. */
export function trackerTime(clock: Clock): number {
  return clock.timeS;
}
