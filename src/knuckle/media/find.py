"""`find_sources`: files, folders, globs, lists and addresses become single sources, which `knuckle.read` opens."""

from __future__ import annotations

import glob
import os
import re
import reprlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from knuckle.errors import Error, SourceError
from knuckle.media.cameras import read_camera
from knuckle.media.clips import read_clip
from knuckle.media.kinds import is_hidden, kind_of
from knuckle.media.photo_files import is_animation
from knuckle.media.photos import read_animation, read_photos
from knuckle.media.reader import Reader
from knuckle.media.web import read_address

PATH = (str, bytes, os.PathLike)
LIST_SUFFIXES = {".txt", ".lst"}
NAMES_IN_NOTE = 20  # files that are passed over and named one by one
VIDEO_DEVICE = re.compile(r"/dev/video(\d+)")


@dataclass(frozen=True)
class Source:
    """One source: the photos of a folder, one clip, one camera or one address. `knuckle.read` opens it.

    Attributes:
        name: the file, folder, glob, address, or number of a camera.
        kind: "photos", "clip", "animation", "address", "camera", or "bad", which cannot be opened.
        files: the files of "photos", "clip" and "animation".
        root: the folder that was given, or the one that all loose files share; outputs keep the subfolders below it.
        problem: why it cannot be opened; None unless `kind` is "bad".
        notes: what was passed over beside it, one line each.
    """

    name: str
    kind: str
    files: tuple[Path, ...] = ()
    root: Path | None = None
    problem: Error | None = None
    notes: tuple[str, ...] = ()

    def open(self, live: bool | None = None) -> Reader:
        """Open the source.

        Args:
            live: see `knuckle.read`.

        Raises:
            SourceError: it does not exist or cannot be read.
        """
        if self.problem is not None:
            raise self.problem
        if self.kind == "camera":
            reader = read_camera(int(self.name), live)
        elif self.kind == "address":
            reader = read_address(self.name, live)
        elif self.kind == "photos":
            reader = read_photos(self.name, self.files)
        elif self.kind == "animation":
            reader = read_animation(self.name, lambda: self.name)
        else:
            reader = read_clip(self.name, live)
        reader.root = self.root
        reader.notes[:0] = self.notes
        return reader


def find_sources(given: Any, *, recursive: bool = False) -> list[Source]:
    """The sources that files, folders, globs, lists, addresses and camera numbers stand for, in that order.

    The photos of a folder are one source, and so are all photos that are given by name or glob; each clip is one. Files
    come in natural order (1, 2, 10). Hidden files are passed over. What does not exist becomes a source of kind "bad",
    whose `open` raises the error, so that the others can be used.

    Args:
        given: one of them, or a list. A list file (.txt) has one per line, relative to itself or to the working folder.
        recursive: also search the folders inside of a folder.

    Raises:
        SourceError: something that is neither text, nor path, nor number.
    """
    items = list(given) if isinstance(given, Iterable) and not isinstance(given, PATH) else [given]
    finder = _Finder(recursive)
    for item in items:
        finder.add(item)
    return finder.sources(os.fsdecode(items[0]) if len(items) == 1 and isinstance(items[0], PATH) else None)


def natural(path: Path) -> Any:
    """A sort key that puts 2.jpg before 10.jpg, folder by folder."""
    parts = [
        [(0, int(run), "") if run.isdecimal() else (1, 0, run.casefold()) for run in re.split(r"(\d+)", part) if run]
        for part in path.parts
    ]
    return parts, str(path)


def media_kind(path: Path) -> str:
    """ "photo", "animation", "clip" or "other"."""
    kind = kind_of(path)
    if kind == "photo or animation":
        return "animation" if is_animation(path) else "photo"
    return kind


def passed_over(paths: Sequence[Path]) -> str:
    """A note that names files which are neither photos nor clips."""
    names = ", ".join(path.name for path in paths[:NAMES_IN_NOTE])
    more = f" and {len(paths) - NAMES_IN_NOTE} more" if len(paths) > NAMES_IN_NOTE else ""
    what = "a file that is" if len(paths) == 1 else f"{len(paths)} files that are"
    return f"passed over {what} neither photo nor clip: {names}{more}"


def bad(name: str, reason: str) -> Source:
    """A source that cannot be opened."""
    return Source(name, "bad", problem=SourceError(reason))


@dataclass
class _Finder:
    """Collects sources. Files given by name, glob or list are loose; their photos become one source at the end."""

    recursive: bool
    found: list[Source] = field(default_factory=list)
    loose: list[Source] = field(default_factory=list)  # those of `found` that are loose files, one source each
    seen: set[str] = field(default_factory=set)  # absolute paths: no file is read twice
    others: list[Path] = field(default_factory=list)  # loose files that are neither photo nor clip

    def add(self, item: Any) -> None:
        """A file, folder, glob, list, address or camera number."""
        if isinstance(item, int) and not isinstance(item, bool):
            self.found.append(Source(str(item), "camera"))
            return
        if not isinstance(item, PATH) or not os.fspath(item):
            fix = "; pass images to knuckle.detect, or to the tracker one by one" if hasattr(item, "shape") else ""
            got = f"{reprlib.repr(item)}{fix}"
            raise SourceError(f"a source is a file, folder, glob, camera number, address or image, got {got}")
        text = os.fsdecode(item)
        device = VIDEO_DEVICE.fullmatch(text)
        if text.startswith("file://"):
            self.add_path(unquote(urlsplit(text).path))
        elif "://" in text:
            self.found.append(Source(text, "address"))
        elif device or (isinstance(item, str) and text.isdecimal() and not os.path.lexists(text)):
            self.found.append(Source(device[1] if device else text, "camera"))
        else:
            self.add_path(text if os.path.lexists(text) else os.path.expanduser(text))

    def add_path(self, text: str) -> None:
        """A folder, list file, file or glob, whichever it is."""
        path = Path(text)
        if os.path.isdir(path):  # the methods of Path raise where the name is too long
            self.add_folder(text)
        elif path.suffix.lower() in LIST_SUFFIXES and os.path.isfile(path):
            self.add_list(path)
        elif os.path.lexists(text):
            self.add_file(path, named=True)
        else:
            self.add_glob(text)

    def add_file(self, path: Path, named: bool) -> None:
        """A loose file. Without a known kind, one given by name is tried as a clip, and one from a glob passed over."""
        if not self.is_new(path):
            return
        kind = media_kind(path)
        if kind == "other" and (not named or is_hidden(path.name)):
            self.others.append(path)
            return
        source = Source(str(path), {"photo": "photos", "animation": "animation"}.get(kind, "clip"), (path,))
        self.loose.append(source)
        self.found.append(source)

    def is_new(self, path: Path) -> bool:
        """Whether this file has not been seen yet."""
        count = len(self.seen)
        self.seen.add(os.path.abspath(path))
        return len(self.seen) > count

    def add_glob(self, text: str) -> None:
        """The files and folders that match; a pattern with `**` lists the files inside of folders by itself."""
        matches = sorted((Path(match) for match in glob.glob(text, recursive=True)), key=natural)
        if not matches:
            what = "no file matches" if glob.has_magic(text) else "there is no file or folder"
            self.found.append(bad(text, f"{what} {text}"))
        for match in matches:
            if not match.is_dir():
                self.add_file(match, named=False)
            elif "**" not in text:
                self.add_folder(str(match))

    def add_list(self, path: Path) -> None:
        """The entries of a list file: one per line, `#` begins a comment."""
        try:
            content = path.read_bytes()
        except OSError as error:
            self.found.append(bad(str(path), f"the list {path} cannot be read: {error.strerror}"))
            return
        if content.startswith((b"\xff\xfe", b"\xfe\xff")):  # as PowerShell writes it
            content = content.decode("utf-16", "replace").encode()
        lines = [os.fsdecode(line.strip()) for line in content.removeprefix(b"\xef\xbb\xbf").splitlines()]
        entries = [line for line in lines if line and not line.startswith("#") and "\0" not in line]
        if not entries:
            self.found.append(bad(str(path), f"{path} is no list of sources: one file, folder or address per line"))
        for entry in entries:
            beside = os.path.join(path.parent, entry)
            if Path(entry).suffix.lower() in LIST_SUFFIXES:
                self.found.append(bad(entry, f"{path} names {entry}; a list cannot hold lists"))
                continue
            before = len(self.found)
            self.add(beside if os.path.lexists(beside) or glob.glob(beside) else entry)
            for number, source in enumerate(self.found[before:], before):
                if source.problem is not None:
                    self.found[number] = bad(source.name, f"{source.problem} (named in {path})")

    def add_folder(self, text: str) -> None:
        """The photos of a folder as one source, and each of its clips."""
        folder, before = Path(text), len(self.found)
        files, inside = self.files_in(folder)
        kinds = [(path, media_kind(path)) for path in sorted(files, key=natural) if self.is_new(path)]
        photos = tuple(path for path, kind in kinds if kind == "photo")
        sources = [Source(text, "photos", photos, folder)] if photos else []
        sources += [Source(str(path), kind, (path,), folder) for path, kind in kinds if kind in ("clip", "animation")]
        notes = []
        if others := [path for path, kind in kinds if kind == "other"]:
            notes.append(passed_over(others))
        if inside:
            which = f"the folder {inside[0]}" if len(inside) == 1 else f"{len(inside)} folders"
            notes.append(f"passed over {which} inside of {text}: use --recursive, in Python recursive=True")
        if sources:
            sources[0] = replace(sources[0], notes=tuple(notes))
        elif len(self.found) == before:
            sources = [bad(text, "; ".join([f"folder {text} holds no photos or clips", *notes]))]
        self.found += sources

    def files_in(self, folder: Path) -> tuple[list[Path], list[str]]:
        """The files that are not hidden, and the folders that are passed over. No folder is entered twice."""
        files, entered = list[Path](), set[str]()

        def unreadable(error: OSError) -> None:
            name = os.fsdecode(error.filename or folder)
            self.found.append(bad(name, f"folder {name} cannot be read: {error.strerror}"))

        for place, inside, names in os.walk(folder, onerror=unreadable, followlinks=True):
            real = os.path.realpath(place)
            if real in entered:
                inside.clear()
                continue
            entered.add(real)
            inside[:] = sorted(name for name in inside if not is_hidden(name))
            files += [Path(place, name) for name in names if not is_hidden(name)]
            if not self.recursive:
                return files, inside
        return files, []

    def sources(self, only: str | None) -> list[Source]:
        """All sources. The loose photos are one, at the place of the first; `only` is the one thing that was given."""
        places = [os.path.dirname(os.path.abspath(source.name)) for source in self.loose]
        root = Path(os.path.commonpath(places)) if places else None
        photos = [source for source in self.loose if source.kind == "photos"]
        together = photos[0] if photos else None
        if len(photos) > 1:
            name = only or f"{photos[0].name} and {len(photos) - 1} more"
            together = Source(name, "photos", tuple(source.files[0] for source in photos))
        ids = {id(source) for source in self.loose}
        result = list[Source]()
        for source in self.found:
            if id(source) not in ids:
                result.append(source)
            elif source.kind != "photos":
                result.append(replace(source, root=root))
            elif together is not None and source is photos[0]:
                result.append(replace(together, root=root))
        if self.others and result:
            result[0] = replace(result[0], notes=(*result[0].notes, passed_over(self.others)))
        elif self.others:
            result = [bad(only or self.others[0].name, passed_over(self.others))]
        return result
