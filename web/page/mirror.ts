/** The mirror image of results. Left stays left: it is the person's hand, whichever way the image is shown. */
import type { Hand, Palm } from "../src/index.js";
import type { Row } from "./record.js";

/** What was found, as it lies in the mirrored image. */
export function mirrored(row: Row): Row {
  const last = row.width - 1; // pixel centres are whole numbers
  return {
    ...row,
    hands: row.hands?.map((hand) => mirroredHand(hand, last)) ?? null,
    palms: row.palms?.map((palm) => mirroredPalm(palm, last)) ?? null,
  };
}

function mirroredHand(hand: Hand, last: number): Hand {
  return {
    ...hand,
    landmarks: withX(hand.landmarks, 3, (x) => last - x),
    landmarksRaw: withX(hand.landmarksRaw, 3, (x) => last - x),
    world: withX(hand.world, 3, (x) => -x),
    roi: { ...hand.roi, x: last - hand.roi.x, angleRad: -hand.roi.angleRad },
  };
}

function mirroredPalm({ box, keypoints, score }: Palm, last: number): Palm {
  const [left, top, right, bottom] = box;
  return { score, box: [last - right, top, last - left, bottom], keypoints: withX(keypoints, 2, (x) => last - x) };
}

/** The points with another x, which is the first of `width` values of each. */
function withX(points: Float32Array, width: number, change: (x: number) => number): Float32Array {
  return points.map((value, i) => (i % width ? value : change(value)));
}
