import { describe, expect, it } from "vitest";
import { mirrored } from "../page/mirror.js";
import { dataFiles, type Row } from "../page/record.js";
import type { Hand, Palm } from "../src/index.js";

const hand: Hand = {
  landmarks: Float32Array.from({ length: 63 }, (_, i) => i),
  landmarksRaw: Float32Array.from({ length: 63 }, (_, i) => i),
  world: Float32Array.from({ length: 63 }, (_, i) => i / 1000),
  handedness: "Left",
  handednessScore: 0.9,
  presence: 0.8,
  palmScore: 0.7,
  roi: { x: 30, y: 20, size: 10, angleRad: 0.5 },
  trackId: 1,
  visibility: null,
  gesture: null,
};
const palm: Palm = { box: [10, 20, 30, 45], keypoints: new Float32Array(14).fill(12), score: 0.6 };
const row = (timeS: number, found: Pick<Row, "hands" | "palms">): Row => ({ timeS, width: 100, height: 50, ...found });

async function texts(rows: readonly Row[]): Promise<Record<string, string[]>> {
  const files = dataFiles(rows, "a clip.mp4");
  const all = await Promise.all(files.map(async ({ name, blob }) => [name, (await blob.text()).trim().split(/\r?\n/)]));
  return Object.fromEntries(all);
}

describe("recorded tables", () => {
  it("keep the hands when palms were shown for a while", async () => {
    const mixed = [
      row(1, { hands: [hand], palms: null }),
      row(1.5, { hands: null, palms: [palm, palm] }),
      row(2, { hands: [hand], palms: null }),
    ];
    const files = await texts(mixed);
    expect(Object.keys(files)).toEqual(["a_clip_hands.jsonl", "a_clip_hands.csv", "a_clip_palms.csv"]);
    const frames = (name: string) => files[name].slice(1).map((line) => line.split(",").slice(2, 4));
    expect(frames("a_clip_hands.csv")).toEqual([
      ["0", "0"],
      ["2", "1"],
    ]);
    expect(frames("a_clip_palms.csv")).toEqual([
      ["1", "0.5"],
      ["1", "0.5"],
    ]);
    expect(files["a_clip_hands.jsonl"]).toHaveLength(3);
  });

  it("are of one kind if one kind was looked for", async () => {
    expect(Object.keys(await texts([row(0, { hands: [], palms: null })]))).toEqual([
      "a_clip_hands.jsonl",
      "a_clip_hands.csv",
    ]);
    expect(Object.keys(await texts([row(0, { hands: null, palms: [] })]))).toEqual([
      "a_clip_hands.jsonl",
      "a_clip_palms.csv",
    ]);
  });
});

describe("mirrored results", () => {
  it("lie where the mirrored image has them, and mirroring twice changes nothing", () => {
    const there = mirrored(row(0, { hands: [hand], palms: [palm] }));
    expect([...(there.hands?.[0].landmarks.slice(0, 6) ?? [])]).toEqual([99, 1, 2, 96, 4, 5]);
    expect(there.hands?.[0].world[3]).toBeCloseTo(-0.003);
    expect(there.hands?.[0].handedness).toBe("Left");
    expect(there.palms?.[0].box).toEqual([69, 20, 89, 45]);
    expect(mirrored(there)).toEqual(row(0, { hands: [hand], palms: [palm] }));
  });
});
