import { expect, test } from "vitest";
import network from "../../src/knuckle/gestures/network.json" with { type: "json" };
import sets from "../../src/knuckle/gestures/sets.json" with { type: "json" };
import shared from "../../tests/gestures/vectors.json" with { type: "json" };
import { conditionsOf, featuresOf, GestureRecogniser } from "../src/gestures.js";
import type { Hand, Handedness } from "../src/results.js";
import { SteadyGestures } from "../src/steady.js";

interface Row {
  readonly landmarks: number[][];
  readonly world: number[][];
  readonly handedness: Handedness;
  readonly features: number[];
  readonly conditions: number[];
  readonly probabilities: Record<string, number[]>;
}

const vectors = { taught: shared.taught, hands: shared.hands as unknown as Row[] };

function handOf(row: Row): Hand {
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
    for (const [set, wanted] of Object.entries(row.probabilities)) {
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

test("gestures of tracks are as steady as in Python", () => {
  const steady = new SteadyGestures(GestureRecogniser.ofSet(network, sets));
  for (const { time_s, row, average, column } of shared.steady) {
    const found = steady.follow(1, row, time_s);
    expect(found.column).toBe(column);
    found.average.forEach((value, k) => {
      expect(value).toBeCloseTo(average[k], 3);
    });
  }
  const [hand] = new SteadyGestures(GestureRecogniser.ofSet(network, sets)).recognise([handOf(vectors.hands[0])], 0);
  expect(hand.gesture?.name).toBe("Victory");
});

test("sets and files that cannot be used are refused", () => {
  expect(() => GestureRecogniser.ofSet(network, sets, "cannned")).toThrow(/sets are: mediapipe, canned/);
  expect(() => GestureRecogniser.ofSet(network, { mine: { A: ["tow"] } }, "mine")).toThrow(/no hand shape tow/);
  expect(() => GestureRecogniser.ofTaught(network, { ...vectors.taught, network: "old" })).toThrow(
    /taught to network old/,
  );
  expect(() => GestureRecogniser.ofTaught(network, {} as never)).toThrow(/no taught gestures/);
});
