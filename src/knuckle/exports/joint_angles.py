"""Wrist pose and joint angles as JSON lines, for robots and simulators, without ROS.

One object per frame. For each hand: the wrist's position and orientation in camera space (x right, y down, z away from
the camera, metres: ROS calls it an optical frame), the 20 joint angles in radians, and how far each finger is curled.
"""

from __future__ import annotations

from typing import Any

from knuckle.exports.placed import PlacedLinesSink
from knuckle.results import Hand
from knuckle.results.regions import rounded
from knuckle.space.angles import ANGLE_NAMES, curls, joint_angles
from knuckle.space.bones import Points, palm_frame
from knuckle.space.quaternions import quaternions


class JointAnglesSink(PlacedLinesSink):
    """JSON lines: one object per frame with the wrist, angles and curls of each hand."""

    def hand_object(self, hand: Hand, points: Points) -> dict[str, Any]:
        angles = joint_angles(points, hand.handedness)
        orientation = quaternions(palm_frame(points, hand.handedness))
        return {
            "track_id": hand.track_id,
            "handedness": hand.handedness,
            "presence": round(hand.presence, 4),
            "wrist": {"position_m": rounded(points[0], 6), "orientation_xyzw": rounded(orientation, 6)},
            "angles_rad": dict(zip(ANGLE_NAMES, rounded(angles, 5), strict=True)),
            "curls": {finger: round(float(curl), 4) for finger, curl in curls(angles).items()},
        }
