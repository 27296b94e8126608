/**
 * The hand tasks of `@mediapipe/tasks-vision` on Knuckle: `import { HandLandmarker } from "knuckle-web/tasks-vision"`.
 * Names, arguments and results are those of version 1.1; results also have track ids. New code should use `HandTracker`.
 *
 * @packageDocumentation
 */
export type { LandmarkData } from "./drawing.js";
export { type BoundingBox, type DrawingOptions, DrawingUtils } from "./drawing_class.js";
export {
  type ClassifierOptions,
  GestureRecognizer,
  type GestureRecognizerOptions,
  type GestureRecognizerResult,
} from "./gesture_recognizer.js";
export { HandLandmarker, type HandLandmarkerOptions, type HandLandmarkerResult } from "./hand_landmarker.js";
export {
  type Category,
  type Connection,
  FilesetResolver,
  type ImageProcessingOptions,
  type ImageSource,
  type Landmark,
  type NormalizedLandmark,
  type RunningMode,
  type WasmFileset,
} from "./task.js";
