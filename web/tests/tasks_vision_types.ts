/**
 * Checked by `tsc`: code that was written for the types of MediaPipe's package compiles with ours. Ours take every
 * argument that theirs take, and return everything that theirs return.
 */
import type * as theirs from "@mediapipe/tasks-vision";
import * as ours from "../src/mediapipe/tasks_vision.js";

type Arguments<T> = T extends (...given: infer Given) => unknown ? Given : never;
type Result<T> = T extends (...given: never[]) => infer Returned ? Awaited<Returned> : never;

/** Their type can be replaced by ours: instances, and the results and arguments of each call. */
function replaces<Theirs, _Ours extends Theirs>(): void {}
function takes<Ours, _Theirs extends Ours>(): void {}

replaces<theirs.HandLandmarker, ours.HandLandmarker>();
replaces<theirs.GestureRecognizer, ours.GestureRecognizer>();
replaces<theirs.HandLandmarkerResult, ours.HandLandmarkerResult>();
replaces<theirs.GestureRecognizerResult, ours.GestureRecognizerResult>();
replaces<theirs.NormalizedLandmark, ours.NormalizedLandmark>();
replaces<theirs.Landmark, ours.Landmark>();
replaces<theirs.Category, ours.Category>();
takes<ours.HandLandmarkerOptions, theirs.HandLandmarkerOptions>();
takes<ours.GestureRecognizerOptions, theirs.GestureRecognizerOptions>();
takes<ours.DrawingOptions, theirs.DrawingOptions>();
takes<ours.BoundingBox, theirs.BoundingBox>();
takes<Arguments<ours.HandLandmarker["detect"]>, Arguments<theirs.HandLandmarker["detect"]>>();
takes<Arguments<ours.HandLandmarker["detectForVideo"]>, Arguments<theirs.HandLandmarker["detectForVideo"]>>();
takes<Arguments<ours.HandLandmarker["setOptions"]>, Arguments<theirs.HandLandmarker["setOptions"]>>();
takes<Arguments<ours.GestureRecognizer["recognize"]>, Arguments<theirs.GestureRecognizer["recognize"]>>();
type Drawing = "drawLandmarks" | "drawConnectors" | "drawBoundingBox" | "close";
replaces<Pick<theirs.DrawingUtils, Drawing>, ours.DrawingUtils>();

type StaticCalls = "createFromOptions" | "createFromModelPath" | "createFromModelBuffer";
replaces<Pick<typeof theirs.HandLandmarker, "HAND_CONNECTIONS">, typeof ours.HandLandmarker>();
takes<Arguments<(typeof ours.HandLandmarker)[StaticCalls]>, Arguments<(typeof theirs.HandLandmarker)[StaticCalls]>>();
takes<Result<(typeof theirs.HandLandmarker)[StaticCalls]>, Result<(typeof ours.HandLandmarker)[StaticCalls]>>();
takes<
  Arguments<(typeof ours.GestureRecognizer)[StaticCalls]>,
  Arguments<(typeof theirs.GestureRecognizer)[StaticCalls]>
>();
takes<Arguments<typeof ours.FilesetResolver.forVisionTasks>, Arguments<typeof theirs.FilesetResolver.forVisionTasks>>();
takes<Result<typeof theirs.FilesetResolver.forVisionTasks>, Result<typeof ours.FilesetResolver.forVisionTasks>>();

/** The example of MediaPipe's documents for Hand Landmarker, with the import changed. */
export async function example(video: HTMLVideoElement, canvas: HTMLCanvasElement): Promise<void> {
  const { FilesetResolver, HandLandmarker, DrawingUtils } = ours;
  const vision = await FilesetResolver.forVisionTasks("https://cdn.jsdelivr.net/npm/@mediapipe/tasks-vision/wasm");
  const handLandmarker = await HandLandmarker.createFromOptions(vision, {
    baseOptions: { modelAssetPath: "/hand_landmarker.task", delegate: "GPU" },
    runningMode: "VIDEO",
    numHands: 2,
  });
  const results: theirs.HandLandmarkerResult = handLandmarker.detectForVideo(video, performance.now());
  const context = canvas.getContext("2d");
  if (!context) return;
  const drawing = new DrawingUtils(context);
  for (const landmarks of results.landmarks) {
    drawing.drawConnectors(landmarks, HandLandmarker.HAND_CONNECTIONS, { color: "#00FF00", lineWidth: 5 });
    drawing.drawLandmarks(landmarks, { radius: (data) => DrawingUtils.lerp(data.from?.z ?? 0, -0.15, 0.1, 5, 1) });
  }
}
