import type { Bundle } from "./bundle.js";
import { DEFAULT_OPTIONS } from "./constants.js";
import { InputError } from "./errors.js";

/** What users can choose, at the start and at any time after it. */
export interface TrackerOptions {
  /** The largest number of hands that are returned. */
  maxHands: number;
  /** Palms with a lower score are discarded, 0..1; see also `faintPalms`. null: the bundle's own threshold. */
  minPalmScore: number | null;
  /**
   * A crop whose presence is not above this holds no hand, 0..1. null: the bundle's own thresholds, which ask more of
   * newly found hands than of tracked ones.
   */
  minPresence: number | null;
  /** The image is a mirror image, as selfie cameras show it; swaps left and right. */
  mirrored: boolean;
  /**
   * While fewer than `maxHands` hands are tracked, run the palm detector every N frames. null: about 5 times a
   * second, and on every frame just after a hand came or went.
   */
  searchEvery: number | null;
  /** Filter landmarks and world landmarks in video (One-Euro filter). */
  smooth: boolean;
  /** Move the region of each tracked hand on by the hand's last motion. */
  predictMotion: boolean;
  /** Decide left or right from the whole track instead of from each frame alone. */
  voteHandedness: boolean;
  /** When one hand was found twice, return it once. */
  removeDuplicates: boolean;
  /** A lost hand keeps its id if it is found again within this many seconds. */
  rememberS: number;
  /** Angle of the line from the wrist to the middle finger's MCP that counts as upright when a palm is cut out. */
  uprightRad: number;
  /** Run the landmark network twice on new hands, the second time in the region of their landmarks. null: what the bundle says. */
  secondLook: boolean | null;
  /**
   * When searching, also try palms that score at least `faintPalms * minPalmScore`, 0..1, and keep those that the
   * landmark network confirms. 1 tries no others. null: what the bundle says.
   */
  faintPalms: number | null;
}

/** Options that a bundle gives where the user left them open. */
type BundleOptions = Pick<Bundle, "minPalmScore" | "minPresence" | "secondLook" | "faintPalms">;

/** Options in which the bundle has filled in what the user left open. */
export type CompleteOptions = Readonly<
  Omit<TrackerOptions, keyof BundleOptions> & BundleOptions & Pick<Bundle, "minNewConfidence" | "minFaintConfidence">
>;

/**
 * The options, with the bundle's values where they are null. A user who chooses `minPresence` chooses it for new hands
 * too: `minNewConfidence` asks no more.
 */
export function completed(options: Readonly<TrackerOptions>, bundle: Bundle): CompleteOptions {
  const minNewConfidence = options.minPresence ?? bundle.minNewConfidence;
  return {
    ...options,
    minPalmScore: options.minPalmScore ?? bundle.minPalmScore,
    minPresence: options.minPresence ?? bundle.minPresence,
    minNewConfidence,
    minFaintConfidence: Math.max(minNewConfidence, bundle.minFaintConfidence),
    secondLook: options.secondLook ?? bundle.secondLook,
    faintPalms: options.faintPalms ?? bundle.faintPalms,
  };
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
      `no option called ${unknown.join(", ")}; options are: ${Object.keys(DEFAULT_OPTIONS).join(", ")}`,
    );
  const chosen = { ...options, ...given } as TrackerOptions;
  for (const name of ["maxHands", "searchEvery"] as const) {
    const value = chosen[name];
    if (name === "searchEvery" && value === null) continue;
    if (!Number.isInteger(value) || (value as number) < 1)
      throw new InputError(`${name} must be a whole number of at least 1, got ${String(value)}`);
  }
  const flags = ["mirrored", "smooth", "predictMotion", "voteHandedness", "removeDuplicates", "secondLook"] as const;
  for (const name of flags)
    if (typeof chosen[name] !== "boolean" && !(name === "secondLook" && chosen[name] === null))
      throw new InputError(`${name} must be true or false, got ${String(chosen[name])}`);
  for (const name of ["minPalmScore", "minPresence", "faintPalms"] as const)
    if (chosen[name] !== null) requireWithin(name, chosen[name], 0, 1);
  requireWithin("rememberS", chosen.rememberS, 0, Infinity);
  requireWithin("uprightRad", chosen.uprightRad, -Infinity, Infinity);
  return chosen;
}

function requireWithin(name: string, value: unknown, low: number, high: number): void {
  if (typeof value !== "number" || !(value >= low && value <= high))
    throw new InputError(`${name} must be a number from ${low} to ${high}, got ${String(value)}`);
}
