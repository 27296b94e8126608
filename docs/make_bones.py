"""Draw the axes of the bones for docs/space.md, and measure its joint angles: `python docs/make_bones.py`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("svg")
import matplotlib.pyplot as plt
import numpy as np

DOCS = Path(__file__).resolve().parent
sys.path[:0] = [str(DOCS.parent / "tests")]

from make_tables import fill  # noqa: E402
from moving_hands import posed  # noqa: E402

from knuckle.results import FINGER_COLOURS, Handedness  # noqa: E402
from knuckle.space.angles import ANGLE_NAMES, joint_angles  # noqa: E402
from knuckle.space.bones import JOINTS, PARENTS, bone_frames, joint_positions, palm_frame  # noqa: E402
from knuckle.synth.body.anatomy import INDEX  # noqa: E402
from knuckle.synth.body.hand_poses import NAMED, HandPose, random_pose  # noqa: E402

AXES = {"x": "#d62728", "y": "#2ca02c", "z": "#1f77b4"}
AXIS_M = 0.016
MARKED = ("wrist", "metacarpal", "proximal", "intermediate", "distal")
TURN = np.array([[0.94, 0.0, -0.34], [0.17, 0.87, 0.47], [0.30, -0.50, 0.81]])  # the view: from above, a little aside


def draw(axes: Any, pose: HandPose, side: Handedness, title: str) -> None:
    """One hand, seen on its back."""
    points = posed(pose, side)
    joints = joint_positions(points, palm_frame(points, side)) @ TURN.T
    frames = TURN @ bone_frames(points, side)
    for joint, parent in enumerate(PARENTS):
        if parent >= 0:
            colour = np.array(FINGER_COLOURS[JOINTS[joint].partition("_")[0]]) / 255
            axes.plot(*joints[[parent, joint], :2].T, color=colour, linewidth=5, alpha=0.5, solid_capstyle="round")
    for joint, name in enumerate(JOINTS):
        if name.endswith(MARKED):
            length = AXIS_M * (1.6 if name == "wrist" else 1)
            for axis, colour in enumerate(AXES.values()):
                end = joints[joint] + length * frames[joint, :, axis]
                axes.plot(*np.stack([joints[joint], end])[:, :2].T, color=colour, linewidth=1.6)
    for axis, (name, colour) in enumerate(AXES.items()):
        place = joints[0] + 2.1 * AXIS_M * frames[0, :, axis]
        axes.text(*place[:2], name, color=colour, fontsize=12, ha="center", va="center")
    axes.set_title(title, fontsize=11)
    axes.set_aspect("equal")
    axes.axis("off")


def angle_errors() -> str:
    """The table of errors of joint angles, as Markdown."""
    rng = np.random.default_rng(0)
    poses = [random_pose(rng)[1] for _ in range(300)]
    found = joint_angles(np.array([posed(pose) for pose in poses]), "Right", "deg")
    truth = np.degrees([pose.angles for pose in poses])
    lines = ["| angle | median error | 95th percentile |", "|---|---|---|"]
    for k, name in enumerate(ANGLE_NAMES):
        theirs = {"thumb_cmc_flexion": "thumb_radial", "thumb_cmc_abduction": "thumb_palmar"}.get(name)
        theirs = theirs or name.replace("mcp_abduction", "spread").removesuffix("_flexion")
        sign = -1 if name == "thumb_cmc_flexion" else 1
        errors = np.abs(found[:, k] - sign * truth[:, INDEX[theirs]])
        middle, most = np.percentile(errors, [50, 95])
        lines.append(f"| `{name}` | {middle:.1f} | {most:.1f} |")
    return "\n".join(lines)


def main() -> None:
    fill(DOCS / "space.md", {"angles": angle_errors()})
    plt.rcParams["svg.hashsalt"] = "knuckle"  # the same file each time
    figure, (left, middle, right) = plt.subplots(1, 3, figsize=(11, 5))
    draw(left, NAMED["open"], "Left", "left hand, seen on its back")
    draw(middle, NAMED["open"], "Right", "right hand, seen on its back")
    draw(right, NAMED["claw"], "Right", "right hand, fingers flexed")
    figure.tight_layout()
    figure.savefig(DOCS / "images" / "bone_frames.svg", metadata={"Date": None}, bbox_inches="tight")
    plt.close(figure)


if __name__ == "__main__":
    main()
