/** The pipeline written out: the graph that tracks hands through a video, and the one for single images. */
import { NEW_CLOCK, tick, trackerTime } from "./clock.js";
import { EAGER_S, FRAME_S, SEARCHES_PER_S, TRIED_PALMS_PER_SLOT } from "./constants.js";
import { isUsable } from "./geometry.js";
import { Graph } from "./graph.js";
import { type Candidate, type HandLandmarker, roiFromLandmarks } from "./hand.js";
import type { CompleteOptions } from "./options.js";
import { type PalmDetector, roiFromPalm } from "./palm.js";
import type { Hand, Palm } from "./results.js";
import {
  atSize,
  currentHands,
  held,
  isPalmOf,
  type Memory,
  NO_MEMORY,
  trackedCandidates,
  updateTracks,
  withoutDuplicates,
} from "./tracks.js";

type Hands = readonly Hand[];
type Palms = readonly Palm[];

/** A threshold of presence that every hand is above. */
const EVERY_HAND = -1;

/**
 * The tracking graph: image, time_s -> hands.
 *
 * Tracked hands are read first, in the regions that the previous frame predicts. The palm detector runs only when too few
 * are left; a lost hand is searched for in the same frame.
 */
export function handTracking(detector: PalmDetector, landmarker: HandLandmarker, options: CompleteOptions): Graph {
  const handLandmarks = landmarker.graph();
  const newLandmarks = landmarker.graph();
  return new Graph({
    name: "hand_tracking",
    inputs: ["image", "time_s"],
    nodes: [
      {
        run: tick,
        inputs: ["clock", "time_s"],
        output: "next_clock",
      },
      { run: trackerTime, inputs: ["next_clock"], output: "now_s" },
      { run: atSize, inputs: ["previous", "image"], output: "memory" },
      {
        run: (memory: Memory, timeS: number) => trackedCandidates(memory, timeS, options.predictMotion),
        inputs: ["memory", "now_s"],
        output: "tracked_candidates",
      },
      {
        run: handLandmarks,
        inputs: ["image", "tracked_candidates"],
        output: "tracked_hands",
        when: "tracked_candidates",
      },
      {
        run: (hands: Hands) => unique(hands, options),
        inputs: ["tracked_hands"],
        output: "kept_hands",
        when: "tracked_hands",
      },
      {
        run: (memory: Memory, kept: Hands, timeS: number) => shouldSearch(memory, kept, timeS, options),
        inputs: ["memory", "kept_hands", "now_s"],
        output: "search",
      },
      { run: palmsToTry(detector, options), inputs: ["image"], output: "palms", when: "search" },
      {
        run: (palms: Palms, kept: Hands) => newCandidates(palms, kept, options),
        inputs: ["palms", "kept_hands"],
        output: "candidates",
        when: "palms",
      },
      { run: newLandmarks, inputs: ["image", "candidates"], output: "found_hands", when: "candidates" },
      {
        run: verify(landmarker, options),
        inputs: ["image", "found_hands"],
        output: "verified_hands",
        when: "found_hands",
      },
      {
        run: (kept: Hands, verified: Hands) => unique([...kept, ...verified], options),
        inputs: ["kept_hands", "verified_hands"],
        output: "unique_hands",
      },
      {
        run: (memory: Memory, hands: Hands, searched: boolean, timeS: number) =>
          updateTracks(memory, hands, searched, timeS, options.rememberS),
        inputs: ["memory", "unique_hands", "search", "now_s"],
        output: "next_memory",
      },
      {
        run: (memory: Memory) => currentHands(memory, options.smooth, options.voteHandedness),
        inputs: ["next_memory"],
        output: "hands",
      },
    ],
    output: "hands",
    feedback: { previous: ["next_memory", NO_MEMORY], clock: ["next_clock", NEW_CLOCK] },
  });
}

/** The graph for single images: image -> hands, the best palm's first. It remembers nothing. */
export function handDetection(detector: PalmDetector, landmarker: HandLandmarker, options: CompleteOptions): Graph {
  return new Graph({
    name: "hand_detection",
    inputs: ["image"],
    nodes: [
      { run: palmsToTry(detector, options), inputs: ["image"], output: "palms" },
      {
        run: (palms: Palms) => newCandidates(palms, [], options),
        inputs: ["palms"],
        output: "candidates",
        when: "palms",
      },
      {
        run: landmarker.graph(),
        inputs: ["image", "candidates"],
        output: "found_hands",
        when: "candidates",
      },
      {
        run: verify(landmarker, options),
        inputs: ["image", "found_hands"],
        output: "verified_hands",
        when: "found_hands",
      },
      { run: (verified: Hands) => unique(verified, options), inputs: ["verified_hands"], output: "hands" },
    ],
    output: "hands",
  });
}

/** The subgraph: image -> palms that may lead to hands, down to `faintPalms * minPalmScore`. */
function palmsToTry(detector: PalmDetector, options: CompleteOptions): Graph {
  return detector.graph(options.faintPalms * options.minPalmScore);
}

/**
 * The subgraph that decides which newly found hands to keep: image, found_hands -> hands.
 *
 * With `secondLook` each hand is read again, in the region of its own landmarks, which fits better than the region of its
 * palm. A hand needs a presence above `minPresence` each time, and the score of its palm and both presences must add up
 * (`confidence`): to `minNewConfidence`, and to `minFaintConfidence` if the palm scored less than `minPalmScore`.
 */
export function verify(landmarker: HandLandmarker, options: CompleteOptions): Graph {
  return new Graph({
    name: "verify",
    inputs: ["image", "found_hands"],
    nodes: [
      {
        run: (found: Hands) => (options.secondLook ? secondLook(found) : []),
        inputs: ["found_hands"],
        output: "candidates",
      },
      {
        run: landmarker.graph(EVERY_HAND),
        inputs: ["image", "candidates"],
        output: "read_again",
        when: "candidates",
      },
      {
        run: (found: Hands, again: Hands) => accept(found, options.secondLook ? again : found, options),
        inputs: ["found_hands", "read_again"],
        output: "hands",
      },
    ],
    output: "hands",
  });
}

/** Each hand as a candidate in the region of its own landmarks. */
function secondLook(found: Hands): Candidate[] {
  return found
    .map(({ landmarksRaw, palmScore }) => ({ roi: roiFromLandmarks(landmarksRaw), palmScore }))
    .filter(({ roi }) => isUsable(roi));
}

/** The hands as they were read last, without those that are not certain enough; both lists hold the same hands. */
function accept(found: Hands, last: Hands, options: CompleteOptions): Hand[] {
  return last.filter(({ presence, palmScore }, k) => {
    if (presence <= options.minPresence) return false;
    if (palmScore === null) return true;
    const least = palmScore < options.minPalmScore ? options.minFaintConfidence : options.minNewConfidence;
    return confidence(palmScore, (found[k] as Hand).presence, presence) > least;
  });
}

/**
 * The probability that all of these stand for together, as if they were independent (naive Bayes, prior 1/2).
 *
 * Their odds p / (1 - p) are multiplied: 0.3, 0.9 and 0.98 give 0.995. One number alone stays as it is.
 */
export function confidence(...probabilities: readonly number[]): number {
  const odds = probabilities.reduce((product, p) => (product * p) / Math.max(1 - p, 1e-6), 1);
  return odds / (1 + odds);
}

/**
 * Whether to run the palm detector: no hand is left, one was just lost, or it is time to look for more.
 *
 * Hands come and go together, and a hand that was just lost is usually still there. So by default every frame is searched
 * for `EAGER_S` after a hand came or went.
 */
export function shouldSearch(memory: Memory, kept: Hands, timeS: number, options: CompleteOptions): boolean {
  if (kept.length >= options.maxHands) return false;
  if (kept.length < Math.max(1, held(memory).length)) return true;
  if (options.searchEvery !== null) return memory.sinceSearch >= options.searchEvery;
  return timeS - memory.changedS < EAGER_S || timeS - memory.searchedS > 1 / SEARCHES_PER_S - FRAME_S / 4;
}

/**
 * Regions of the best palms that do not belong to a tracked hand: as many as there is room for. Where faint palms are
 * tried, most of which are false positives, `TRIED_PALMS_PER_SLOT` times as many.
 */
export function newCandidates(palms: Palms, kept: Hands, options: CompleteOptions): Candidate[] {
  const fresh = palms.filter((palm) => !kept.some((hand) => isPalmOf(palm, hand)));
  const room = Math.max(options.maxHands - kept.length, 0);
  const tried = fresh.slice(0, options.faintPalms < 1 ? TRIED_PALMS_PER_SLOT * room : room);
  return tried
    .map((palm) => ({ roi: roiFromPalm(palm, options.uprightRad), palmScore: palm.score }))
    .filter(({ roi }) => isUsable(roi));
}

/** The first `maxHands` hands; with `removeDuplicates`, only the first of each set of duplicates. */
function unique(hands: Hands, options: CompleteOptions): Hand[] {
  const different = options.removeDuplicates ? withoutDuplicates(hands, options.minPalmScore) : hands;
  return different.slice(0, options.maxHands);
}
