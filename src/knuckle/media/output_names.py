"""Which files a run may write: names that do not collide, nothing overwritten, never a source."""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import chain, count
from pathlib import Path
from urllib.parse import unquote, urlsplit

from knuckle.errors import InputError
from knuckle.media.write_common import exists_already

STDOUT = "-"


class OutputNames:
    """The output files of one run. A name is given once, so files of several sources never collide.

    Args:
        overwrite: replace files that exist.
    """

    def __init__(self, overwrite: bool = False) -> None:
        self.overwrite = overwrite
        self._taken: dict[str, str] = {}  # each name that was given, and its source

    def in_folder(self, folder: Path, source: str, ending: str, root: Path | None = None) -> Path:
        """A free name in an output folder: `clip_hands.mp4` for `clip.mov`.

        A second source of the same name becomes `clip_mov_hands.mp4`, further ones `clip_2_hands.mp4` and so on. The
        second page of `scan.tiff` is `scan_2_hands.jpg`.

        Args:
            folder: the output folder.
            source: the source's path or address.
            ending: what follows the source's name, such as `_hands.mp4`.
            root: the folder that was given as the source; subfolders below it are kept below `folder`.

        Raises:
            InputError: the file exists and must not be replaced, or it is the source itself.
        """
        return self.claim(next(self._candidates(folder, source, ending, root)), source)

    def free(self, folder: Path, source: str, ending: str) -> Path:
        """The first such name that no file has, for files that must never replace another one."""
        return self.claim(next(path for path in self._candidates(folder, source, ending) if not path.exists()), source)

    def _candidates(self, folder: Path, source: str, ending: str, root: Path | None = None) -> Iterator[Path]:
        """Names that this run has not given yet."""
        parent = Path(source).resolve().parent
        if root is not None and parent.is_relative_to(root.resolve()):
            folder = folder / parent.relative_to(root.resolve())
        name = stem(source)
        suffix = Path(source).suffix.lstrip(".")
        names = [name, f"{name}_{suffix}"] if suffix.isalnum() else [name]
        # Pages of one source keep its name, so that their numbers are those of the pages.
        givers = {own: self._taken.get(self._key(folder / f"{own}{ending}"), source) for own in names}
        base = next((own for own, giver in givers.items() if giver == source), name)
        candidates = chain([base], (f"{base}_{number}" for number in count(2)))
        paths = (folder / f"{candidate}{ending}" for candidate in candidates)
        return (path for path in paths if self._key(path) not in self._taken)

    def claim(self, path: Path, source: str) -> Path:
        """Reserve a file.

        Raises:
            InputError: the file exists and must not be replaced, it is the source itself, or another source of this
                run has the same output.
        """
        if path.is_file() and os.path.exists(source) and path.samefile(source):
            raise InputError(f"{path} is the source itself; choose another file")
        if self._key(path) in self._taken:
            raise InputError(f"{path} already holds the results of another source; give a folder")
        if not self.overwrite and (path.is_file() or (path.is_dir() and any(path.iterdir()))):
            raise exists_already(path)
        self._taken[self._key(path)] = source
        return path

    @staticmethod
    def _key(path: Path) -> str:
        """File systems of Windows and macOS do not tell `A.jpg` from `a.jpg`."""
        return os.path.abspath(path).casefold()


def is_folder(text: str) -> bool:
    """Whether an output means a folder: it exists as one, ends with a slash, or has no suffix.

    Raises:
        InputError: a file without a suffix is in the way.
    """
    path = Path(text)
    if path.is_dir() or text.endswith(("/", os.sep)):
        return True
    if path.is_file() and not path.suffix:
        raise InputError(f"{path} is a file without a suffix; give a folder, or a file with a known suffix")
    return not path.suffix and not path.exists()


def stem(source: str) -> str:
    """The start of an output file's name: the source's own name, or an address reduced to safe characters."""
    if os.path.exists(source):
        return Path(source).resolve().stem
    name = Path(source).stem
    if "://" in source:
        address = urlsplit(source)  # what follows `?` is no part of a name, and may be secret
        name = Path(unquote(address.path)).stem or address.hostname or ""
    return "".join(c if c.isalnum() or c in "-_." else "_" for c in name).strip("_") or "hands"
