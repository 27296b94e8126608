"""Which of our modules stand for MediaPipe's, and what to use for the parts of MediaPipe that are not hands."""

from __future__ import annotations

# MediaPipe's module -> ours.
_SOLUTIONS = {
    "mediapipe.solutions": "knuckle.mediapipe.solutions",
    "mediapipe.solutions.hands": "knuckle.mediapipe.solutions.hands",
    "mediapipe.solutions.hands_connections": "knuckle.mediapipe.solutions.hands",
    "mediapipe.solutions.drawing_utils": "knuckle.mediapipe.solutions.drawing_utils",
    "mediapipe.solutions.drawing_styles": "knuckle.mediapipe.solutions.drawing_styles",
}
_TASKS = {
    "mediapipe.tasks": "knuckle.mediapipe.tasks",
    "mediapipe.tasks.core.base_options": "knuckle.mediapipe.tasks.containers",
    "mediapipe.tasks.components.containers": "knuckle.mediapipe.tasks.containers",
    "mediapipe.tasks.components.containers.category": "knuckle.mediapipe.tasks.containers",
    "mediapipe.tasks.components.containers.landmark": "knuckle.mediapipe.tasks.containers",
    "mediapipe.tasks.components.containers.landmark_detection_result": "knuckle.mediapipe.tasks.containers",
    "mediapipe.tasks.components.containers.rect": "knuckle.mediapipe.tasks.containers",
    "mediapipe.tasks.vision": "knuckle.mediapipe.tasks.vision",
    "mediapipe.tasks.vision.core.image": "knuckle.mediapipe.tasks.image",
    "mediapipe.tasks.vision.core.image_processing_options": "knuckle.mediapipe.tasks.containers",
    "mediapipe.tasks.vision.core.vision_task_running_mode": "knuckle.mediapipe.tasks.vision",
    "mediapipe.tasks.vision.hand_landmarker": "knuckle.mediapipe.tasks.vision",
    "mediapipe.tasks.vision.gesture_recognizer": "knuckle.mediapipe.tasks.vision",
    "mediapipe.tasks.vision.gesture_recognizer_result": "knuckle.mediapipe.tasks.vision",
    "mediapipe.tasks.components.processors": "knuckle.mediapipe.tasks.vision",
    "mediapipe.tasks.components.processors.classifier_options": "knuckle.mediapipe.tasks.vision",
    "mediapipe.tasks.vision.drawing_utils": "knuckle.mediapipe.solutions.drawing_utils",
    "mediapipe.tasks.vision.drawing_styles": "knuckle.mediapipe.solutions.drawing_styles",
}
_OTHERS = {
    "mediapipe": "knuckle.mediapipe.tasks.image",
    "mediapipe.python": "knuckle.mediapipe.tasks.image",
    "mediapipe.python._framework_bindings.image": "knuckle.mediapipe.tasks.image",
    "mediapipe.python._framework_bindings.image_frame": "knuckle.mediapipe.tasks.image",
    "mediapipe.framework.formats.landmark_pb2": "knuckle.mediapipe.solutions.messages",
    "mediapipe.framework.formats.classification_pb2": "knuckle.mediapipe.solutions.messages",
    # MediaPipe brought the protobuf package along. These stand in for it where it is not installed.
    "google.protobuf.json_format": "knuckle.mediapipe.protobuf.json_format",
    "google.protobuf.message": "knuckle.mediapipe.protobuf.light",
    "google.protobuf.text_format": "knuckle.mediapipe.protobuf.text_format",
}
# MediaPipe has the same modules a second time, under longer names.
_LONGER = {name.replace("mediapipe.", "mediapipe.python.", 1): ours for name, ours in _SOLUTIONS.items()}
_LONGER |= {name.replace("mediapipe.tasks", "mediapipe.tasks.python", 1): ours for name, ours in _TASKS.items()}

SOURCES: dict[str, str] = {**_OTHERS, **_SOLUTIONS, **_TASKS, **_LONGER}
# The modules around them, which are empty.
NAMES = frozenset(".".join(name.split(".")[:count]) for name in SOURCES for count in range(1, len(name.split(".")) + 1))

# Parts of names in MediaPipe that are not hands -> what MediaPipe's Tasks have instead.
_INSTEAD = {
    "holistic": "HolisticLandmarker of ",
    "pose": "PoseLandmarker of ",
    "face_detection": "FaceDetector of ",
    "facedetector": "FaceDetector of ",
    "face": "FaceLandmarker of ",
    "selfie": "ImageSegmenter of ",
    "objectron": "ObjectDetector of ",
    **dict.fromkeys(("audio", "text", "genai", "classifier", "embedder", "segmenter", "detector"), ""),
    **dict.fromkeys(("calculator", "graph", "packet", "timestamp", "imageframe", "model_maker", "solution_base"), ""),
}


def is_known(name: str) -> bool:
    """Whether a name is, as far as its words tell, one that MediaPipe has."""
    return any(word in name.rpartition(".")[2].lower() for word in _INSTEAD)


def not_covered(name: str) -> str:
    """One line: what of MediaPipe is covered, and what to use for this name."""
    if name.startswith("google."):
        return f"{name} needs the protobuf package: pip install 'knuckle[protobuf]'"
    last = name.rpartition(".")[2].lower()
    task = next((task for word, task in _INSTEAD.items() if word in last), "")
    return (
        f"{name}: Knuckle covers MediaPipe's hands only (solutions.hands, drawing_utils, drawing_styles, "
        f"tasks.vision.HandLandmarker); use {task}mediapipe 1.2.3's tasks, or mediapipe==0.10.21 (Python 3.9 to 3.12), "
        "which runs the script as it is"
    )
