import { describe, expect, it } from "vitest";
import { DEFAULT_BUNDLE, DEFAULT_OPTIONS } from "../src/constants.js";
import { InputError } from "../src/errors.js";
import { completed, type TrackerOptions, withChanges } from "../src/options.js";

describe("options", () => {
  it("keep their defaults where nothing is given", () => {
    expect(withChanges()).toEqual(DEFAULT_OPTIONS);
    expect(withChanges(undefined, { maxHands: undefined, smooth: false })).toEqual({
      ...DEFAULT_OPTIONS,
      smooth: false,
    });
  });

  it("take the thresholds of the bundle unless the user sets them", () => {
    const bundle = {
      ...DEFAULT_BUNDLE,
      minPalmScore: 0.3,
      minPresence: 0.7,
      secondLook: true,
      faintPalms: 0.6,
      minNewConfidence: 0.8,
    };
    expect(completed(withChanges(), bundle)).toMatchObject({
      minPalmScore: 0.3,
      minPresence: 0.7,
      minNewConfidence: 0.8,
      minFaintConfidence: 0.95,
      secondLook: true,
      faintPalms: 0.6,
    });
    const chosen = { minPalmScore: 0.9, minPresence: 0, secondLook: false, faintPalms: 1 };
    const whole = completed(withChanges(undefined, chosen), bundle);
    expect(whole).toMatchObject({ ...chosen, minNewConfidence: 0, minFaintConfidence: 0.95 });
  });

  it.each([
    { maxHands: 0 },
    { maxHands: 1.5 },
    { searchEvery: 0 },
    { minPalmScore: 1.1 },
    { minPresence: Number.NaN },
    { rememberS: -1 },
    { smooth: 1 },
    { secondLook: 1 },
    { hands: 2 },
  ])("are refused out of range: %o", (changes) => {
    expect(() => withChanges(undefined, changes as unknown as Partial<TrackerOptions>)).toThrow(InputError);
  });
});
