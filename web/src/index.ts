/**
 * Knuckle in the browser: 21 3D landmarks per hand, left or right, and an id that stays with the hand. Frames never leave
 * the device.
 *
 * @packageDocumentation
 */
export { type Bundle, type FileSource, loadBundle, type Models } from "./bundle.js";
export {
  DEFAULT_OPTIONS,
  FINGERS,
  HAND_CONNECTIONS,
  LANDMARK_NAMES,
  PALM_CONNECTIONS,
  PALM_KEYPOINTS,
} from "./constants.js";
export type { Device, Precision } from "./devices.js";
export type { Engine, Network, Outputs } from "./engine.js";
export { BundleError, EngineError, InputError, KnuckleError } from "./errors.js";
export type { RawImage } from "./frame.js";
export { crop, cropArea, imageFromCrop, letterbox } from "./geometry.js";
export {
  GestureRecogniser,
  type GestureSetsJson,
  type ShapeNetworkJson,
  spaceOfShapes,
  type TaughtJson,
} from "./gestures.js";
export { Graph, type Node, type Observer, type Step } from "./graph.js";
export { type GestureEvent, MotionGestures } from "./motion.js";
export type { TrackerOptions } from "./options.js";
export { anchors } from "./palm.js";
export {
  type Gesture,
  type Hand,
  type Handedness,
  type HandJson,
  handBox,
  handToJson,
  type LandmarkName,
  landmark,
  type Palm,
  type PalmKeypoint,
  palmSize,
  palmToJson,
  type Roi,
} from "./results.js";
export { oneEuro, type Smoothed, type SmoothedHand, smoothHand } from "./smooth.js";
export { SteadyGestures } from "./steady.js";
export { type Example, fitGestures, NONE, type Report, reportOf } from "./teach.js";
export { type CreateOptions, HandTracker, type Source } from "./tracker.js";
