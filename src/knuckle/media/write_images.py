"""Image files of the frames: one file, or a folder with one JPEG per frame."""

from __future__ import annotations

from pathlib import Path

from knuckle.errors import SinkError
from knuckle.media.write_common import Results, Sink, writing
from knuckle.results import Frame


class ImageSink(Sink):
    """Writes the image of each frame, with what was drawn on it.

    Args:
        path: an image file for a single photo; otherwise a folder, where `photo.png` becomes `photo_hands.jpg`.
        root: the folder of the source. Its subfolders are kept.
    """

    def __init__(self, path: Path, root: Path | None = None) -> None:
        self.path, self.root = path, root
        self.one_file = bool(path.suffix) and not path.is_dir()
        self.written: set[Path] = set()
        with writing(path):
            (path.parent if self.one_file else path).mkdir(parents=True, exist_ok=True)

    def write(self, frame: Frame, results: Results) -> None:
        from PIL import Image as pillow

        target = self.path if self.one_file else self.path / self._name(frame)
        with writing(target):
            target.parent.mkdir(parents=True, exist_ok=True)
            try:
                pillow.fromarray(frame.image).save(target, quality=92)
            except ValueError as error:  # a suffix that Pillow does not know
                raise SinkError(f"{target} cannot be written: {error}") from error

    def _name(self, frame: Frame) -> Path:
        """The file below `path`; different for `a.jpg` and `a.png` of one folder."""
        source = Path(frame.source or "image")
        folder = Path()
        if self.root is not None and source.is_relative_to(self.root):
            folder = source.parent.relative_to(self.root)
        name = folder / f"{source.stem}_hands.jpg"
        if name in self.written:
            name = folder / f"{source.name.replace('.', '_')}_hands.jpg"
        self.written.add(name)
        return name

    def close(self) -> None:
        """Nothing is open between frames. If the folder got a single image, `path` becomes its name."""
        if len(self.written) == 1:
            self.path = self.path / self.written.pop()
