import { BETA_HZ_PER_SPEED, CENTRE_BETA_HZ_PER_SPEED, MIN_CUTOFF_HZ, SPEED_CUTOFF_HZ } from "./constants.js";

/** State of a filter: the filtered value, its filtered speed per second, and the time of the last call. */
export interface Smoothed {
  readonly value: Float32Array;
  readonly speed: Float32Array;
  readonly timeS: number;
}

/** A filtered hand, and the states of its two filters: for its centre, and for its points relative to the centre. */
export interface SmoothedHand {
  readonly value: Float32Array;
  readonly centre: Smoothed;
  readonly shape: Smoothed;
}

/** Filter the points of a hand: their mean and their offsets from it, each with cutoffs of its own; see `oneEuro`. */
export function smoothHand(
  previous: SmoothedHand | null,
  points: Float32Array,
  timeS: number,
  unit: number,
): SmoothedHand {
  const mean = new Float32Array(3);
  for (let i = 0; i < points.length; i++) mean[i % 3] += (3 * points[i]) / points.length;
  const about = points.map((value, i) => value - mean[i % 3]);
  const centre = oneEuro(previous?.centre ?? null, mean, timeS, unit, CENTRE_BETA_HZ_PER_SPEED);
  const shape = oneEuro(previous?.shape ?? null, about, timeS, unit);
  const value = previous ? shape.value.map((place, i) => place + centre.value[i % 3]) : points;
  return { value, centre, shape };
}

/**
 * The One-Euro filter (Casiez, Roussel and Vogel, CHI 2012) on points x, y, z. `unit` is the size of the object, in the
 * unit of the points. Each point has its own cutoff, from its speed in object sizes per second. The first call returns the
 * points unchanged, and so does a call whose time is not later than the last one's.
 */
export function oneEuro(
  previous: Smoothed | null,
  points: Float32Array,
  timeS: number,
  unit: number,
  beta: number = BETA_HZ_PER_SPEED,
): Smoothed {
  if (!previous || timeS <= previous.timeS) return { value: points, speed: new Float32Array(points.length), timeS };
  const elapsed = timeS - previous.timeS;
  const value = new Float32Array(points.length);
  const speed = new Float32Array(points.length);
  const speedWeight = blend(SPEED_CUTOFF_HZ, elapsed);
  for (let i = 0; i < points.length; i += 3) {
    let squared = 0;
    for (let k = i; k < i + 3; k++) {
      const measured = (points[k] - previous.value[k]) / elapsed;
      speed[k] = previous.speed[k] + speedWeight * (measured - previous.speed[k]);
      squared += speed[k] * speed[k];
    }
    const weight = blend(MIN_CUTOFF_HZ + (beta / unit) * Math.sqrt(squared), elapsed);
    for (let k = i; k < i + 3; k++) value[k] = previous.value[k] + weight * (points[k] - previous.value[k]);
  }
  return { value, speed, timeS };
}

/** Weight of the new value in a first-order low-pass filter. */
function blend(cutoffHz: number, elapsedS: number): number {
  return 1 / (1 + 1 / (2 * Math.PI * cutoffHz * elapsedS));
}
