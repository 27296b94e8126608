import { BETA_HZ_PER_SPEED, MIN_CUTOFF_HZ, SPEED_CUTOFF_HZ } from "./constants.js";

/** A filtered value, its filtered speed per second, and when it was made. */
export interface Smoothed {
  readonly value: Float32Array;
  readonly speed: Float32Array;
  readonly timeS: number;
}

/**
 * The One-Euro filter (Casiez, Roussel and Vogel, CHI 2012) on points x, y, z; `unit` is the object's size in the
 * points' unit. Each point has its own cutoff, from its speed in object sizes per second. The first call, and one whose
 * time has not moved on, gives the points back.
 */
export function oneEuro(previous: Smoothed | null, points: Float32Array, timeS: number, unit: number): Smoothed {
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
    const weight = blend(MIN_CUTOFF_HZ + (BETA_HZ_PER_SPEED / unit) * Math.sqrt(squared), elapsed);
    for (let k = i; k < i + 3; k++) value[k] = previous.value[k] + weight * (points[k] - previous.value[k]);
  }
  return { value, speed, timeS };
}

/** Weight of the new value in a first-order low-pass filter. */
function blend(cutoffHz: number, elapsedS: number): number {
  return 1 / (1 + 1 / (2 * Math.PI * cutoffHz * elapsedS));
}
