import { describe, expect, it } from "vitest";
import { DEFAULT_OPTIONS } from "../src/constants.js";
import { InputError } from "../src/errors.js";
import { type TrackerOptions, withChanges } from "../src/options.js";

describe("options", () => {
  it("keep their defaults where nothing is given", () => {
    expect(withChanges()).toEqual(DEFAULT_OPTIONS);
    expect(withChanges(undefined, { maxHands: undefined, smooth: false })).toEqual({
      ...DEFAULT_OPTIONS,
      smooth: false,
    });
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
