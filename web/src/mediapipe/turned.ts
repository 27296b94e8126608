/** Images that must be turned by quarters to be upright, and hands of the upright image in pixels of the image itself. */
import { InputError } from "../errors.js";
import { sizeOf } from "../frame.js";
import { turn } from "../geometry.js";
import type { Hand } from "../results.js";

/** Clockwise quarter turns, 0..3, from degrees. @throws InputError if they are no multiple of 90. */
export function quarterTurns(degrees: number): number {
  if (degrees % 90 !== 0) throw new InputError("Expected rotation to be a multiple of 90°.");
  return (((degrees / 90) % 4) + 4) % 4;
}

/** The image turned clockwise, on a canvas of its own. */
export function turned(source: CanvasImageSource, turns: number): OffscreenCanvas {
  const { width, height } = sizeOf(source);
  const canvas = turns % 2 ? new OffscreenCanvas(height, width) : new OffscreenCanvas(width, height);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  if (!context) throw new InputError("this browser has no 2D canvas to turn images with");
  context.translate(canvas.width / 2, canvas.height / 2);
  context.rotate((turns * Math.PI) / 2);
  context.drawImage(source, -width / 2, -height / 2);
  return canvas;
}

/** A hand of the upright image in pixels of the image, which is `width` × `height` pixels large and not turned. */
export function turnedBack(hand: Hand, turns: number, width: number, height: number): Hand {
  const [landmarks, world] = [hand.landmarks.slice(), hand.world.slice()];
  for (let i = 0; i < landmarks.length; i += 3) {
    const [x, y] = [landmarks[i], landmarks[i + 1]];
    [landmarks[i], landmarks[i + 1]] = [
      [x, y],
      [y, height - 1 - x],
      [width - 1 - x, height - 1 - y],
      [width - 1 - y, x],
    ][turns];
    [world[i], world[i + 1]] = turn(world[i], world[i + 1], (-turns * Math.PI) / 2);
  }
  return { ...hand, landmarks, world };
}
