"""Which camera took an image: what users write for it, and what a photo's EXIF data say."""

from __future__ import annotations

import math
import os
from functools import cache
from typing import Any

from knuckle.errors import InputError, SourceError
from knuckle.media.photo_files import open_pillow
from knuckle.space.camera import DEFAULT_FOV_DEG, Camera, intrinsics
from knuckle.space.lens_files import read_cameras

FILM_DIAGONAL_MM = math.hypot(36, 24)  # of 35 mm film, which CIPA DC-008 compares diagonals with
EXIF_BLOCK = 0x8769
FOCAL_LENGTH, FOCAL_LENGTH_35MM = 0x920A, 0xA405
PLANE_X_RESOLUTION, PLANE_RESOLUTION_UNIT, PIXELS_WIDE = 0xA20E, 0xA210, 0xA002
UNIT_MM = {2: 25.4, 3: 10.0, 4: 1.0, 5: 0.001}
FORMS = "a file, FILE#NAME of a camera in it, fov, fov:DEGREES or exif"


class CameraChoice:
    """The camera of each image of a run, from what the user wrote.

    Args:
        given: a `Camera`; a file of cameras, with "#name" at its end if it holds several; "fov:60", a field of view in
            degrees along the longer side; "fov", an assumed one of `DEFAULT_FOV_DEG`; or "exif", the focal length that
            each photo states.

    Raises:
        InputError: it is none of these, or the file holds several cameras and no name is given.
        SourceError: the file cannot be read.
    """

    def __init__(self, given: Camera | str | os.PathLike[str]) -> None:
        self.fov_deg: float | None = None
        self.camera: Camera | None = None
        self.exif = given == "exif"
        self.assumed = given == "fov"
        if isinstance(given, Camera):
            self.camera = given
        elif not isinstance(given, (str, os.PathLike)):
            raise InputError(f"a camera is {FORMS}; got {type(given).__name__}")
        elif self.assumed:
            self.fov_deg = DEFAULT_FOV_DEG
        elif (text := os.fspath(given)).startswith("fov:"):
            try:
                self.fov_deg = float(text[4:])
            except ValueError as error:
                raise InputError(f"{text}: the field of view must be a number of degrees, such as fov:60") from error
            Camera.from_fov((2, 2), self.fov_deg)  # fails here if it is out of range
        elif not self.exif:
            self.camera = _one_of(text)

    def of(self, size: tuple[int, int], source: str = "") -> Camera:
        """The camera of an image of (width, height) pixels.

        Args:
            size: of the image, pixels.
            source: its file, which "exif" reads.

        Raises:
            InputError: the calibration is for images of another shape.
            SourceError: the photo states no focal length.
        """
        if self.camera is not None:
            return self.camera.at_size(*size)
        if self.exif:
            return camera_of_photo(source, size)
        camera = Camera.from_fov(size, self.fov_deg or DEFAULT_FOV_DEG)
        if self.assumed:
            object.__setattr__(camera, "about", f"assumed {camera.about}; distances are as uncertain as that")
        return camera


def _one_of(text: str) -> Camera:
    path, _, name = (text, "", "") if os.path.exists(text) else text.partition("#")
    cameras = read_cameras(path)
    if name and name not in cameras:
        raise InputError(f"{path} holds no camera {name}; it holds {', '.join(cameras)}")
    if not name and len(cameras) > 1:
        raise InputError(f"{path} holds several cameras: {', '.join(cameras)}; name one: {path}#{next(iter(cameras))}")
    return cameras[name or next(iter(cameras))]


@cache
def camera_of_photo(path: str, size: tuple[int, int]) -> Camera:
    """The camera of a photo, from the focal length in its EXIF data; without distortion.

    Either the focal length as on 35 mm film, which is an equal diagonal field of view (CIPA DC-008, tag 0xA405), or
    the focal length in millimetres with the resolution of the sensor.

    Args:
        path: the photo's file.
        size: (width, height) of the image that was read from it, pixels.

    Raises:
        SourceError: the file is no photo or states no focal length.
    """
    instead = "give --camera fov:DEGREES or a calibration instead"
    if not os.path.isfile(path):
        raise SourceError(f"{path or 'the image'}: only photo files have EXIF data; {instead}")
    try:
        with open_pillow(path, path) as opened:
            exif = opened.getexif().get_ifd(EXIF_BLOCK)
    except SourceError as error:
        raise SourceError(f"{path} is no photo, so it has no EXIF data; {instead}") from error
    film_mm, focal_mm = _number(exif.get(FOCAL_LENGTH_35MM)), _number(exif.get(FOCAL_LENGTH))
    if film_mm > 0:
        focal_px, about = math.hypot(*size) * film_mm / FILM_DIAGONAL_MM, f"{film_mm:g} mm on 35 mm film (EXIF)"
        return Camera(intrinsics(size, focal_px), size, about=about)
    unit_mm = UNIT_MM.get(int(_number(exif.get(PLANE_RESOLUTION_UNIT)) or 2), 25.4)
    per_mm, wide = _number(exif.get(PLANE_X_RESOLUTION)) / unit_mm, _number(exif.get(PIXELS_WIDE)) or max(size)
    if focal_mm > 0 and per_mm > 0:
        focal_px = focal_mm * per_mm * max(size) / max(wide, _number(exif.get(PIXELS_WIDE + 1)))
        return Camera(intrinsics(size, focal_px), size, about=f"{focal_mm:g} mm on this sensor (EXIF)")
    raise SourceError(f"{path} states no focal length that gives a field of view; {instead}")


def _number(value: Any) -> float:
    """A number of EXIF data; 0 where there is none or it is damaged."""
    try:
        number = float(value)
    except (TypeError, ValueError, ZeroDivisionError):
        return 0.0
    return number if math.isfinite(number) else 0.0
