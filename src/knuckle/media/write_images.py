"""Still images of the frames: one file, or a folder with one file per frame."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from knuckle.errors import Error, InputError, SinkError
from knuckle.images import Image
from knuckle.media.fit import fit
from knuckle.media.output_names import OutputNames
from knuckle.media.write_common import OutputOptions, PartFile, Results, Sink, exists_already, writing
from knuckle.results import Frame

STILL_OUTPUTS = (".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".bmp", ".gif")
JPEG_QUALITY = 95
# Pillow's arguments, by the name of its format. Colour at full resolution keeps thin coloured lines clean.
ENCODERS: dict[str, dict[str, Any]] = {
    "JPEG": {"quality": JPEG_QUALITY, "subsampling": 0},
    "WEBP": {"quality": JPEG_QUALITY},
}


class ImageSink(Sink):
    """Writes the image of each frame, with what was drawn on it.

    Args:
        path: an image file for a single photo; otherwise a folder, where `photo.png` becomes `photo_hands.jpg`.
        names: the names that are free in the folder; None for a single file.
        root: the folder of the source; its subfolders are kept.
        options: size, format of the files in a folder, and whether files may be replaced.

    Raises:
        SinkError: the folder cannot be created.
    """

    def __init__(
        self,
        path: Path,
        names: OutputNames | None = None,
        root: Path | None = None,
        options: OutputOptions | None = None,
    ) -> None:
        self.path, self.names, self.root, self.options = path, names, root, options or OutputOptions()
        self.written = False
        self.problems: list[Error] = []
        self.files: list[Path] = []
        with writing(path):
            (path.parent if names is None else path).mkdir(parents=True, exist_ok=True)

    def write(self, frame: Frame, results: Results) -> None:
        target = self.path
        if self.names is not None:
            try:
                ending = f"_hands.{self.options.stills}"
                target = self.names.in_folder(self.path, frame.source or "image", ending, self.root)
            except InputError as error:  # the other photos of the folder are still written
                self.problems.append(error)
                return
        elif self.files:
            raise exists_already(target)
        save_image(fit(frame.image, self.options.size), target)
        self.files.append(target)

    def close(self) -> None:
        """Nothing is open between frames. If the folder got a single image, `path` becomes its name."""
        self.written = bool(self.files)
        if len(self.files) == 1:
            self.path = self.files[0]


def save_image(image: Image, target: Path) -> None:
    """Write an RGB uint8 (height, width, 3) image in the format of the suffix.

    Raises:
        SinkError: the file cannot be written, or the format cannot hold the image. No file appears then.
    """
    from PIL import Image as pillow

    form = pillow.registered_extensions()[target.suffix.lower()]
    file = PartFile(target)
    try:
        with writing(target):
            pillow.fromarray(image).save(file.part, form, **ENCODERS.get(form, {}))
    except ValueError as error:  # such as a side that the format cannot hold
        raise SinkError(f"{target} cannot be written: {error}") from error
    else:
        file.keep()
    finally:
        file.discard()
