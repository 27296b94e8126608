"""BVH: a skeleton with keyframes, as motion capture programs and Blender read it.

A file has one root, `hands`, at the camera, and a skeleton below it for each hand that was tracked. Unit: metres; y is
up and the camera looks along -z. In the rest pose every rotation is 0 and the hand is open and flat, fingers along -z.
Rotations are intrinsic about x, y, z: of a finger these are flexion, abduction and roll, so that x may pass 90 degrees.

Frames of BVH are evenly spaced and hands cannot be hidden: poses are interpolated at even times, and before a hand
appears, while it is lost and after it has gone, it keeps its nearest poses.

Format: Meredith & Maddock, Motion Capture File Formats Explained, University of Sheffield, 2001.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence

import numpy as np

from knuckle.exports.motion import HandMotion, MotionSink
from knuckle.extras import required
from knuckle.space.bones import JOINTS, PARENTS, Doubles
from knuckle.space.quaternions import rotations
from knuckle.space.rig import Rig, relative_to_parents

STEP_S = 1 / 30  # of a file with one frame
POSITION, ROTATION = ("Xposition", "Yposition", "Zposition"), ("Xrotation", "Yrotation", "Zrotation")


class BvhSink(MotionSink):
    """Writes the file when all frames are known."""

    TITLE = "BVH files"

    def content(self, motions: Sequence[HandMotion]) -> bytes:
        times_s = even_times(np.array(self.times_s))
        step_s = times_s[1] - times_s[0] if len(times_s) > 1 else STEP_S
        lines = ["HIERARCHY", "ROOT hands", "{", *joint_head(np.zeros(3), [*POSITION, *ROTATION], 1)]
        for motion in motions:
            lines += skeleton(motion.name, motion.rig, motion.rig.rest)
        lines += ["}", "MOTION", f"Frames: {len(times_s)}", f"Frame Time: {step_s:.8f}"]
        columns = [np.zeros((len(times_s), 6)), *(channels(motion, times_s) for motion in motions)]
        rows = np.concatenate(columns, axis=1)
        lines += [" ".join(f"{value:.6g}" for value in row) for row in rows.round(6) + 0.0]
        return ("\n".join(lines) + "\n").encode()


def even_times(times_s: Doubles) -> Doubles:
    """Evenly spaced times from the first to the last one, at the median step."""
    if len(times_s) < 2:
        return times_s
    steps = max(round(float((times_s[-1] - times_s[0]) / np.median(np.diff(times_s)))), 1)
    return np.linspace(times_s[0], times_s[-1], steps + 1)


def skeleton(name: str, rig: Rig, rest: Doubles) -> Iterator[str]:
    """The lines of the hierarchy for one hand, in the order of `JOINTS`, which is depth first."""
    offsets = (rest[list(PARENTS)] @ rig.offsets[..., None])[..., 0]
    ends = [joint for joint, one in enumerate(JOINTS) if one.endswith("tip")]
    yield from (f"  JOINT {name}_wrist", "  {", *joint_head(np.zeros(3), [*POSITION, *ROTATION], 2))
    depth = 2
    for joint, offset in enumerate(offsets[1:], 1):
        indent = "  " * depth
        if joint not in ends:
            yield from (f"{indent}JOINT {name}_{JOINTS[joint]}", indent + "{", *joint_head(offset, ROTATION, depth + 1))
            depth += 1
            continue
        yield from (f"{indent}End Site", indent + "{", f"{indent}  {offset_line(offset)}", indent + "}")
        while depth > 2:
            depth -= 1
            yield "  " * depth + "}"
    yield "  }"


def joint_head(offset: Doubles, channels: Sequence[str], depth: int) -> tuple[str, str]:
    """The lines that begin a joint: its place in its parent, and its channels."""
    return "  " * depth + offset_line(offset), "  " * depth + f"CHANNELS {len(channels)} {' '.join(channels)}"


def offset_line(offset: Doubles) -> str:
    return "OFFSET " + " ".join(f"{value:.6f}" for value in offset + 0.0)


def channels(motion: HandMotion, times_s: Doubles) -> Doubles:
    """(frames, 3 + 3 * 20) metres and degrees: the wrist's position and the rotations of all joints but the tips."""
    # The same orientation in space, seen from a rest pose in which all rotations are the identity.
    from_rest = motion.frames @ np.swapaxes(motion.rig.rest, -1, -2)
    local = relative_to_parents(from_rest)
    slerp = required("scipy.spatial.transform", "motion", "BVH files").Slerp
    inside = np.clip(times_s, motion.times_s[0], motion.times_s[-1])
    columns = [np.stack([np.interp(inside, motion.times_s, axis) for axis in motion.wrist.T], axis=1)]
    for joint, name in enumerate(JOINTS):
        if not name.endswith("tip"):
            turns = rotations(local[:, joint])
            turns = slerp(motion.times_s, turns)(inside) if len(motion.times_s) > 1 else turns[[0] * len(inside)]
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # at 90 degrees about y, any of many angles is right
                angles = turns.as_euler("XYZ", degrees=True)
            columns.append(np.unwrap(angles, period=360, axis=0))
    return np.concatenate(columns, axis=1)
