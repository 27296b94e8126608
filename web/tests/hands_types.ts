/** Checked by `tsc`: code that was written for the types of MediaPipe's old packages compiles with ours. */
import type * as theirCamera from "@mediapipe/camera_utils";
import type * as theirDrawing from "@mediapipe/drawing_utils";
import type * as theirs from "@mediapipe/hands";
import type * as camera from "../src/mediapipe/camera_utils.js";
import type * as drawing from "../src/mediapipe/drawing_utils.js";
import type * as ours from "../src/mediapipe/hands.js";

/** Their type can be replaced by ours; ours takes all arguments that theirs takes. */
function replaces<Theirs, _Ours extends Theirs>(): void {}
function takes<Ours, _Theirs extends Ours>(): void {}

replaces<theirs.Results, ours.Results>();
replaces<Pick<theirs.Hands, keyof theirs.Hands>, ours.Hands>();
takes<ours.HandsConfig, theirs.HandsConfig>();
takes<ours.Options, theirs.Options>();
takes<ours.InputMap, theirs.InputMap>();
replaces<typeof theirs.HAND_CONNECTIONS, typeof ours.HAND_CONNECTIONS>();
takes<camera.CameraOptions, theirCamera.CameraOptions>();
replaces<theirCamera.Camera, camera.Camera>();
takes<Parameters<typeof drawing.drawConnectors>, Parameters<typeof theirDrawing.drawConnectors>>();
takes<Parameters<typeof drawing.drawLandmarks>, Parameters<typeof theirDrawing.drawLandmarks>>();
takes<Parameters<typeof drawing.drawRectangle>, Parameters<typeof theirDrawing.drawRectangle>>();
