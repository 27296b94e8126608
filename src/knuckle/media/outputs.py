"""`Outputs`: the files that one run writes, for one source or for many."""

from __future__ import annotations

import os
from pathlib import Path

from knuckle.errors import InputError
from knuckle.media.output_names import STDOUT, OutputNames, is_folder
from knuckle.media.reader import Reader
from knuckle.media.sinks import data_sink
from knuckle.media.write_common import OutputOptions, Results, Sink
from knuckle.media.write_images import STILL_OUTPUTS, ImageSink
from knuckle.media.write_tables import JsonlStream
from knuckle.media.write_video import Origin, VideoSink
from knuckle.results import Frame


class Outputs:
    """Opens the files for each source of a run. Leave the `with` block to finish the data file that sources share.

    Args:
        out: annotated video or image, or a folder for them; None for none. A name that ends with a slash is a folder.
        save: data file, which all sources share, or a folder for one file per source, or "-" for standard output;
            None for none.
        options: how pictures are written, and whether files are replaced.
        palms: the results are palms and not hands.
        many: there are several sources, so `out` must be a folder.

    Raises:
        InputError: `out` is "-", or one file for several sources.
    """

    def __init__(
        self,
        out: str | None,
        save: str | None,
        options: OutputOptions | None = None,
        *,
        palms: bool = False,
        many: bool = False,
    ) -> None:
        if out == STDOUT:
            raise InputError("--out - is not possible: pictures and video need a file; --save - streams JSON lines")
        if out is not None and many and not is_folder(out):
            raise InputError(f"--out must be a folder for several sources, got {out}; end its name with a slash")
        self.out, self.save, self.palms = out, save, palms
        self.options = options or OutputOptions()
        self.names = OutputNames(self.options.overwrite)
        self._shared: Sink | None = None

    def open(self, reader: Reader) -> list[Sink]:
        """Open the output files of one source; the data file first.

        Raises:
            InputError: a path does not suit the source, would overwrite it, or exists and must not be replaced.
            SinkError: a file cannot be written.
        """
        pictures = None if self.out is None else self._pictures(reader, self.out)
        try:
            data = [] if self.save is None else [self._data(reader, self.save)]
        except BaseException:
            if pictures:
                pictures.close()
            raise
        return data + ([pictures] if pictures else [])

    def _data(self, reader: Reader, save: str) -> Sink:
        if save != STDOUT and is_folder(save):
            path = self.names.in_folder(Path(save), reader.name, "_hands.parquet")
            return data_sink(path, self.palms)
        if self._shared is None:
            if save == STDOUT:
                self._shared = JsonlStream(self.palms)
            else:
                self._shared = data_sink(self.names.claim(Path(save), reader.name), self.palms)
        return Shared(self._shared)

    def _pictures(self, reader: Reader, out: str) -> Sink:
        folder, path = is_folder(out), Path(out)
        if reader.kind == "image":
            return self._stills(reader, path, folder)
        if folder:
            path = self.names.in_folder(path, reader.name, "_hands.mp4")
        else:
            self.names.claim(path, reader.name)
        origin = Origin(reader.name, reader.start_s) if os.path.isfile(reader.name) else None
        return VideoSink(path, reader.rate, origin, self.options)

    def _stills(self, reader: Reader, path: Path, folder: bool) -> Sink:
        """The annotated photos of a source, which must not be written into the source's own folder."""
        root = Path(reader.name)
        if root.is_dir() and path.resolve().is_relative_to(root.resolve()):
            raise InputError(f"--out {path} is inside the source {root}, so the next run would read it; choose another")
        if folder:
            return ImageSink(path, self.names, root if root.is_dir() else None, self.options)
        if reader.frame_count != 1:
            raise InputError(f"--out must be a folder for several photos, got {path}; end its name with a slash")
        if path.suffix.lower() not in STILL_OUTPUTS:
            raise InputError(f"--out for a photo must be a folder or {', '.join(STILL_OUTPUTS)}, got {path}")
        return ImageSink(self.names.claim(path, reader.name), options=self.options)

    def close(self) -> None:
        """Finish the data file that the sources share."""
        if self._shared is not None:
            self._shared.close()

    @property
    def shared(self) -> Sink | None:
        """The data file that the sources share; None until one was opened."""
        return self._shared

    def __enter__(self) -> Outputs:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Shared(Sink):
    """A sink that several sources write to, one after the other. It stays open when one of them is done."""

    def __init__(self, sink: Sink) -> None:
        self.sink, self.path, self.problems = sink, sink.path, sink.problems
        self.written = False

    def write(self, frame: Frame, results: Results) -> None:
        self.written = False
        self.sink.write(frame, results)
        self.written = True

    def close(self) -> None:
        """Left to `Outputs.close`."""
