import { describe, expect, it } from "vitest";
import rows from "../../mobile/replays.json";
import { NEW_CLOCK, tick } from "../src/clock.js";
import { Graph } from "../src/graph.js";
import type { Candidate, HandLandmarker } from "../src/hand.js";
import type { CompleteOptions } from "../src/options.js";
import type { PalmDetector } from "../src/palm.js";
import { handTracking } from "../src/pipeline.js";
import type { Hand, Palm } from "../src/results.js";
import { atSize, currentHands, NO_MEMORY, updateTracks, withoutDuplicates } from "../src/tracks.js";

interface GivenHand {
  landmarks: number[];
  world: number[];
  left: boolean;
  score: number;
  presence: number;
}

interface Frame {
  time_s: number;
  width: number;
  height: number;
  palms?: { box: number[]; keypoints: number[]; score: number }[];
  reads?: { regions: number[][]; hands: GivenHand[] }[];
  given?: GivenHand[];
  searched?: boolean;
  hands: { id: number; left: boolean; score: number; landmarks: number[]; world: number[] }[];
}

interface Replay {
  name: string;
  kind: string;
  options: Omit<CompleteOptions, "mirrored" | "uprightRad">;
  frames: Frame[];
}

const CHECKED = [0, 4, 5, 8, 12, 17, 20];
const replays = (rows as unknown as Replay[]).filter(({ kind }) => kind !== "palms");

function made({ landmarks, world, left, score, presence }: GivenHand, candidate?: Candidate): Hand {
  const points = Float32Array.from(landmarks);
  return {
    landmarks: points,
    landmarksRaw: points,
    world: Float32Array.from(world),
    handedness: left ? "Left" : "Right",
    handednessScore: score,
    presence,
    roi: candidate?.roi ?? { x: 0, y: 0, size: 1, angleRad: 0 },
    palmScore: candidate?.palmScore ?? null,
    trackId: null,
    visibility: null,
    gesture: null,
  };
}

function near(found: ArrayLike<number>, expected: readonly number[], tolerance: number, where: string): void {
  expect(found.length, where).toBe(expected.length);
  for (const [k, value] of expected.entries()) expect(Math.abs(found[k] - value), where).toBeLessThan(tolerance);
}

function compare(hands: readonly Hand[], frame: Frame, where: string): void {
  expect(
    hands.map(({ trackId, handedness }) => [trackId, handedness === "Left"]),
    where,
  ).toEqual(frame.hands.map(({ id, left }) => [id, left]));
  for (const [k, hand] of hands.entries()) {
    const checked = (points: Float32Array) => CHECKED.flatMap((i) => [...points.subarray(3 * i, 3 * i + 3)]);
    near(checked(hand.landmarks), frame.hands[k].landmarks, 0.05, where);
    near(checked(hand.world), frame.hands[k].world, 0.0005, where);
    near([hand.handednessScore], [frame.hands[k].score], 1e-3, where);
  }
}

/** The tracking graph on networks that answer what the replay has recorded. */
async function play({ name, options, frames }: Replay): Promise<void> {
  let frame = frames[0];
  let asked: (readonly Candidate[])[] = [];
  let searched = false;
  const find = (least: number) => () => {
    searched = true;
    return (frame.palms ?? [])
      .filter(({ score }) => score >= least)
      .map((palm) => ({ ...palm, keypoints: Float32Array.from(palm.keypoints) }) as unknown as Palm);
  };
  const read = (least: number) => (_: unknown, candidates: readonly Candidate[]) => {
    asked.push(candidates);
    const { hands } = frame.reads?.[asked.length - 1] ?? { hands: [] };
    return hands.map((hand, i) => made(hand, candidates[i])).filter(({ presence }) => presence > least);
  };
  const detector = {
    graph: (least: number) =>
      new Graph({
        name: "palms",
        inputs: ["image"],
        nodes: [{ run: find(least), inputs: ["image"], output: "palms" }],
        output: "palms",
      }),
  } as unknown as PalmDetector;
  const landmarker = {
    graph: (least = options.minPresence) =>
      new Graph({
        name: "hands",
        inputs: ["image", "candidates"],
        nodes: [{ run: read(least), inputs: ["image", "candidates"], output: "hands" }],
        output: "hands",
      }),
  } as unknown as HandLandmarker;
  const tracker = handTracking(detector, landmarker, { ...options, mirrored: false, uprightRad: Math.PI / 2 });
  for (const [number, next] of frames.entries()) {
    const where = `${name}, frame ${number}`;
    [frame, asked, searched] = [next, [], false];
    const hands = (await tracker.run([{ width: frame.width, height: frame.height }, frame.time_s])) as Hand[];
    expect(searched, where).toBe(frame.searched);
    expect(asked.length, where).toBe(frame.reads?.length);
    for (const [k, regions] of asked.entries())
      for (const [i, { roi }] of regions.entries())
        near([roi.x, roi.y, roi.size, roi.angleRad], frame.reads?.[k].regions[i] ?? [], 0.05, where);
    compare(hands, frame, where);
  }
}

/** The tracker after a detector of its own. */
function update({ name, options, frames }: Replay): void {
  let [memory, clock] = [NO_MEMORY, NEW_CLOCK];
  for (const [number, frame] of frames.entries()) {
    clock = tick(clock, frame.time_s);
    const found = withoutDuplicates(
      (frame.given ?? []).map((hand) => made(hand)),
      options.minPalmScore,
    );
    const kept = found.slice(0, options.maxHands);
    memory = updateTracks(atSize(memory, frame), kept, true, clock.timeS, options.rememberS);
    compare(currentHands(memory, options.smooth, options.voteHandedness), frame, `${name}, frame ${number}`);
  }
}

describe("replays of the tracker", () => {
  for (const replay of replays)
    it(`are the same here: ${replay.name}`, () => (replay.kind === "track" ? play(replay) : update(replay)));
});
