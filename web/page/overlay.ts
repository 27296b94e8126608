/** Draws hands and palms over the image, in the same colours as the Python package. */
import { FINGERS, type Hand, PALM_CONNECTIONS, type Palm } from "../src/index.js";
import { hullOf, LabelPlaces, type Point, type Shape } from "./labels.js";

export const FINGER_COLOURS: Record<keyof typeof FINGERS, string> = {
  thumb: "#ff8a4c",
  index: "#ffcd3c",
  middle: "#60d678",
  ring: "#40bef6",
  pinky: "#b284ff",
};
export const PALM_COLOUR = "#e2e6ec";
export const SIDE_COLOURS = { Left: "#2563eb", Right: "#db2777" } as const;
const DETECTION_COLOUR = "#facc15";
const OUTLINE = "rgba(24, 24, 27, 0.75)";
const HIDDEN_BELOW = 0.5;

/** Bones: two landmarks and a colour each. */
export const BONES: readonly (readonly [number, number, string])[] = [
  ...PALM_CONNECTIONS.map(([a, b]) => [a, b, PALM_COLOUR] as const),
  ...Object.entries(FINGERS).flatMap(([name, points]) =>
    points.slice(1).map((b, i) => [points[i], b, FINGER_COLOURS[name as keyof typeof FINGERS]] as const),
  ),
];

const COLOUR_OF: readonly string[] = Array.from({ length: 21 }, (_, point) => {
  const finger = Object.entries(FINGERS).find(([, points]) => (points as readonly number[]).includes(point));
  return finger ? FINGER_COLOURS[finger[0] as keyof typeof FINGERS] : PALM_COLOUR;
});

/** Maps image pixels to canvas pixels. */
export interface Mapping {
  x(value: number): number;
  y(value: number): number;
  /** Canvas pixels per image pixel. */
  readonly scale: number;
}

/** The mapping that fits the whole image into the middle of the canvas, mirrored if `flip` is set. */
export function mapTo(
  canvas: { width: number; height: number },
  width: number,
  height: number,
  flip: boolean,
): Mapping {
  const scale = Math.min(canvas.width / width, canvas.height / height);
  const [left, top] = [(canvas.width - scale * width) / 2, (canvas.height - scale * height) / 2];
  // Pixel centres are whole numbers in the image and halves on a canvas.
  return {
    x: (value) => (flip ? canvas.width - left - (value + 0.5) * scale : left + (value + 0.5) * scale),
    y: (value) => top + (value + 0.5) * scale,
    scale,
  };
}

/** Draw bones and joints (nearer joints larger, hidden ones hollow), and labels with side and id beside the hands. */
export function drawHands(
  ctx: CanvasRenderingContext2D,
  hands: readonly Hand[],
  map: Mapping,
  labels: boolean,
  pixelRatio = 1,
): void {
  ctx.lineCap = ctx.lineJoin = "round";
  const outlines: Shape[] = [];
  for (const hand of hands) {
    const points = Array.from(
      { length: 21 },
      (_, i): Point => [map.x(hand.landmarks[3 * i]), map.y(hand.landmarks[3 * i + 1])],
    );
    const width = lineWidth(points, pixelRatio);
    for (const [grow, outline] of [
      [2 * pixelRatio, OUTLINE],
      [0, null],
    ] as const)
      for (const [a, b, colour] of BONES) {
        ctx.beginPath();
        ctx.moveTo(points[a][0], points[a][1]);
        ctx.lineTo(points[b][0], points[b][1]);
        ctx.lineWidth = width + grow;
        ctx.strokeStyle = outline ?? colour;
        ctx.stroke();
      }
    drawJoints(ctx, hand, points, width, pixelRatio);
    // Skin reaches about a quarter of a palm's length beyond the landmarks.
    const palm = Math.hypot(points[9][0] - points[0][0], points[9][1] - points[0][1]);
    outlines.push({ hull: hullOf(points), margin: Math.max(0.25 * palm, 2 * width) });
  }
  if (!labels) return;
  const places = new LabelPlaces(ctx.canvas, outlines);
  for (const [i, { handedness, trackId, gesture }] of hands.entries()) {
    const parts = [handedness, trackId, gesture?.name.replaceAll("_", " ")].filter((part) => part != null);
    chip(ctx, parts.join(" "), places, outlines[i], SIDE_COLOURS[handedness], "#ffffff", pixelRatio);
  }
}

function lineWidth(points: readonly Point[], pixelRatio: number): number {
  const [xs, ys] = [points.map((p) => p[0]), points.map((p) => p[1])];
  const size = Math.max(Math.max(...xs) - Math.min(...xs), Math.max(...ys) - Math.min(...ys));
  return Math.max(1.5 * pixelRatio, Math.min(size / 50, 5 * pixelRatio));
}

function drawJoints(
  ctx: CanvasRenderingContext2D,
  hand: Hand,
  points: readonly Point[],
  width: number,
  pixelRatio: number,
): void {
  const depths = Array.from({ length: 21 }, (_, i) => hand.landmarks[3 * i + 2]);
  const [near, far] = [Math.min(...depths), Math.max(...depths)];
  const order = [...depths.keys()].sort((a, b) => depths[b] - depths[a]);
  for (const i of order) {
    const nearness = (far - depths[i]) / Math.max(far - near, 1e-6);
    const hidden = hand.visibility !== null && hand.visibility[i] < HIDDEN_BELOW;
    ctx.beginPath();
    ctx.arc(points[i][0], points[i][1], width * (1 + 0.6 * nearness), 0, 2 * Math.PI);
    ctx.lineWidth = 1.25 * pixelRatio;
    ctx.strokeStyle = hidden ? COLOUR_OF[i] : OUTLINE;
    ctx.fillStyle = hidden ? "rgba(24, 24, 27, 0.6)" : COLOUR_OF[i];
    ctx.fill();
    ctx.stroke();
  }
}

function chip(
  ctx: CanvasRenderingContext2D,
  text: string,
  places: LabelPlaces,
  own: Shape,
  colour: string,
  ink: string,
  pixelRatio: number,
): void {
  ctx.font = `600 ${13 * pixelRatio}px system-ui, sans-serif`;
  const [width, height] = [ctx.measureText(text).width + 16 * pixelRatio, 22 * pixelRatio];
  const place = places.find(own, width, height, 4 * pixelRatio);
  if (!place) return;
  ctx.fillStyle = colour;
  ctx.beginPath();
  ctx.roundRect(place.left, place.top, width, height, height / 2);
  ctx.fill();
  ctx.fillStyle = ink;
  ctx.textBaseline = "middle";
  ctx.textAlign = "left";
  ctx.fillText(text, place.left + 8 * pixelRatio, place.top + height / 2 + 0.5 * pixelRatio);
}

/** The outline of the hand that belongs to a palm: its box, and where its straight fingers would end. */
function palmShape({ box, keypoints }: Palm, map: Mapping): Shape {
  const [wristX, wristY] = [keypoints[0], keypoints[1]];
  const points: Point[] = [box[0], box[2]].flatMap((x) => [box[1], box[3]].map((y): Point => [map.x(x), map.y(y)]));
  for (let i = 2; i < 10; i += 2) {
    const [x, y] = [2.1 * keypoints[i] - 1.1 * wristX, 2.1 * keypoints[i + 1] - 1.1 * wristY];
    points.push([map.x(x), map.y(y)]);
  }
  return { hull: hullOf(points), margin: 0.1 * (box[2] - box[0]) * map.scale };
}

/** Draw the box, the seven key points and the score of each palm. */
export function drawPalms(
  ctx: CanvasRenderingContext2D,
  palms: readonly Palm[],
  map: Mapping,
  labels: boolean,
  pixelRatio = 1,
): void {
  const outlines = palms.map((palm) => palmShape(palm, map));
  const places = new LabelPlaces(ctx.canvas, outlines);
  for (const [k, { box, keypoints, score }] of palms.entries()) {
    const [left, right] = [map.x(box[0]), map.x(box[2])].sort((a, b) => a - b);
    const [top, bottom] = [map.y(box[1]), map.y(box[3])];
    for (const [width, colour] of [
      [4, OUTLINE],
      [2, DETECTION_COLOUR],
    ] as const) {
      ctx.lineWidth = width * pixelRatio;
      ctx.strokeStyle = colour;
      ctx.beginPath();
      ctx.roundRect(left, top, right - left, bottom - top, 6 * pixelRatio);
      ctx.stroke();
    }
    for (let i = 0; i < keypoints.length; i += 2) {
      ctx.beginPath();
      ctx.arc(map.x(keypoints[i]), map.y(keypoints[i + 1]), 3.5 * pixelRatio, 0, 2 * Math.PI);
      ctx.fillStyle = DETECTION_COLOUR;
      ctx.lineWidth = 1.25 * pixelRatio;
      ctx.strokeStyle = OUTLINE;
      ctx.fill();
      ctx.stroke();
    }
    if (labels) chip(ctx, score.toFixed(2), places, outlines[k], DETECTION_COLOUR, "#18181b", pixelRatio);
  }
}
