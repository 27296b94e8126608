import type { PALM_KEYPOINTS } from "./constants.js";
import { LANDMARK_NAMES } from "./constants.js";

/** Name of a landmark: "wrist", "thumb_cmc", … "pinky_tip". */
export type LandmarkName = (typeof LANDMARK_NAMES)[number];

/** Name of a key point of a palm. */
export type PalmKeypoint = (typeof PALM_KEYPOINTS)[number];

/** Left or right hand of the person. */
export type Handedness = "Left" | "Right";

/** A square region of the image. It may be rotated and may reach beyond the border. */
export interface Roi {
  /** Centre, image pixels. */
  readonly x: number;
  readonly y: number;
  /** Side, image pixels. */
  readonly size: number;
  /** 0 when the fingers point up in the image; clockwise on screen is positive. */
  readonly angleRad: number;
}

/** A palm detection. */
export interface Palm {
  /** x0, y0, x1, y1 in image pixels. */
  readonly box: readonly [number, number, number, number];
  /** Seven points x, y, in the order of `PALM_KEYPOINTS`, image pixels. */
  readonly keypoints: Float32Array;
  /** 0..1, for ranking. */
  readonly score: number;
}

/** A gesture of one hand. */
export interface Gesture {
  /** As the set of gestures calls it: "Thumb_Up", "Victory", … */
  readonly name: string;
  /** Probability that the hand makes this gesture, 0..1. */
  readonly score: number;
}

/** One hand in one image. It can be sent to other threads and stored. */
export interface Hand {
  /**
   * 21 points x, y, z in the order of `LANDMARK_NAMES`: x, y in image pixels (pixel centres at whole numbers), z in
   * pixels relative to the wrist, smaller is nearer. Smoothed in video unless smoothing is off.
   */
  readonly landmarks: Float32Array;
  /** 21 points x, y, z in metres; x right, y down, z away, origin near the hand's centre. */
  readonly world: Float32Array;
  /** Left or right hand of the person; in video the vote of the track so far. */
  readonly handedness: Handedness;
  /** Confidence in the handedness, 0.5..1. */
  readonly handednessScore: number;
  /** Confidence that the crop holds a hand, 0..1. */
  readonly presence: number;
  /** The region of the image that the landmarks were read from. */
  readonly roi: Roi;
  /** Score of the palm from which this hand was found; null if the caller gave the region. */
  readonly palmScore: number | null;
  /** 1, 2, 3, …: the number of the same hand throughout a video; null for single images. */
  readonly trackId: number | null;
  /** Probability that each landmark is visible, or null if the network has no such output. */
  readonly visibility: Float32Array | null;
  /** What the hand says, once a `GestureRecogniser` was asked and it makes a gesture of the set; else null. */
  readonly gesture: Gesture | null;
  /** `landmarks` before smoothing; the same array if nothing was smoothed. */
  readonly landmarksRaw: Float32Array;
}

/** A landmark by name: x, y in image pixels, z in pixels relative to the wrist. */
export function landmark(hand: Hand, name: LandmarkName): { x: number; y: number; z: number } {
  const at = 3 * LANDMARK_NAMES.indexOf(name);
  const [x, y, z] = hand.landmarks.subarray(at, at + 3);
  return { x, y, z };
}

/** x0, y0, x1, y1 of the smallest upright box around the landmarks, image pixels. */
export function handBox(hand: Hand): [number, number, number, number] {
  return boxAround(hand.landmarks);
}

/** The smallest upright box around points x, y, z. @internal */
export function boxAround(points: Float32Array): [number, number, number, number] {
  let [x0, y0, x1, y1] = [Infinity, Infinity, -Infinity, -Infinity];
  for (let i = 0; i < points.length; i += 3) {
    x0 = Math.min(x0, points[i]);
    x1 = Math.max(x1, points[i]);
    y0 = Math.min(y0, points[i + 1]);
    y1 = Math.max(y1, points[i + 1]);
  }
  return [x0, y0, x1, y1];
}

/** Distance from the wrist to the middle finger's MCP, image pixels. */
export function palmSize(hand: Hand): number {
  const p = hand.landmarks;
  return Math.hypot(p[27] - p[0], p[28] - p[1]);
}

/** A hand as plain numbers, ready for JSON: an entry of `hands` in the JSON lines that `knuckle track` writes. */
export interface HandJson {
  track_id: number | null;
  handedness: Handedness;
  handedness_score: number;
  presence: number;
  palm_score: number | null;
  landmarks: number[][];
  world: number[][];
  visibility: number[] | null;
  gesture: string | null;
  gesture_score: number | null;
}

/** The hand in the names and roundings of Knuckle's JSON lines (docs/formats.md). */
export function handToJson(hand: Hand): HandJson {
  return {
    track_id: hand.trackId,
    handedness: hand.handedness,
    handedness_score: rounded(hand.handednessScore, 4),
    presence: rounded(hand.presence, 4),
    palm_score: hand.palmScore === null ? null : rounded(hand.palmScore, 4),
    landmarks: rows(hand.landmarks, 3, 3),
    world: rows(hand.world, 3, 6),
    visibility: hand.visibility && Array.from(hand.visibility, (value) => rounded(value, 4)),
    gesture: hand.gesture?.name ?? null,
    gesture_score: hand.gesture && rounded(hand.gesture.score, 4),
  };
}

/** A palm in the names and roundings of Knuckle's JSON lines. */
export function palmToJson(palm: Palm): { box: number[]; keypoints: number[][]; score: number } {
  return {
    box: palm.box.map((value) => rounded(value, 2)),
    keypoints: rows(palm.keypoints, 2, 2),
    score: rounded(palm.score, 4),
  };
}

function rows(values: Float32Array, width: number, digits: number): number[][] {
  return Array.from({ length: values.length / width }, (_, row) =>
    Array.from(values.subarray(row * width, row * width + width), (value) => rounded(value, digits)),
  );
}

function rounded(value: number, digits: number): number {
  const scale = 10 ** digits;
  return Math.round(value * scale) / scale;
}
