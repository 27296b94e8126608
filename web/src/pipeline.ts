/** The pipeline written out: the graph that follows hands through a video, and the one that looks at single images. */
import { EAGER_S, FAINT_PRESENCE, FRAME_S, SEARCHES_PER_S, TRIES } from "./constants.js";
import { Graph, type Node } from "./graph.js";
import type { HandLandmarker } from "./hand.js";
import type { TrackerOptions } from "./options.js";
import { type PalmDetector, roiFromPalm } from "./palm.js";
import type { Hand, Palm, Roi } from "./results.js";
import {
  expectedRois,
  follow,
  held,
  isPalmOf,
  type Memory,
  NO_MEMORY,
  visibleHands,
  withoutDuplicates,
} from "./tracks.js";

type Options = Readonly<TrackerOptions>;
type Hands = readonly Hand[];
type Palms = readonly Palm[];

/**
 * The tracking graph: image, time_s -> hands.
 *
 * Held hands are read first, in the regions that the previous frame foretells; the palm detector runs only where too
 * few are left, and finds a hand that was lost in the very frame that lost it.
 */
export function handTracking(detector: PalmDetector, landmarker: HandLandmarker, options: Options): Graph {
  const handLandmarks = landmarker.graph();
  return new Graph({
    name: "hand_tracking",
    inputs: ["image", "time_s"],
    nodes: [
      {
        run: (memory: Memory, timeS: number) => expectedRois(memory, timeS, options.predictMotion),
        inputs: ["memory", "time_s"],
        output: "held_rois",
      },
      { run: handLandmarks, inputs: ["image", "held_rois"], output: "held_hands", when: "held_rois" },
      {
        run: (hands: Hands) => unique(hands, options),
        inputs: ["held_hands"],
        output: "kept_hands",
        when: "held_hands",
      },
      {
        run: (memory: Memory, kept: Hands, timeS: number) => tooFew(memory, kept, timeS, options),
        inputs: ["memory", "kept_hands", "time_s"],
        output: "search",
      },
      { run: detector.graph(detector.faintPalms), inputs: ["image"], output: "palms", when: "search" },
      {
        run: (palms: Palms, kept: Hands) => roisFromPalms(palms, kept, options, detector.faintPalms),
        inputs: ["palms", "kept_hands"],
        output: "found_rois",
        when: "palms",
      },
      { run: handLandmarks, inputs: ["image", "found_rois"], output: "found_hands", when: "found_rois" },
      ...confirmedHands(detector, landmarker, options),
      {
        run: (kept: Hands, confirmed: Hands) => unique([...kept, ...confirmed], options),
        inputs: ["kept_hands", "confirmed_hands"],
        output: "unique_hands",
      },
      {
        run: (memory: Memory, hands: Hands, searched: boolean, timeS: number) =>
          follow(memory, hands, searched, timeS, options.rememberS),
        inputs: ["memory", "unique_hands", "search", "time_s"],
        output: "next_memory",
      },
      {
        run: (memory: Memory) => visibleHands(memory, options.smooth, options.voteHandedness),
        inputs: ["next_memory"],
        output: "hands",
      },
    ],
    output: "hands",
    feedback: { memory: ["next_memory", NO_MEMORY] },
  });
}

/** The graph for single images: image -> hands, the best palm's first. It remembers nothing. */
export function handDetection(detector: PalmDetector, landmarker: HandLandmarker, options: Options): Graph {
  return new Graph({
    name: "hand_detection",
    inputs: ["image"],
    nodes: [
      { run: detector.graph(detector.faintPalms), inputs: ["image"], output: "palms" },
      {
        run: (palms: Palms) => roisFromPalms(palms, [], options, detector.faintPalms),
        inputs: ["palms"],
        output: "rois",
        when: "palms",
      },
      { run: landmarker.graph(), inputs: ["image", "rois"], output: "found_hands", when: "rois" },
      ...confirmedHands(detector, landmarker, options),
      { run: (confirmed: Hands) => unique(confirmed, options), inputs: ["confirmed_hands"], output: "hands" },
    ],
    output: "hands",
  });
}

/** What both graphs do with hands that palms led to: image, found_hands, palms -> confirmed_hands. */
function confirmedHands(detector: PalmDetector, landmarker: HandLandmarker, options: Options): Node[] {
  const nodes: Node[] = [
    {
      run: (found: Hands, palms: Palms) => withPalmScores(found, palms, options),
      inputs: ["found_hands", "palms"],
      output: "scored_hands",
      when: "found_hands",
    },
  ];
  const add = (run: Node["run"], output: string, ...inputs: string[]) => {
    const before = nodes[nodes.length - 1].output;
    nodes.push({ run, inputs: [...inputs, before], output, when: before });
  };
  if (landmarker.looksTwice) add(landmarker.secondLook(), "reread_hands", "image");
  if (detector.faintPalms !== 1) add((hands: Hands) => sureHands(hands, options), "sure_hands");
  return [...nodes.slice(0, -1), { ...nodes[nodes.length - 1], output: "confirmed_hands" }];
}

/**
 * Whether to look for palms: no hand is left, one was just lost, or it is time to look for more.
 *
 * Hands come and go together, and one that was lost is mostly still there: so by default every frame is searched for
 * `EAGER_S` after a hand was found or lost.
 */
export function tooFew(memory: Memory, kept: Hands, timeS: number, options: Options): boolean {
  if (kept.length >= options.maxHands) return false;
  if (kept.length < Math.max(1, held(memory).length)) return true;
  if (options.searchEvery !== null) return memory.sinceSearch >= options.searchEvery;
  return timeS - memory.changedS < EAGER_S || timeS - memory.searchedS > 1 / SEARCHES_PER_S - FRAME_S / 4;
}

/**
 * Regions of the best palms that are no palm of a hand already held: as many as there is room for, `TRIES` times as many
 * where faint palms are tried, of which many are none.
 */
export function roisFromPalms(palms: Palms, kept: Hands, options: Options, faintPalms: number): Roi[] {
  const fresh = palms.filter((palm) => !kept.some((hand) => isPalmOf(palm, hand)));
  const room = Math.max(options.maxHands - kept.length, 0);
  return fresh.slice(0, faintPalms < 1 ? TRIES * room : room).map((palm) => roiFromPalm(palm, options.uprightRad));
}

/** The hands with the score of the palm that their region came from. */
function withPalmScores(found: Hands, palms: Palms, options: Options): Hand[] {
  const key = ({ x, y, size, angleRad }: Roi) => `${x} ${y} ${size} ${angleRad}`;
  const scores = new Map(palms.map((palm) => [key(roiFromPalm(palm, options.uprightRad)), palm.score]));
  return found.map((hand) => ({ ...hand, palmScore: scores.get(key(hand.roi)) ?? null }));
}

/** The hands, without those that a faint palm led to and that are not clearly hands. */
function sureHands(hands: Hands, options: Options): Hand[] {
  return hands.filter(
    (hand) => hand.presence > FAINT_PRESENCE || hand.palmScore === null || hand.palmScore >= options.minPalmScore,
  );
}

/** The first `maxHands`, without duplicates where that is wanted; of two that are the same the first stays. */
function unique(hands: Hands, options: Options): Hand[] {
  const different = options.removeDuplicates ? withoutDuplicates(hands, options.minPalmScore) : hands;
  return different.slice(0, options.maxHands);
}
