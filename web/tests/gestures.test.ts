import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { conditionsOf, featuresOf, GestureRecogniser } from "../src/gestures.js";
import type { Hand } from "../src/results.js";

const read = (path: string) => JSON.parse(readFileSync(new URL(path, import.meta.url), "utf8"));
const gestures = "../../src/knuckle/gestures";
const network = read(`${gestures}/network.json`);
const sets = read(`${gestures}/sets.json`);
const vectors = read("../../tests/gestures/vectors.json");

function handOf(row: { landmarks: number[][]; world: number[][]; handedness: "Left" | "Right" }): Hand {
  const landmarks = Float32Array.from(row.landmarks.flat());
  return {
    landmarks,
    landmarksRaw: landmarks,
    world: Float32Array.from(row.world.flat()),
    handedness: row.handedness,
    handednessScore: 1,
    presence: 1,
    roi: { x: 0, y: 0, size: 1, angleRad: 0 },
    palmScore: null,
    trackId: 1,
    visibility: null,
    gesture: null,
  };
}

test("features, conditions and probabilities are those of Python", () => {
  for (const row of vectors.hands) {
    const hand = handOf(row);
    const left = hand.handedness === "Left";
    featuresOf(hand.landmarks, hand.world, left).forEach((value, k) => {
      expect(value).toBeCloseTo(row.features[k], 3);
    });
    conditionsOf(hand.world, left).forEach((value, k) => {
      expect(value).toBeCloseTo(row.conditions[k], 3);
    });
    for (const [set, wanted] of Object.entries<number[]>(row.probabilities)) {
      const recogniser =
        set === "taught"
          ? GestureRecogniser.ofTaught(network, vectors.taught)
          : GestureRecogniser.ofSet(network, sets, set);
      const found = recogniser.probabilities(hand);
      expect(found.length).toBe(wanted.length);
      found.forEach((value, k) => {
        expect(value).toBeCloseTo(wanted[k], 3);
      });
      const best = wanted.indexOf(Math.max(...wanted));
      expect(recogniser.recognise([hand])[0].gesture?.name ?? null).toBe(recogniser.names[best] ?? null);
    }
  }
});

test("sets and files that cannot be used are refused", () => {
  expect(() => GestureRecogniser.ofSet(network, sets, "cannned")).toThrow(/sets are: mediapipe, canned/);
  expect(() => GestureRecogniser.ofSet(network, { mine: { A: ["tow"] } }, "mine")).toThrow(/no hand shape tow/);
  expect(() => GestureRecogniser.ofTaught(network, { ...vectors.taught, network: "old" })).toThrow(
    /taught to network old/,
  );
  expect(() => GestureRecogniser.ofTaught(network, {} as never)).toThrow(/no taught gestures/);
});
