"""Metres: cameras and their lenses, positions of hands in front of one camera, points seen by several."""

from knuckle.space.camera import Camera
from knuckle.space.choose import CameraChoice
from knuckle.space.lens_files import read_cameras
from knuckle.space.position import Locator, locate

__all__ = ["Camera", "CameraChoice", "Locator", "locate", "read_cameras"]
