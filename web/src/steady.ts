/** Gestures of tracks: probabilities averaged over a moment, and names that do not flicker; see `knuckle.gestures.steady`. */
import type { GestureRecogniser } from "./gestures.js";
import type { Hand } from "./results.js";

const AVERAGE_S = 0.1; // time constant of the average
const MARGIN = 0.3; // a gesture gives way to one whose average is larger by this
const FORGET_S = 0.3; // a hand that was not seen for so long begins anew

interface SteadyGesture {
  readonly average: readonly number[];
  readonly column: number;
  readonly seenS: number;
}

/**
 * Recognises the gestures of the hands of one video. A hand keeps its gesture until the average over the last frames
 * says clearly that it makes another.
 */
export class SteadyGestures {
  private readonly memory = new Map<number, SteadyGesture>();

  constructor(private readonly recogniser: GestureRecogniser) {}

  /** Forget all hands, before another video. */
  reset(): void {
    this.memory.clear();
  }

  /** The hands of the next frame with their `gesture`, whose score is the average probability; null where it is none. */
  recognise(hands: readonly Hand[], timeS: number): Hand[] {
    return hands.map((hand) => {
      const { average, column } = this.follow(hand.trackId ?? 0, this.recogniser.probabilities(hand), timeS);
      const name = this.recogniser.names[column];
      return { ...hand, gesture: name === undefined ? null : { name, score: average[column] } };
    });
  }

  /** The average of a track with this frame's probabilities, and the column that names it. */
  follow(trackId: number, row: readonly number[], timeS: number): SteadyGesture {
    for (const [id, { seenS }] of this.memory) if (timeS - seenS > FORGET_S) this.memory.delete(id);
    const before = this.memory.get(trackId);
    const found = before ? mixed(before, row, timeS) : { average: row, column: largest(row), seenS: timeS };
    this.memory.set(trackId, found);
    return found;
  }
}

function mixed(before: SteadyGesture, row: readonly number[], timeS: number): SteadyGesture {
  const share = 1 - Math.exp(-Math.max(timeS - before.seenS, 0) / AVERAGE_S);
  const average = before.average.map((value, k) => value + share * (row[k] - value));
  const best = largest(average);
  const column = average[best] >= average[before.column] + MARGIN ? best : before.column;
  return { average, column, seenS: timeS };
}

function largest(row: readonly number[]): number {
  return row.reduce((found, value, k) => (value > row[found] ? k : found), 0);
}
