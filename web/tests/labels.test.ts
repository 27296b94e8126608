import { describe, expect, it } from "vitest";
import { hullOf, LabelPlaces, type Point, type Shape } from "../page/labels.js";

/** Repeatable numbers from 0 to 1 (Park and Miller's generator). */
function randoms(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state * 48271) % 2147483647;
    return state / 2147483647;
  };
}

function shapes(random: () => number, width: number, height: number): Shape[] {
  return Array.from({ length: 1 + Math.floor(4 * random()) }, () => {
    const [x, y, size] = [random() * width, random() * height, 20 + random() * height];
    const points = Array.from({ length: 21 }, (): Point => [x + size * (random() - 0.5), y + size * (random() - 0.5)]);
    return { hull: hullOf(points), margin: size / 20 };
  });
}

/** Whether a point lies in a convex outline, whichever way round it runs. */
function isInside([x, y]: Point, hull: readonly Point[]): boolean {
  const sides = hull.map(([ax, ay], i) => {
    const [bx, by] = hull[(i + 1) % hull.length];
    return (bx - ax) * (y - ay) - (by - ay) * (x - ax);
  });
  return sides.every((side) => side > 0) || sides.every((side) => side < 0);
}

describe("places for labels", () => {
  it("never cover a hand or another label, and lie in the image", () => {
    let placed = 0;
    for (let seed = 1; seed <= 100; seed++) {
      const random = randoms(seed);
      const canvas = { width: 300 + 600 * random(), height: 300 + 300 * random() };
      const hands = shapes(random, canvas.width, canvas.height);
      const places = new LabelPlaces(canvas, hands);
      const found = hands.map((hand) => places.find(hand, 60, 22, 4)).filter((place) => place !== null);
      placed += found.length;
      for (const [i, { left, top, width, height }] of found.entries()) {
        expect(left).toBeGreaterThanOrEqual(0);
        expect(top).toBeGreaterThanOrEqual(0);
        expect(left + width).toBeLessThanOrEqual(canvas.width);
        expect(top + height).toBeLessThanOrEqual(canvas.height);
        const points = Array.from(
          { length: 105 },
          (_, k): Point => [left + (width * (k % 21)) / 20, top + (height * Math.floor(k / 21)) / 4],
        );
        expect(points.filter((point) => hands.some(({ hull }) => isInside(point, hull)))).toEqual([]);
        for (const other of found.slice(i + 1)) {
          const apart = left + width <= other.left || other.left + other.width <= left;
          expect(apart || top + height <= other.top || other.top + other.height <= top).toBe(true);
        }
      }
    }
    expect(placed).toBeGreaterThan(120);
  }, 60_000);

  it("are below the hand if that is free, and none if the hand fills the image", () => {
    const square = (a: number, b: number): Shape => ({
      hull: hullOf([
        [a, a],
        [a, b],
        [b, a],
        [b, b],
      ]),
      margin: 5,
    });
    const small = square(100, 200);
    expect(new LabelPlaces({ width: 400, height: 400 }, [small]).find(small, 60, 22, 4)?.top).toBe(209);
    const large = square(5, 395);
    expect(new LabelPlaces({ width: 400, height: 400 }, [large]).find(large, 60, 22, 4)).toBeNull();
  });
});
