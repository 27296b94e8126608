"""From what the user names to items: files, folders, globs, lists, tables, tar files and addresses."""

from __future__ import annotations

import csv
import hashlib
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path, PurePosixPath
from typing import Any

from knuckle.batch import remote
from knuckle.batch.items import Item
from knuckle.errors import InputError, SourceError
from knuckle.extras import required
from knuckle.media.find import Source, find_sources, natural
from knuckle.media.kinds import IMAGE_SUFFIXES, VIDEO_SUFFIXES
from knuckle.media.names import readable

PHOTOS_PER_ITEM = 500
TABLES = (".csv", ".tsv", ".parquet")
TARS = (".tar", ".tar.gz", ".tgz")
BRACES = re.compile(r"\{(\d+)\.\.(\d+)\}")  # shard-{0000..0099}.tar, as WebDataset writes it


@dataclass
class Found:
    """What the sources hold.

    Attributes:
        items: all items; those of kind "bad" say why.
        done_photos: photos that are left out because they are done.
        notes: one line each for what was passed over.
    """

    items: list[Item] = field(default_factory=list)
    done_photos: set[str] = field(default_factory=set)
    notes: list[str] = field(default_factory=list)


def find_items(
    sources: Iterable[str], column: str | None = None, recursive: bool = False, done_photos: Iterable[str] = ()
) -> Found:
    """The items that sources stand for, each once.

    Args:
        sources: files, folders, globs, list files, tables, tar files and addresses.
        column: the column of Parquet and CSV tables that names the sources.
        recursive: also search the folders inside of a folder.
        done_photos: photos that need not be done again.

    Raises:
        InputError: a table without that column.
        MissingExtraError: a table or an address needs a package that is not installed.
    """
    found, seen, done = Found(), set[str](), set(done_photos)
    for text in sources:
        for one in _unbraced(os.path.expanduser(text)):
            for item in _items_of(one, column, recursive, found.notes):
                found.done_photos |= done.intersection(item.files)
                for piece in _without_photos(item, done) if item.kind == "photos" else [item]:
                    if piece.key not in seen:
                        seen.add(piece.key)
                        found.items.append(piece)
    return found


def _unbraced(text: str) -> Iterator[str]:
    """A name with ranges such as `{00..11}` as the names that it stands for."""
    if os.path.lexists(text):
        yield text
        return
    pieces = BRACES.split(text)
    fixed, ranges = pieces[::3], list(zip(pieces[1::3], pieces[2::3], strict=True))
    numbers = [[f"{n:0{len(first)}}" for n in range(int(first), int(last) + 1)] for first, last in ranges]
    for chosen in product(*numbers):
        yield fixed[0] + "".join(number + rest for number, rest in zip(chosen, fixed[1:], strict=True))


def _items_of(text: str, column: str | None, recursive: bool, notes: list[str]) -> Iterator[Item]:
    if text.lower().endswith(TABLES):
        for entry in _entries(text, column):
            yield from _items_of(entry, None, recursive, notes)
        return
    if remote.is_remote(text):
        yield from _remote_items(text, recursive)
        return
    tars = sorted(Path(text).glob("**/*.tar*" if recursive else "*.tar*"), key=natural) if os.path.isdir(text) else []
    tars = [path for path in tars if path.name.lower().endswith(TARS)]
    for source in find_sources(text, recursive=recursive):
        if source.problem is not None and tars and source.name == text:
            continue  # the folder holds nothing but tar files
        notes += [readable(note) for note in source.notes if not tars]
        yield from _local_items(source, recursive)
    yield from (tar_item(str(path)) for path in tars)


def _local_items(source: Source, recursive: bool) -> Iterator[Item]:
    """The items of what `find_sources` found."""
    if source.problem is not None:
        yield Item(f"bad:{source.name}", source.name, "bad", problem=str(source.problem))
    elif source.kind == "camera":
        yield Item(f"bad:{source.name}", source.name, "bad", problem=f"camera {source.name} has no end")
    elif source.kind == "photos":
        folder = os.path.abspath(source.root or Path(source.name).parent)
        yield Item(folder, folder, "photos", tuple(os.path.abspath(path) for path in source.files))
    elif source.kind == "address" and remote.is_remote(source.name):
        yield from _remote_items(source.name, recursive)
    elif source.kind == "address":
        yield Item(source.name, source.name)
    elif source.name.lower().endswith(TARS):
        yield tar_item(source.name)
    else:
        path = os.path.abspath(source.name)
        yield Item(path, path)


def _remote_items(address: str, recursive: bool) -> Iterator[Item]:
    """The items of an address that fsspec opens: a file, a folder or a glob."""
    try:
        files = remote.files_at(address, recursive)
    except SourceError as error:
        yield Item(f"bad:{address}", address, "bad", problem=str(error))
        return
    photos = []
    for file in files:
        suffix = PurePosixPath(file).suffix.lower()
        if file.lower().endswith(TARS):
            yield tar_item(file)
        elif suffix in (".txt", ".lst") and file == address:
            for line in remote.read_bytes(file).decode("utf-8", "surrogateescape").splitlines():
                if line.strip() and not line.startswith("#"):
                    yield from _items_of(line.strip(), None, recursive, [])
        elif suffix in IMAGE_SUFFIXES:
            photos.append(file)
        elif suffix in VIDEO_SUFFIXES or file == address:
            yield Item(file, file)
    if photos:
        yield Item(address, address, "photos", tuple(photos))


def tar_item(path: str) -> Item:
    """A tar file of photos and videos."""
    path = path if "://" in path else os.path.abspath(path)
    return Item(path, path, "tar")


def _without_photos(item: Item, done: set[str]) -> Iterator[Item]:
    """The photos that are still to be done, in groups. The key of a group depends on its files alone."""
    files = [file for file in item.files if file not in done]
    for first in range(0, len(files), PHOTOS_PER_ITEM):
        group = tuple(files[first : first + PHOTOS_PER_ITEM])
        digest = hashlib.sha256("\0".join(group).encode("utf-8", "surrogatepass")).hexdigest()[:16]
        yield Item(f"{item.source}#{len(group)} photos {digest}", item.source, "photos", group)


def _entries(table: str, column: str | None) -> Sequence[str]:
    """The sources that a column of a Parquet or CSV table names; relative paths start at the table, or here."""
    data = remote.open_file(table)
    with data as file:
        if table.lower().endswith(".parquet"):
            parquet = required("pyarrow.parquet", "parquet", "Parquet files")
            names = parquet.ParquetFile(file).schema_arrow.names
            values = parquet.read_table(file, columns=[column]).column(0).to_pylist() if column in names else []
        else:
            text = file.read().decode("utf-8-sig", "surrogateescape").splitlines()
            rows = csv.DictReader(text, delimiter="\t" if table.lower().endswith(".tsv") else ",")
            names = list(rows.fieldnames or ())
            values = [row[column] for row in rows] if column in names else []
    if column not in names:
        wanted = f"no column {column!r}" if column else "no column named with --column (in Python column=)"
        raise InputError(f"{table} is read as a table of sources, and there is {wanted}; it has {', '.join(names)}")
    folder = "" if "://" in table else os.path.dirname(table)
    entries = [str(value) for value in values if value]
    beside = [os.path.join(folder, one) if "://" not in one else "" for one in entries]
    return [near if os.path.lexists(near) else one for one, near in zip(entries, beside, strict=True)]


def check_sources(sources: Any) -> list[str]:
    """The sources as a list of texts.

    Raises:
        InputError: they are something else.
    """
    given = [sources] if isinstance(sources, (str, bytes, os.PathLike)) else list(sources)
    if not given or not all(isinstance(one, (str, bytes, os.PathLike)) and os.fspath(one) for one in given):
        raise InputError(f"sources are files, folders, globs, tables or addresses, got {sources!r}")
    return [os.fsdecode(one) for one in given]
