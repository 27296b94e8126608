import { expect, test } from "vitest";
import shared from "../../tests/gestures/motion_vectors.json" with { type: "json" };
import { type GestureEvent, MotionGestures } from "../src/motion.js";
import type { Hand } from "../src/results.js";

type Placed = [string, string, number, number, number];
const keys = shared.hands as Record<string, { landmarks: number[]; world: number[] }>;

function mixed([first, second, share, x, y]: Placed, trackId: number): Hand {
  const [a, b] = [keys[first], keys[second]];
  const between = (from: number[], to: number[]) => from.map((value, k) => value + share * (to[k] - value));
  const shift = [x, y, 0];
  const landmarks = Float32Array.from(between(a.landmarks, b.landmarks).map((value, k) => value + shift[k % 3]));
  const world = Float32Array.from(between(a.world, b.world));
  return { landmarks, world, trackId } as unknown as Hand;
}

function summary({ name, phase, direction, startS, endS, speed, amount }: GestureEvent): unknown[] {
  return [name, phase, direction, ...[startS, endS, speed, amount].map((value) => expect.closeTo(value, 2))];
}

test.each(Object.entries(shared.acts))("%s is the same as in Python, without and with the lock", (_, act) => {
  for (const [holdS, wanted] of [
    [0, act.free],
    [shared.hold_s, act.locked],
  ] as const) {
    const recognise = new MotionGestures(holdS);
    const found = (act.frames as unknown as Placed[][]).flatMap((hands, k) =>
      recognise.next(
        hands.map((placed, n) => mixed(placed, n + 1)),
        k / shared.fps,
      ),
    );
    expect(wanted).toEqual(found.filter(({ phase }) => phase !== "change").map(summary));
  }
});

test("hands without an id are ignored, and a hold out of range is refused", () => {
  const hand = { ...mixed(["open", "open", 0, 0, 0], 1), trackId: null };
  expect(new MotionGestures().next([hand], 0)).toEqual([]);
  expect(() => new MotionGestures(-1)).toThrow(/holdS must be from 0 to 10, got -1/);
});
