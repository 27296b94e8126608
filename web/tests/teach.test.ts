import { expect, test } from "vitest";
import network from "../../src/knuckle/gestures/network.json" with { type: "json" };
import shared from "../../tests/gestures/vectors.json" with { type: "json" };
import { GestureRecogniser } from "../src/gestures.js";
import type { Hand, Handedness } from "../src/results.js";
import { type Example, fitGestures, reportOf } from "../src/teach.js";

const HANDS = shared.hands.map(({ landmarks, world, handedness }) => ({
  landmarks: Float32Array.from(landmarks.flat()),
  world: Float32Array.from(world.flat()),
  handedness: handedness as Handedness,
})) as unknown as Hand[];

/** Five takes of each hand, each a little larger and moved. */
const EXAMPLES: Example[] = HANDS.slice(0, 3).flatMap((hand, k) =>
  Array.from({ length: 5 }, (_, take) => ({
    name: `gesture ${k}`,
    group: `take ${take}`,
    hand: { ...hand, landmarks: hand.landmarks.map((value) => value * (1 + 0.1 * take) + take) },
  })),
);

test("taught gestures are recognised, a hand unlike all of them is none, and the file is small", () => {
  const taught = fitGestures(network, EXAMPLES);
  const recogniser = GestureRecogniser.ofTaught(network, taught);
  expect(taught.names).toEqual(["gesture 0", "gesture 1", "gesture 2"]);
  const said = recogniser.recognise(HANDS).map((hand) => hand.gesture?.name ?? null);
  expect(said).toEqual(["gesture 0", "gesture 1", "gesture 2", null, null]);
  expect(JSON.stringify(taught).length).toBeLessThan(4000);
});

test("the report asks every hand of gestures that were learned without its take", () => {
  const { right, total, confusion } = reportOf(network, EXAMPLES, false);
  expect([right, total]).toEqual([15, 15]);
  const stubborn = { name: "gesture 1", group: "somebody else", hand: HANDS[0] };
  const other = reportOf(network, [...EXAMPLES, stubborn], false);
  expect([other.right, other.total]).toEqual([15, 16]);
  expect(confusion["gesture 0"]).toEqual({ "gesture 0": 5 });
  expect(other.confusion["gesture 1"]["gesture 0"]).toBe(1);
});

test("no examples are refused", () => {
  expect(() => fitGestures(network, [])).toThrow(/no examples/);
});
