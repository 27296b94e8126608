/**
 * The palm detector: the whole image in, palms out. Read top to bottom: prepare, run, decode, suppress.
 *
 * The network is the single-shot detector of MediaPipe Hands (Zhang et al. 2020, arXiv 2006.10214): square anchors, with a
 * box and seven key points per anchor.
 */
import type { Bundle } from "./bundle.js";
import { SUPPRESS_IOU } from "./constants.js";
import type { Network, Outputs } from "./engine.js";
import type { Picture } from "./frame.js";
import { type Box, iou, letterbox, MAX_PX, turn, wholeImage, wrapAngle } from "./geometry.js";
import { Graph } from "./graph.js";
import type { Palm, Roi } from "./results.js";
import { type Work, wait } from "./work.js";

/** Width and height of an image in pixels. */
type Size = Pick<Picture, "width" | "height">;

const VALUES = 18;
const POINTS = 7;

/**
 * Centres x, y of the anchors in input pixels, by grid, row, column and anchor of the cell. All anchors have the size of the
 * input, so a centre defines one. `strides` has (stride in pixels, anchors per cell) of each grid.
 */
export function anchors(side: number, strides: readonly (readonly [number, number])[]): Float32Array {
  const centres: number[] = [];
  for (const [stride, perCell] of strides) {
    const cells = Math.ceil(side / stride);
    for (let row = 0; row < cells; row++)
      for (let column = 0; column < cells; column++)
        for (let k = 0; k < perCell; k++) centres.push((column + 0.5) * stride, (row + 0.5) * stride);
  }
  return Float32Array.from(centres);
}

/** A palm network and how to read its outputs. */
export class PalmDetector {
  private readonly anchors: Float32Array;
  private readonly picture: Float32Array;

  constructor(
    private readonly network: Network,
    private readonly bundle: Bundle,
  ) {
    this.anchors = anchors(bundle.palmSide, bundle.palmStrides);
    this.picture = new Float32Array(bundle.palmSide * bundle.palmSide * 3);
  }

  /** The subgraph: image -> palms that score at least `minScore`, best first. */
  graph(minScore: number): Graph {
    return new Graph({
      name: "palm_detection",
      inputs: ["image"],
      nodes: [
        { run: (image: Picture) => this.prepare(image), inputs: ["image"], output: "pictures" },
        { run: (picture: Float32Array) => this.network.run(picture), inputs: ["pictures"], output: "raw" },
        { run: ({ width, height }: Picture) => ({ width, height }), inputs: ["image"], output: "size" },
        {
          run: (raw: Outputs, size: Size) => this.decode(raw, size, minScore),
          inputs: ["raw", "size"],
          output: "raw_palms",
        },
        { run: suppress, inputs: ["raw_palms"], output: "palms" },
      ],
      output: "palms",
    });
  }

  /** The image in a black square. */
  *prepare(image: Picture): Work<Float32Array> {
    const pixels = yield* wait(image.read({ left: 0, top: 0, right: image.width, bottom: image.height }));
    letterbox(pixels, this.bundle.palmSide, this.picture);
    return this.picture;
  }

  /** Raw outputs to palms in image pixels. Only anchors that score at least `minScore` are decoded. */
  decode(raw: Outputs, size: Size, minScore: number): Palm[] {
    const { palmSide, palmOutputs } = this.bundle;
    const logits = raw[palmOutputs.scores];
    const values = raw[palmOutputs.boxes];
    const minLogit = minScore > 0 && minScore < 1 ? Math.log(minScore / (1 - minScore)) : -Infinity;
    const frame = wholeImage(size.width, size.height);
    const scale = frame.size / palmSide;
    const [left, top] = [frame.x - frame.size / 2, frame.y - frame.size / 2];
    const palms: Palm[] = [];
    for (let i = 0; i < logits.length; i++) {
      if (!(logits[i] >= minLogit)) continue;
      const score = 1 / (1 + Math.exp(-Math.min(Math.max(logits[i], -80), 80)));
      const at = i * VALUES;
      const [ax, ay] = [this.anchors[2 * i], this.anchors[2 * i + 1]];
      const [x, y] = [(values[at] + ax) * scale + left, (values[at + 1] + ay) * scale + top];
      const [halfX, halfY] = [(values[at + 2] * scale) / 2, (values[at + 3] * scale) / 2];
      if (score < minScore || !(halfX > 0 && halfY > 0)) continue;
      const keypoints = new Float32Array(2 * POINTS);
      for (let k = 0; k < 2 * POINTS; k += 2) {
        keypoints[k] = (values[at + 4 + k] + ax) * scale + left;
        keypoints[k + 1] = (values[at + 5 + k] + ay) * scale + top;
      }
      const box: Box = [x - halfX, y - halfY, x + halfX, y + halfY];
      // Damaged networks give boxes without end, or no numbers. A region is larger than its palm.
      if ([...box, ...keypoints].every((value) => Math.abs(value) < MAX_PX / 10)) palms.push({ box, keypoints, score });
    }
    return palms;
  }
}

/**
 * Weighted non-maximum suppression: each group of overlapping palms becomes its score-weighted mean, best first.
 *
 * A group is a palm and all weaker ones that overlap it by more than `SUPPRESS_IOU`. It keeps the best score (the blending
 * of the BlazeFace paper, arXiv 1907.05047, section 3.3).
 */
export function suppress(palms: readonly Palm[]): Palm[] {
  let rest = [...palms].sort((one, other) => other.score - one.score);
  const merged: Palm[] = [];
  while (rest.length) {
    const best = rest[0];
    const near = rest.map((palm) => palm === best || iou(best.box, palm.box) > SUPPRESS_IOU);
    merged.push(mean(rest.filter((_, i) => near[i])));
    rest = rest.filter((_, i) => !near[i]);
  }
  return merged;
}

/** The score-weighted mean of palms, with the first one's score. */
function mean(group: readonly Palm[]): Palm {
  const box: [number, number, number, number] = [0, 0, 0, 0];
  const keypoints = new Float64Array(2 * POINTS);
  const total = group.reduce((sum, palm) => sum + palm.score, 0);
  for (const palm of group) {
    const weight = palm.score / total;
    for (let k = 0; k < 4; k++) box[k] += weight * palm.box[k];
    for (let k = 0; k < keypoints.length; k++) keypoints[k] += weight * palm.keypoints[k];
  }
  return { box, keypoints: Float32Array.from(keypoints), score: group[0].score };
}

/** The region around a hand, from its palm: 2.6 times the palm box, moved towards the fingers by half a box. */
export function roiFromPalm(palm: Palm, uprightRad: number): Roi {
  const k = palm.keypoints;
  const angleRad = wrapAngle(uprightRad - Math.atan2(-(k[5] - k[1]), k[4] - k[0]));
  const [x0, y0, x1, y1]: Box = palm.box;
  const [dx, dy] = turn(0, -0.5 * (y1 - y0), angleRad);
  return { x: (x0 + x1) / 2 + dx, y: (y0 + y1) / 2 + dy, size: 2.6 * Math.max(x1 - x0, y1 - y0), angleRad };
}
