"""Which photos train, which choose between networks, and which decide: by source and capture, in one file.

A photo of part `train` may be trained on. One of part `choose` may be looked at as often as one likes, to tune a recipe
or to pick a stage. One of part `decide` belongs to a source that is never trained on and on which nothing is chosen, so
figures on it hold for people and rooms that are new. `recipes/splits.json` is such a file.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from knuckle.errors import InputError, SourceError

Part = Literal["train", "choose", "decide"]
JOINED = " + "  # between the sources of a composed picture


@dataclass(frozen=True)
class Splits:
    """The content of a file of splits.

    Attributes:
        path: of the file.
        sources: source of photos -> part.
        clips: name of a clip, without its suffix -> part.
        captures: source of part `train` -> those of its captures (see `capture_of`) that are of part `choose`.
        thirds: sources of part `train` of whose captures every third is of part `choose`, by the hash of its name.
    """

    path: Path
    sources: Mapping[str, Part]
    clips: Mapping[str, Part]
    captures: Mapping[str, tuple[str, ...]]
    thirds: tuple[str, ...]

    def part_of(self, source: str, capture: str = "") -> Part:
        """The part of a photo; for a composed one the strictest part of its sources.

        Args:
            source: as rows of labels name it, "a + b" for composed photos.
            capture: of the photo, as `capture_of` gives it. Anything else says nothing.

        Raises:
            InputError: the file does not name the source.
        """
        parts = []
        for name in source.split(JOINED):
            if name not in self.sources:
                raise InputError(f"{self.path} does not say whether {name!r} trains, chooses or decides; add it there")
            part = self.sources[name]
            if capture.startswith(f"{name} "):
                third = name in self.thirds and zlib.crc32(capture.encode()) % 3 == 0
                if third or capture.removeprefix(f"{name} ") in self.captures.get(name, ()):
                    part = "choose"
            parts.append(part)
        return max(parts, key=get_args(Part).index)

    def refuse(self, shown: Iterable[tuple[str, str]], allowed: tuple[Part, ...], use: str) -> None:
        """Make sure that photos may be used.

        Args:
            shown: (source, capture) of each photo; those without a source are renders or users' own, and pass.
            allowed: the parts that may be used.
            use: what for, for the message.

        Raises:
            InputError: a photo is of another part, or its source is not in the file.
        """
        for source, capture in dict.fromkeys(shown):
            if source and (part := self.part_of(source, capture)) not in allowed:
                raise InputError(f"{source}: {use} is not allowed, since {self.path} has it in part {part!r}")


def read_splits(path: Path) -> Splits:
    """Read a file of splits.

    Raises:
        SourceError: it does not exist.
        InputError: it is not a file of splits.
    """
    try:
        text = json.loads(path.read_text())
        sources, clips = dict(text["sources"]), dict(text["clips"])
        captures = {name: tuple(map(str, chosen)) for name, chosen in text["captures_that_choose"].items()}
        thirds = tuple(text["every_third_capture_chooses"])
    except FileNotFoundError as error:
        raise SourceError(f"there is no file {path}") from error
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{path} is not a file of splits: {error!r}") from error
    for name, part in {**sources, **clips}.items():
        if part not in get_args(Part):
            raise InputError(f"{path}: {name} must be one of {', '.join(get_args(Part))}, got {part!r}")
    for name in (*captures, *thirds):
        if sources.get(name) != "train":
            raise InputError(f"{path}: captures of {name} are divided, so its part must be 'train'")
    return Splits(path, sources, clips, captures, thirds)


def capture_of(row: Mapping[str, Any]) -> str:
    """What photos of one capture share: a part of the name (subhih), the size (asl_letters), or nothing.

    Args:
        row: of an index of photos: `image`, `source`, `width` and `height`.
    """
    name = Path(row["image"]).stem
    if row["source"] == "subhih":
        return f"subhih {name.rpartition('pic')[0].rstrip('_')}"
    size = f"{row.get('width')}x{row.get('height')}"
    return f"{row['source']} {size if row['source'] == 'asl_letters' else name}"
