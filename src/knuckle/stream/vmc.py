"""VMC, the protocol of avatar programs (protocol.vmc.info): rotations of bones, and the wrists as trackers."""

from __future__ import annotations

import numpy as np

from knuckle.results import FloatArray
from knuckle.stream.address import Address
from knuckle.stream.datagrams import Datagrams
from knuckle.stream.humanoid import BONE_NAMES, avatar_wrist, hand_rotation, humanoid_bones, resting_bones
from knuckle.stream.osc import bundles, message
from knuckle.stream.pose import quaternion_of
from knuckle.stream.values import FrameValues

# Address, arguments and meaning of each message; docs/stream.md shows them.
MESSAGES = (
    ("/VMC/Ext/OK", "int 1", "the sender works"),
    ("/VMC/Ext/T", "float seconds", "time of the frame"),
    (
        "/VMC/Ext/Bone/Pos",
        "text bone, 3 floats position, 4 floats rotation x, y, z, w",
        "local rotation of `LeftUpperArm` … `RightLittleDistal` from the T-pose; the position is 0",
    ),
    (
        "/VMC/Ext/Tra/Pos",
        "text serial, 3 floats position in metres, 4 floats rotation x, y, z, w",
        "a tracker for each wrist: `LeftHand`, `RightHand`",
    ),
)


class VmcDestination(Datagrams):
    """Sends each frame as a performer (Marionette's side) of the VMC protocol: one left and one right hand."""

    def __init__(self, address: Address) -> None:
        super().__init__("vmc", address)
        message("/VMC/Ext/OK", 1)  # fails here if the package is missing

    def packets(self, values: FrameValues) -> list[bytes]:
        found = [message("/VMC/Ext/OK", 1), message("/VMC/Ext/T", floats=[values.frame.time_s])]
        for name in values.lost:
            if name == "left":
                found += bone_messages("Left", resting_bones("Left"))
            elif name == "right":
                found += bone_messages("Right", resting_bones("Right"))
        for hand in values.hands:
            if hand.name in ("left", "right"):
                side, wrist = hand.hand.handedness, avatar_wrist(hand.position)
                turn = hand_rotation(hand.palm, side)
                found += bone_messages(side, humanoid_bones(hand.hand.world, turn, wrist, side))
                pose = [*wrist, *quaternion_of(turn)]
                found.append(message("/VMC/Ext/Tra/Pos", f"{side}Hand", floats=pose))
        return bundles(found)


def bone_messages(side: str, rotations: FloatArray) -> list[bytes]:
    """A message for each bone of an arm, from rotations (18, 4); no bone is moved from its place."""
    poses = np.zeros((len(BONE_NAMES), 7), ">f4")
    poses[:, 3:] = rotations
    pairs = zip(BONE_NAMES, poses, strict=True)
    return [message("/VMC/Ext/Bone/Pos", f"{side}{bone}", floats=pose) for bone, pose in pairs]
