"""`Outputs`: the files that one run writes, for one source or for many."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from knuckle.errors import InputError
from knuckle.media.data_format import DataFormat, format_of
from knuckle.media.draw_style import DrawStyle
from knuckle.media.drawer import HandDrawer
from knuckle.media.drawn import Drawn
from knuckle.media.output_names import STDOUT, OutputNames, is_folder
from knuckle.media.reader import Reader
from knuckle.media.sinks import DATA_FORMATS
from knuckle.media.write_common import OutputOptions, Results, Sink
from knuckle.media.write_images import STILL_OUTPUTS, ImageSink
from knuckle.media.write_tables import JsonlStream, told
from knuckle.media.write_video import Origin, VideoSink
from knuckle.results import Frame


class Outputs:
    """Opens the files for each source of a run. Leave the `with` block to finish the data file that sources share.

    Args:
        out: annotated video or image, or a folder for them; None for none. A name that ends with a slash is a folder.
        save: data file, which all sources share, or a folder for one file per source, or "-" for standard output;
            None for none.
        options: how pictures are written, and whether files are replaced.
        style: what is drawn on pictures.
        palms: the results are palms and not hands.
        many: there are several sources, so `out` must be a folder.
        given: what the user gave as sources; `out` must not be inside of a folder among them.

    Raises:
        InputError: `out` is "-", one file for several sources, or inside of a source; `save` has an unknown suffix.
    """

    def __init__(
        self,
        out: str | None,
        save: str | None,
        options: OutputOptions | None = None,
        style: DrawStyle | None = None,
        *,
        palms: bool = False,
        many: bool = False,
        given: Sequence[str] = (),
    ) -> None:
        if out == STDOUT:
            raise InputError("--out - is not possible: pictures and video need a file; --save - streams JSON lines")
        if out is not None and many and not is_folder(out):
            raise InputError(f"--out must be a folder for several sources, got {out}; end its name with a slash")
        for folder in map(Path, given if out is not None else ()):
            if folder.is_dir() and Path(str(out)).resolve().is_relative_to(folder.resolve()):
                raise InputError(
                    f"--out {out} is inside the source {folder}, so the next run would read it; choose another"
                )
        self.out, self.save, self.palms = out, save, palms
        self.options, self.style = options or OutputOptions(), style
        self.formats = self.options.formats or DATA_FORMATS
        self.one_data_file = save is not None and (save == STDOUT or not is_file_per_source(save, self.formats))
        if save is not None and save != STDOUT and self.one_data_file:
            chosen = format_of(save, self.formats)  # what cannot be fails here, before a source is opened
            chosen.require_palms(palms)
            if many and "sources" not in chosen.holds:
                raise InputError(
                    f"{save} can hold one source, and there are several; give a folder for a file per source: "
                    f"--save FOLDER/ --format {chosen.name}"
                )
        self.names = OutputNames(self.options.overwrite)
        self._shared: Sink | None = None
        self._last: Shared | None = None

    def open(self, reader: Reader) -> list[Sink]:
        """Open the output files of one source; the data file first. The others draw the results on the frames.

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
        return data + ([Drawn(pictures, HandDrawer(self.style))] if pictures else [])

    def _data(self, reader: Reader, save: str) -> Sink:
        if not self.one_data_file:
            chosen = self.formats[0]
            chosen.require_kind(reader.kind, reader.name)
            path = self.names.in_folder(Path(save), reader.name, f"_hands{chosen.suffix}", reader.root)
            return self._asked(chosen.open(path, self.palms))
        if self._shared is None:
            if save == STDOUT:
                self._shared = self._asked(JsonlStream(self.palms))
            else:
                chosen = format_of(save, self.formats)
                chosen.require_kind(reader.kind, reader.name)
                self._shared = self._asked(chosen.open(self.names.claim(Path(save), reader.name), self.palms))
        self._last = Shared(self._shared)
        return self._last

    def _asked(self, sink: Sink) -> Sink:
        """The sink, told which further columns there are."""
        return told(sink, self.options.raw, self.options.metres)

    def _pictures(self, reader: Reader, out: str) -> Sink:
        folder, path = is_folder(out), Path(out)
        if reader.kind == "image":
            return self._stills(reader, path, folder)
        if folder:
            path = self.names.in_folder(path, reader.name, "_hands.mp4", reader.root)
        else:
            self.names.claim(path, reader.name)
        has_origin = os.path.isfile(reader.name) or (reader.kind == "video" and "://" in reader.name)
        origin = Origin(reader.name, reader.start_s) if has_origin else None
        return VideoSink(path, reader.rate, origin, self.options)

    def _stills(self, reader: Reader, path: Path, folder: bool) -> Sink:
        """The annotated photos of a source."""
        if folder:
            return ImageSink(path, self.names, reader.root, self.options)
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
    def is_broken(self) -> bool:
        """Whether the data file that the sources share could not be opened, or cannot take more."""
        return self.one_data_file and (self._last is None or self._last.broken)

    @property
    def lost(self) -> Path | None:
        """The data file that the sources share, if it was opened and holds nothing; after `close`."""
        return self._shared.path if self._shared is not None and not self._shared.written else None

    def __enter__(self) -> Outputs:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def is_file_per_source(save: str, formats: Sequence[DataFormat]) -> bool:
    """Whether `save` is a folder that gets a file per source, and not a file, nor of a format that is a folder."""
    folders = [one for one in formats if one.is_folder]
    if len(folders) == len(formats) or Path(save).name.lower().endswith(tuple(one.suffix for one in folders)):
        return False
    return is_folder(save)


class Shared(Sink):
    """A sink that several sources write to, one after the other. It stays open when one of them is done."""

    def __init__(self, sink: Sink) -> None:
        self.sink, self.path, self.problems = sink, sink.path, sink.problems
        self.written = self.broken = False

    def write(self, frame: Frame, results: Results) -> None:
        self.written, self.broken = False, True
        self.sink.write(frame, results)
        self.written, self.broken = True, False

    def close(self) -> None:
        """Left to `Outputs.close`."""
