"""Metres: cameras and their lenses, positions of hands in front of one camera, points seen by several."""

from knuckle.space.camera import Camera
from knuckle.space.choose import CameraChoice
from knuckle.space.lens_files import read_cameras
from knuckle.space.position import Locator, locate
from knuckle.space.rigs import RigHand, triangulate

__all__ = ["Camera", "CameraChoice", "Locator", "RigHand", "locate", "read_cameras", "triangulate"]
