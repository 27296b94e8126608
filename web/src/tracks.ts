/**
 * What a tracker remembers between frames, and how the hands of a frame are matched to its tracks: plain functions from one
 * memory to the next.
 */
import {
  EXTRAPOLATE_S,
  MATCH_DISTANCE,
  MATCH_DISTANCE_PER_S,
  MIN_MATCH_S,
  NOISE_SPEED_PER_S,
  OTHER_HANDEDNESS_PENALTY,
  PALM_LANDMARKS,
  SAME_SHAPE,
  STEADY,
  VOTES,
} from "./constants.js";
import { iou, isUsable } from "./geometry.js";
import { type Candidate, roiFromLandmarks } from "./hand.js";
import { boxAround, type Hand, type Palm } from "./results.js";
import { oneEuro, type Smoothed, type SmoothedHand, smoothHand } from "./smooth.js";

type Vector = readonly [number, number];

/** One hand through time. */
export interface Track {
  readonly trackId: number;
  /** The hand as last found, not smoothed, with the handedness of that frame. */
  readonly hand: Hand;
  /** Time of that frame. */
  readonly seenS: number;
  /** Velocity of its centre, image pixels per second. */
  readonly velocity: Vector;
  /** Mean probability of "Left" over the last `VOTES` frames. */
  readonly left: number;
  readonly votes: number;
  /** States of the filters. */
  readonly landmarks: SmoothedHand;
  readonly world: Smoothed;
}

/** Everything that a tracker knows when a frame arrives. */
export interface Memory {
  /** Hands found in the previous frame or lost recently, by id. */
  readonly tracks: readonly Track[];
  readonly nextId: number;
  /** Time of the previous frame. */
  readonly timeS: number;
  /** Frames since the palm detector last ran, and the time when it ran. */
  readonly sinceSearch: number;
  readonly searchedS: number;
  /** Time when a hand last came or went. */
  readonly changedS: number;
  /** Width and height of the previous frame, pixels; null before the first. */
  readonly size: readonly [number, number] | null;
}

export const NO_MEMORY: Memory = {
  tracks: [],
  nextId: 1,
  timeS: -Infinity,
  sinceSearch: 0,
  searchedS: -Infinity,
  changedS: -Infinity,
  size: null,
};

/** Tracks that were found in the previous frame. */
export function held(memory: Memory): Track[] {
  return memory.tracks.filter((track) => track.seenS === memory.timeS);
}

/**
 * The memory in pixels of this image. A video that changes its size midway shows the same view in other pixels. If the
 * shape changes too, the view is another one: tracks stay where they are, and may not be matched.
 */
export function atSize(memory: Memory, { width, height }: { width: number; height: number }): Memory {
  const before = memory.size;
  if (before && before[0] === width && before[1] === height) return memory;
  const scale = before ? width / before[0] : 1;
  const isSameShape = before !== null && Math.abs(height / before[1] / scale - 1) < SAME_SHAPE;
  const tracks = isSameShape ? memory.tracks.map((track) => scaled(track, scale)) : memory.tracks;
  return { ...memory, tracks, size: [width, height] };
}

/** A track in an image that is `scale` times as large. Pixel centres are whole numbers, so places shift as well. */
function scaled(track: Track, scale: number): Track {
  const placed = (points: Float32Array) => points.map((value, i) => value * scale + (i % 3 < 2 ? (scale - 1) / 2 : 0));
  const times = (values: Float32Array) => values.map((value) => value * scale);
  const { hand, velocity, landmarks } = track;
  const { centre, shape } = landmarks;
  return {
    ...track,
    hand: { ...hand, landmarks: placed(hand.landmarks), landmarksRaw: placed(hand.landmarksRaw) },
    velocity: [velocity[0] * scale, velocity[1] * scale],
    landmarks: {
      value: placed(landmarks.value),
      centre: { ...centre, value: placed(centre.value), speed: times(centre.speed) },
      shape: { ...shape, value: times(shape.value), speed: times(shape.speed) },
    },
  };
}

/** Where the tracked hands should be now: the region of each one's landmarks, moved on by its last motion. */
export function trackedCandidates(memory: Memory, timeS: number, predictMotion: boolean): Candidate[] {
  const regions = held(memory).map((track) => {
    const roi = roiFromLandmarks(track.hand.landmarksRaw);
    if (!predictMotion) return roi;
    const [dx, dy] = moved(track, timeS);
    const speed = Math.hypot(...track.velocity) / baseline(track.hand);
    const sure = Math.max(0, 1 - NOISE_SPEED_PER_S / Math.max(speed, 1e-9));
    return { ...roi, x: roi.x + sure * dx, y: roi.y + sure * dy };
  });
  return regions.filter(isUsable).map((roi) => ({ roi, palmScore: null }));
}

function moved(track: Track, timeS: number): Vector {
  const elapsed = Math.min(timeS - track.seenS, EXTRAPOLATE_S);
  return [track.velocity[0] * elapsed, track.velocity[1] * elapsed];
}

/** Whether a palm belongs to a hand: their seven common points are on average within half a palm baseline. */
export function isPalmOf(palm: Palm, hand: Hand): boolean {
  const points = hand.landmarksRaw;
  let sum = 0;
  for (const [k, i] of PALM_LANDMARKS.entries())
    sum += Math.hypot(palm.keypoints[2 * k] - points[3 * i], palm.keypoints[2 * k + 1] - points[3 * i + 1]);
  return sum / PALM_LANDMARKS.length < 0.5 * baseline(hand);
}

/** The longest side of the triangle wrist, index MCP, pinky MCP, image pixels: a size that survives rotation. */
export function baseline(hand: Hand): number {
  const p = hand.landmarksRaw;
  const side = (i: number, j: number) => Math.hypot(p[3 * i] - p[3 * j], p[3 * i + 1] - p[3 * j + 1]);
  return Math.max(side(0, 5), side(5, 17), side(17, 0), 1e-3);
}

/**
 * The hands without duplicates of earlier ones.
 *
 * A duplicate has 10 of 21 landmarks within 0.2 palm baselines, and its box overlaps the other's by more than 0.2 (the rule
 * of MediaPipe's Tasks API). A hand whose palm scored less than `minPalmScore` is also a duplicate if the middle of its
 * palm lies in the box of an earlier hand.
 */
export function withoutDuplicates(hands: readonly Hand[], minPalmScore = 0): Hand[] {
  const kept: Hand[] = [];
  for (const hand of hands) {
    const faint = hand.palmScore !== null && hand.palmScore < minPalmScore;
    if (!kept.some((other) => isSame(hand, other) || (faint && liesIn(hand, other)))) kept.push(hand);
  }
  return kept;
}

/** Whether the middle of a hand's palm lies in another's box. */
function liesIn(hand: Hand, other: Hand): boolean {
  const mean = (values: number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
  const [x, y] = [0, 1].map((axis) => mean(PALM_LANDMARKS.map((i) => hand.landmarksRaw[3 * i + axis])));
  const [x0, y0, x1, y1] = boxAround(other.landmarks);
  return x0 <= x && x <= x1 && y0 <= y && y <= y1;
}

function isSame(one: Hand, other: Hand): boolean {
  const [p, q] = [one.landmarksRaw, other.landmarksRaw];
  const reach = 0.2 * Math.max(baseline(one), baseline(other));
  let near = 0;
  for (let i = 0; i < p.length; i += 3) if (Math.hypot(p[i] - q[i], p[i + 1] - q[i + 1]) < reach) near++;
  return near >= 10 && iou(boxAround(one.landmarks), boxAround(other.landmarks)) > 0.2;
}

/**
 * The memory after this frame: each hand goes to its track or begins a new one; tracks lost for longer than `rememberS` are
 * forgotten.
 */
export function updateTracks(
  memory: Memory,
  hands: readonly Hand[],
  searched: boolean,
  timeS: number,
  rememberS: number,
): Memory {
  const wasHeld = held(memory);
  const limit = (track: Track) => Math.max(rememberS, wasHeld.includes(track) ? MIN_MATCH_S : 0);
  const known = memory.tracks.filter((track) => timeS - track.seenS <= limit(track));
  const owners = match(known, hands, timeS);
  let nextId = memory.nextId;
  const tracks = hands.map((hand, i) => {
    const owner = owners[i];
    return owner ? seenAgain(owner, hand, timeS, wasHeld.includes(owner)) : seenFirst(hand, timeS, nextId++);
  });
  const lost = memory.tracks.filter((track) => !owners.includes(track) && timeS - track.seenS <= rememberS);
  const before = new Set(wasHeld.map((track) => track.trackId));
  const changed = tracks.length !== before.size || tracks.some((track) => !before.has(track.trackId));
  return {
    tracks: [...tracks, ...lost].sort((one, other) => one.trackId - other.trackId),
    nextId,
    timeS,
    sinceSearch: searched ? 1 : memory.sinceSearch + 1,
    searchedS: searched ? timeS : memory.searchedS,
    changedS: changed ? timeS : memory.changedS,
    size: memory.size,
  };
}

/** The track of each hand, nearest pairs first; null where no track is in reach. */
export function match(tracks: readonly Track[], hands: readonly Hand[], timeS: number): (Track | null)[] {
  const pairs: { cost: number; track: number; hand: number }[] = [];
  for (const [t, track] of tracks.entries())
    for (const [h, hand] of hands.entries()) {
      const far = distance(track, hand, timeS);
      const disagreement = Math.abs(leftOf(hand) - track.left);
      if (far <= MATCH_DISTANCE + MATCH_DISTANCE_PER_S * (timeS - track.seenS) * (1 - disagreement))
        pairs.push({ cost: far + OTHER_HANDEDNESS_PENALTY * disagreement, track: t, hand: h });
    }
  pairs.sort((a, b) => a.cost - b.cost || a.track - b.track || a.hand - b.hand);
  const owners: (Track | null)[] = hands.map(() => null);
  for (const { track, hand } of pairs)
    if (!owners[hand] && !owners.includes(tracks[track])) owners[hand] = tracks[track];
  return owners;
}

/** Mean distance of a hand from where the track's hand is expected, in palm baselines. */
function distance(track: Track, hand: Hand, timeS: number): number {
  const [dx, dy] = moved(track, timeS);
  const [now, then] = [hand.landmarksRaw, track.hand.landmarksRaw];
  let sum = 0;
  for (const i of STEADY) sum += Math.hypot(now[3 * i] - then[3 * i] - dx, now[3 * i + 1] - then[3 * i + 1] - dy);
  return sum / STEADY.length / Math.max(baseline(track.hand), baseline(hand));
}

function leftOf(hand: Hand): number {
  return hand.handedness === "Left" ? hand.handednessScore : 1 - hand.handednessScore;
}

function filtered(track: Track | null, hand: Hand, timeS: number): { landmarks: SmoothedHand; world: Smoothed } {
  const w = hand.world;
  const worldSize = Math.hypot(w[0] - w[27], w[1] - w[28], w[2] - w[29]) || 1;
  return {
    landmarks: smoothHand(track?.landmarks ?? null, hand.landmarksRaw, timeS, baseline(hand)),
    world: oneEuro(track?.world ?? null, hand.world, timeS, worldSize),
  };
}

function seenFirst(hand: Hand, timeS: number, trackId: number): Track {
  return {
    trackId,
    hand,
    seenS: timeS,
    velocity: [0, 0],
    left: leftOf(hand),
    votes: 1,
    ...filtered(null, hand, timeS),
  };
}

function seenAgain(track: Track, hand: Hand, timeS: number, wasHeld: boolean): Track {
  const votes = Math.min(track.votes + 1, VOTES);
  return {
    trackId: track.trackId,
    hand: hand.palmScore === null ? { ...hand, palmScore: track.hand.palmScore } : hand,
    seenS: timeS,
    velocity: wasHeld ? velocity(track, hand, timeS - track.seenS) : [0, 0],
    left: track.left + (leftOf(hand) - track.left) / votes,
    votes,
    ...filtered(wasHeld ? track : null, hand, timeS),
  };
}

function velocity(track: Track, hand: Hand, elapsed: number): Vector {
  const [now, then] = [hand.landmarksRaw, track.hand.landmarksRaw];
  let [x, y] = [0, 0];
  for (const i of STEADY) {
    x += now[3 * i] - then[3 * i];
    y += now[3 * i + 1] - then[3 * i + 1];
  }
  const scale = STEADY.length * elapsed;
  return [x / scale, y / scale];
}

/** The hands of this frame as the tracker returns them, by track id. */
export function currentHands(memory: Memory, smooth: boolean, vote: boolean): Hand[] {
  return held(memory).map(({ trackId, hand, left, landmarks, world }) => ({
    ...hand,
    trackId,
    ...(vote && { handedness: left >= 0.5 ? "Left" : "Right", handednessScore: Math.max(left, 1 - left) }),
    ...(smooth && { landmarks: landmarks.value, world: world.value }),
  }));
}
