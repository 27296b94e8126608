"""`FORMATS`: every format that results are saved in, what it can hold, what writes it and what reads it."""

from __future__ import annotations

from knuckle.exports.bvh import BvhSink
from knuckle.exports.coco import CocoSink, WholeBodySink, read_coco, read_wholebody
from knuckle.exports.cvat import CvatSink, read_cvat
from knuckle.exports.gltf import GltfSink
from knuckle.exports.joint_angles import JointAnglesSink
from knuckle.exports.label_studio import LabelStudioSink, read_label_studio
from knuckle.exports.lerobot import LeRobotSink, read_lerobot
from knuckle.exports.mcap_file import McapSink, read_mcap
from knuckle.exports.openpose import OpenPoseSink, read_openpose
from knuckle.exports.openxr import OpenXrSink
from knuckle.exports.pose_file import PoseSink, read_pose
from knuckle.exports.rerun_file import RerunSink
from knuckle.exports.yolo import YoloSink, read_yolo
from knuckle.media.data_format import DataFormat, parts
from knuckle.media.sinks import DATA_FORMATS, OWN

RUN = parts("many", "photos", "clips", "sources", "names", "empty", "times", "size", "handedness")
CLIP = parts("clips", "many", "empty", "times", "size", "handedness", "z")
RIGS = parts("many", "photos", "clips", "sources", "handedness", "ids")
SIZE, TIMED, SPACE = parts("size"), parts("size", "times"), parts("size", "world")
# The first one is what a folder gets for each source.
FORMATS: tuple[DataFormat, ...] = (
    *DATA_FORMATS,
    DataFormat("coco", "COCO", ".coco.json", CocoSink, RUN | {"ids"}, SIZE, read_coco),
    DataFormat("coco-wholebody", "COCO-WholeBody", ".wholebody.json", WholeBodySink, RUN, SIZE, read_wholebody),
    DataFormat("yolo", "YOLO pose", ".yolo", YoloSink, RUN - {"clips", "times"}, SIZE, read_yolo, is_folder=True),
    DataFormat("cvat", "CVAT for images", ".cvat.xml", CvatSink, RUN | {"ids"}, SIZE, read_cvat),
    DataFormat("label-studio", "Label Studio", ".labelstudio.json", LabelStudioSink, RUN, SIZE, read_label_studio),
    DataFormat("openpose", "OpenPose", ".openpose", OpenPoseSink, RUN, read=read_openpose, is_folder=True),
    DataFormat("pose", "Sign language .pose", ".pose", PoseSink, CLIP, TIMED, read_pose, extra="pose"),
    DataFormat(
        "lerobot",
        "LeRobot v3",
        ".lerobot",
        LeRobotSink,
        CLIP - {"many"} | {"sources", "names", "ids", "world"},
        parts("size", "times", "z", "world"),
        read_lerobot,
        is_folder=True,
        extra="parquet",
    ),
    DataFormat("rerun", "Rerun", ".rrd", RerunSink, RUN - {"empty"} | {"ids", "world"}, extra="rerun"),
    DataFormat(
        "mcap",
        "MCAP",
        ".mcap",
        McapSink,
        OWN - {"photos", "sources", "palms"} | {"empty"},
        TIMED,
        read_mcap,
        extra="mcap",
    ),
    DataFormat("openxr", "OpenXR joints", ".openxr.jsonl", OpenXrSink, RUN | {"ids"}, SPACE, extra="motion"),
    DataFormat("joints", "Joint angles", ".joints.jsonl", JointAnglesSink, RUN | {"ids"}, SPACE, extra="motion"),
    DataFormat("bvh", "BVH", ".bvh", BvhSink, RIGS, SPACE, extra="motion"),
    DataFormat("gltf", "glTF", ".glb", GltfSink, RIGS | {"times"}, SPACE, extra="motion"),
)
