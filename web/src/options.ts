import { DEFAULT_OPTIONS } from "./constants.js";
import { InputError } from "./errors.js";

/** What can be chosen, at the start and at any time after it. */
export interface TrackerOptions {
  /** Never more hands than this come out. */
  maxHands: number;
  /** Weaker palms are none, 0..1; see also `faintPalms`. */
  minPalmScore: number;
  /** Crops of which the network is less sure hold no hand, 0..1. */
  minPresence: number;
  /** The image is a mirror image, as a selfie camera may show it; left and right follow. */
  mirrored: boolean;
  /**
   * While some but not all of `maxHands` are held, look for more every so many frames; null is about 5 times a second,
   * and every frame just after a change.
   */
  searchEvery: number | null;
  /** One-Euro filter on landmarks and world landmarks in video. */
  smooth: boolean;
  /** Move each held hand's region on by its last motion. */
  predictMotion: boolean;
  /** Left or right by the whole track and not by the frame alone. */
  voteHandedness: boolean;
  /** One hand that was found twice comes out once. */
  removeDuplicates: boolean;
  /** A lost hand that is found again within so many seconds keeps its id. */
  rememberS: number;
  /** Angle of wrist to middle MCP that counts as upright when a palm is cut out. */
  uprightRad: number;
  /** A hand that was found by its palm is read again in its own region; null is what the bundle is made for. */
  secondLook: boolean | null;
  /**
   * Where hands are looked for, palms from this part of `minPalmScore` on are tried too, and are hands where the landmark
   * network says so, 0..1; 1 tries none more, null is what the bundle is made for.
   */
  faintPalms: number | null;
}

/** The defaults with changes. @throws InputError for an option that does not exist or is out of range. */
export function withChanges(
  options: Readonly<TrackerOptions> = DEFAULT_OPTIONS,
  changes: Partial<TrackerOptions> = {},
): TrackerOptions {
  const given = Object.fromEntries(Object.entries(changes).filter(([, value]) => value !== undefined));
  const unknown = Object.keys(given).filter((name) => !(name in DEFAULT_OPTIONS));
  if (unknown.length)
    throw new InputError(
      `no option called ${unknown.join(", ")}; there are: ${Object.keys(DEFAULT_OPTIONS).join(", ")}`,
    );
  const chosen = { ...options, ...given } as TrackerOptions;
  for (const name of ["maxHands", "searchEvery"] as const) {
    const value = chosen[name];
    if (name === "searchEvery" && value === null) continue;
    if (!Number.isInteger(value) || (value as number) < 1)
      throw new InputError(`${name} must be a whole number from 1 up, got ${String(value)}`);
  }
  const flags = ["mirrored", "smooth", "predictMotion", "voteHandedness", "removeDuplicates", "secondLook"] as const;
  for (const name of flags)
    if (typeof chosen[name] !== "boolean" && !(name === "secondLook" && chosen[name] === null))
      throw new InputError(`${name} must be true or false, got ${String(chosen[name])}`);
  requireWithin("minPalmScore", chosen.minPalmScore, 0, 1);
  requireWithin("minPresence", chosen.minPresence, 0, 1);
  if (chosen.faintPalms !== null) requireWithin("faintPalms", chosen.faintPalms, 0, 1);
  requireWithin("rememberS", chosen.rememberS, 0, Infinity);
  requireWithin("uprightRad", chosen.uprightRad, -Infinity, Infinity);
  return chosen;
}

function requireWithin(name: string, value: unknown, low: number, high: number): void {
  if (typeof value !== "number" || !(value >= low && value <= high))
    throw new InputError(`${name} must be a number from ${low} to ${high}, got ${String(value)}`);
}
