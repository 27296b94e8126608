/** The landmark network: image and candidate regions in, hands out. Read top to bottom: crop, run, decode, gate. */
import type { Bundle } from "./bundle.js";
import { ROI_JOINTS, STEADY, Z_SCALE } from "./constants.js";
import type { Network, Outputs } from "./engine.js";
import type { Picture } from "./frame.js";
import { crop, cropArea, imageFromCrop, MAX_PX, turn, wrapAngle } from "./geometry.js";
import { Graph } from "./graph.js";
import type { CompleteOptions } from "./options.js";
import type { Hand, Roi } from "./results.js";
import { type Work, wait } from "./work.js";

const POINTS = 21;

/** A region of the image that may hold a hand, and the score of the palm that it came from, if it came from one. */
export interface Candidate {
  readonly roi: Roi;
  readonly palmScore: number | null;
}

/** A landmark network and how to read its outputs. */
export class HandLandmarker {
  private readonly crops: Float32Array[] = [];

  constructor(
    private readonly network: Network,
    private readonly bundle: Bundle,
    private readonly options: Pick<CompleteOptions, "minPresence" | "mirrored">,
  ) {}

  /** The subgraph: image, candidates -> hands that are there and sound, in the order of the candidates. */
  graph(minPresence = this.options.minPresence): Graph {
    return new Graph({
      name: "hand_landmarks",
      inputs: ["image", "candidates"],
      nodes: [
        {
          run: (image: Picture, candidates: readonly Candidate[]) => this.prepare(image, candidates),
          inputs: ["image", "candidates"],
          output: "crops",
        },
        { run: (crops: readonly Float32Array[]) => this.runAll(crops), inputs: ["crops"], output: "raw" },
        {
          run: (raw: readonly Outputs[], candidates: readonly Candidate[]) => this.decode(raw, candidates),
          inputs: ["raw", "candidates"],
          output: "read_hands",
        },
        {
          run: (hands: readonly Hand[]) => hands.filter((hand) => hand.presence > minPresence && isSound(hand)),
          inputs: ["read_hands"],
          output: "hands",
        },
      ],
      output: "hands",
    });
  }

  /** One hand per candidate, with any presence. */
  *read(image: Picture, candidates: readonly Candidate[]): Work<Hand[]> {
    return this.decode(yield* this.runAll(yield* this.prepare(image, candidates)), candidates);
  }

  /** One upright crop per candidate. They are valid until the next call. */
  *prepare(image: Picture, candidates: readonly Candidate[]): Work<Float32Array[]> {
    const side = this.bundle.handSide;
    for (const [i, { roi }] of candidates.entries()) {
      this.crops[i] ??= new Float32Array(side * side * 3);
      const area = cropArea(roi, image.width, image.height);
      crop(yield* wait(image.read(area)), area, roi, side, this.crops[i]);
    }
    return this.crops.slice(0, candidates.length);
  }

  /** Raw outputs to hands in image pixels, with any presence. */
  decode(raw: readonly Outputs[], candidates: readonly Candidate[]): Hand[] {
    return candidates.map((candidate, i) => this.hand(raw[i], candidate));
  }

  /** Whether the network is confident that this is a hand. */
  accepts(hand: Hand): boolean {
    return hand.presence > this.options.minPresence && isSound(hand);
  }

  private *runAll(crops: readonly Float32Array[]): Work<Outputs[]> {
    const raw: Outputs[] = [];
    for (const each of crops) raw.push(yield* wait(this.network.run(each)));
    return raw;
  }

  private hand(raw: Outputs, { roi, palmScore }: Candidate): Hand {
    const { handOutputs: names, handSide } = this.bundle;
    const [a, b, c, d, e, f] = imageFromCrop(roi, handSide);
    const zScale = roi.size / handSide / Z_SCALE;
    const [points, metres] = [raw[names.landmarks], raw[names.world]];
    const [landmarks, world] = [new Float32Array(3 * POINTS), new Float32Array(3 * POINTS)];
    for (let i = 0; i < 3 * POINTS; i += 3) {
      const [x, y] = [points[i], points[i + 1]];
      landmarks[i] = a * x + b * y + c;
      landmarks[i + 1] = d * x + e * y + f;
      landmarks[i + 2] = points[i + 2] * zScale;
      [world[i], world[i + 1]] = turn(metres[i], metres[i + 1], roi.angleRad);
      world[i + 2] = metres[i + 2];
    }
    const leftInMirror = raw[names.handedness][0];
    return {
      landmarks,
      world,
      handedness: leftInMirror >= 0.5 === this.options.mirrored ? "Left" : "Right",
      handednessScore: Math.max(leftInMirror, 1 - leftInMirror),
      presence: raw[names.presence][0],
      roi,
      palmScore,
      trackId: null,
      visibility: names.visibility ? raw[names.visibility].slice(0, POINTS) : null,
      gesture: null,
      landmarksRaw: landmarks,
    };
  }
}

/** Whether all numbers of a hand are finite and below `MAX_PX`. Damaged networks give others. */
function isSound(hand: Hand): boolean {
  const arrays = [hand.landmarks, hand.world, hand.visibility ?? []];
  return (
    Number.isFinite(hand.presence + hand.handednessScore) &&
    arrays.every((array) => Array.from(array).every((value) => Math.abs(value) < MAX_PX))
  );
}

/**
 * The region around a hand, from its landmarks (x, y, z of 21 points, image pixels): where the tracker crops the next
 * frame. It is upright along the line from the wrist to the weighted mean of three joints, twice as large as the box of
 * the steady points in that direction, and moved towards the fingers by a tenth of the box's height.
 */
export function roiFromLandmarks(p: Float32Array): Roi {
  const [index, middle, ring] = ROI_JOINTS;
  const end = (k: number) => ((p[3 * index + k] + p[3 * ring + k]) / 2 + p[3 * middle + k]) / 2;
  const angleRad = wrapAngle(Math.PI / 2 - Math.atan2(-(end(1) - p[1]), end(0) - p[0]));
  let [x0, y0, x1, y1] = [Infinity, Infinity, -Infinity, -Infinity];
  for (const i of STEADY) {
    const [x, y] = turn(p[3 * i], p[3 * i + 1], -angleRad);
    [x0, y0, x1, y1] = [Math.min(x0, x), Math.min(y0, y), Math.max(x1, x), Math.max(y1, y)];
  }
  const [x, y] = turn((x0 + x1) / 2, (y0 + y1) / 2 - 0.1 * (y1 - y0), angleRad);
  return { x, y, size: 2 * Math.max(x1 - x0, y1 - y0), angleRad };
}
