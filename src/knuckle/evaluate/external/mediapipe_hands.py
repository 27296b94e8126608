"""MediaPipe's own Hands, 0.10.21, as a target of `worker.py`. It runs where mediapipe is installed and Knuckle is not.

The landmark graph is the one of `mediapipe.solutions.hands.Hands`, with outputs that the class does not expose. Left
and right are swapped, because it assumes that every image is mirrored.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

PALM_GRAPH = """
input_stream: "image"
input_side_packet: "model_complexity"
output_stream: "detections"
node {
  calculator: "PalmDetectionCpu"
  input_stream: "IMAGE:image"
  input_side_packet: "MODEL_COMPLEXITY:model_complexity"
  output_stream: "DETECTIONS:detections"
}
"""
PALM_THRESHOLD = "palmdetectioncpu__TensorsToDetectionsCalculator.min_score_thresh"
HAND_THRESHOLD = "handlandmarkcpu__ThresholdingCalculator.threshold"
OTHER_SIDE = {"Left": "Right", "Right": "Left"}


def legacy(video: bool, max_hands: int, argument: str = "1 0.1") -> Callable[[Any, float | None], dict[str, Any]]:
    """Open the tracker. `argument`: model complexity, and the minimum palm score on still images."""
    from mediapipe.python.solution_base import SolutionBase  # type: ignore[import-not-found]
    from mediapipe.python.solutions import hands  # type: ignore[import-not-found]

    complexity, min_palm_score = argument.split()
    graph = SolutionBase(
        binary_graph_path=hands._BINARYPB_FILE_PATH,
        side_inputs={"model_complexity": int(complexity), "num_hands": max_hands, "use_prev_landmarks": video},
        calculator_params={PALM_THRESHOLD: 0.5, HAND_THRESHOLD: 0.5},
        outputs=[
            "multi_hand_landmarks",
            "multi_hand_world_landmarks",
            "multi_handedness",
            "palm_detections",
            "hand_rects_from_landmarks",
        ],
    )
    palms_of = None if video else palm_detector(int(complexity), float(min_palm_score))
    held = 0

    def ask(image: Any, time_s: float | None) -> dict[str, Any]:
        nonlocal held
        start = time.perf_counter()
        found = graph.process({"image": image})
        answer: dict[str, Any] = {"ms": 1000 * (time.perf_counter() - start), "searched": not video or held < max_hands}
        held = len(found.hand_rects_from_landmarks or ())
        answer["hands"] = hands_of(found, image)
        palms = palms_of(image) if palms_of else found.palm_detections or ()
        return answer | {"palms": [palm(detection, image) for detection in palms]}

    return ask


def palm_detector(complexity: int, min_score: float) -> Callable[[Any], Any]:
    """The palm detector alone: all palms, also those that score too low for the landmark network."""
    from google.protobuf import text_format
    from mediapipe.framework.calculator_pb2 import CalculatorGraphConfig  # type: ignore[import-not-found]
    from mediapipe.python.solution_base import SolutionBase

    graph = SolutionBase(
        graph_config=text_format.Parse(PALM_GRAPH, CalculatorGraphConfig()),
        side_inputs={"model_complexity": complexity},
        calculator_params={PALM_THRESHOLD: min_score},
        outputs=["detections"],
    )
    return lambda image: graph.process({"image": image}).detections or ()


def hands_of(found: Any, image: Any) -> list[dict[str, Any]]:
    """Landmarks in pixels, world landmarks in metres, the person's own left or right."""
    height, width = image.shape[:2]
    fields = found.multi_hand_landmarks, found.multi_hand_world_landmarks, found.multi_handedness
    rows = zip(*(field or () for field in fields), strict=True)
    return [
        {
            "landmarks": [[p.x * width, p.y * height, p.z * width] for p in landmarks.landmark],
            "world": [[p.x, p.y, p.z] for p in world.landmark],
            "handedness": OTHER_SIDE[sides.classification[0].label],
            "handedness_score": sides.classification[0].score,
        }
        for landmarks, world, sides in rows
    ]


def palm(detection: Any, image: Any) -> dict[str, Any]:
    """A palm detection in pixels."""
    height, width = image.shape[:2]
    box = detection.location_data.relative_bounding_box
    return {
        "box": [box.xmin * width, box.ymin * height, (box.xmin + box.width) * width, (box.ymin + box.height) * height],
        "keypoints": [[p.x * width, p.y * height] for p in detection.location_data.relative_keypoints],
        "score": detection.score[0],
    }
