"""`knuckle triangulate`."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path

import click
import numpy as np

from knuckle.errors import InputError, SourceError
from knuckle.exports.formats import FORMATS
from knuckle.media.data_format import format_of
from knuckle.media.sources import find_sources
from knuckle.media.write_points import POINT_SUFFIXES, write_points
from knuckle.models import catalogue
from knuckle.pipeline.tracker import HandTracker, load
from knuckle.results import Frame, Hand
from knuckle.space.camera import Camera
from knuckle.space.lens_files import read_cameras
from knuckle.space.rigs import RigHand, bone_lengths, median_lengths
from knuckle.space.rigs import triangulate as triangulated

Frames = list[tuple[float, Sequence[Hand]]]


@click.command()
@click.argument("views", nargs=-1, required=True, metavar="VIEW...")
@click.option("--cameras", "files", multiple=True, required=True, type=click.Path(), help="Calibrated cameras; repeat.")
@click.option("--out", required=True, type=click.Path(), help=f"Table of points: {', '.join(POINT_SUFFIXES)}.")
@click.option("--timestamps", type=click.Path(), help="CSV with cam_id and frame_time in seconds, as caliscope's.")
@click.option("--max-hands", default=2, show_default=True, help="Maximum number of hands in a view.")
@click.option("--models", default=catalogue.DEFAULT, show_default=True, help="Bundle name, folder or .task file.")
@click.option("--overwrite", is_flag=True, help="Replace an output file that exists.")
def triangulate(
    views: tuple[str, ...],
    files: tuple[str, ...],
    out: str,
    timestamps: str | None,
    max_hands: int,
    models: str,
    overwrite: bool,
) -> None:
    """Hands in metres from two or more calibrated cameras.

    VIEW is a video, or a table that `knuckle track` wrote, one for each camera. A view belongs to the camera of the
    same name, as cam_0.mp4 to cam_0; where names do not say, views and cameras are in the same order. Points are in the
    axes and units of the cameras' file, which should be metres.

    \\b
    knuckle triangulate cam_0.mp4 cam_1.mp4 --cameras config.toml --out points.parquet
    """
    target = Path(out)
    if target.suffix.lower() not in POINT_SUFFIXES:
        raise InputError(f"points are saved as {', '.join(POINT_SUFFIXES)}, got {out}")
    if target.exists() and not overwrite:
        raise InputError(f"{out} exists; give --overwrite to replace it, or choose another name")
    cameras = [camera for file in files for camera in read_cameras(file).values()]
    chosen = cameras_of(views, cameras)
    times = None if timestamps is None else read_timestamps(Path(timestamps), [camera.name for camera in chosen])
    seen: list[Frames] = []
    for number, view in enumerate(views):
        frames = [
            (frame.time_s, hands, (frame.width, frame.height)) for frame, hands in frames_of(view, models, max_hands)
        ]
        if not frames:
            raise SourceError(f"{view} has no frames")
        if frames[0][2][0]:
            chosen[number] = chosen[number].at_size(*frames[0][2])
        own = [time_s for time_s, _, _ in frames]
        if times is not None:
            own = stamped(view, own, times[number])
        seen.append([(time_s, hands) for time_s, (_, hands, _) in zip(own, frames, strict=True)])
    hands = triangulated(seen, chosen)
    write_points(target, hands)
    say(hands, out)


def cameras_of(views: Sequence[str], cameras: Sequence[Camera]) -> list[Camera]:
    """The camera of each view: that with the view's name, or all in the order of the files.

    Raises:
        InputError: neither tells.
    """
    names = {camera.name: camera for camera in cameras}
    stems = [Path(view).stem.removesuffix("_hands") for view in views]
    if set(stems) <= set(names) and len(set(stems)) == len(stems):
        return [names[stem] for stem in stems]
    if len(views) == len(cameras):
        return list(cameras)
    raise InputError(
        f"{len(views)} views and {len(cameras)} cameras; name the files after the cameras, "
        f"which are {', '.join(names)}, or give one view for each camera in this order"
    )


def frames_of(view: str, models: str, max_hands: int) -> Iterator[tuple[Frame, list[Hand]]]:
    """The frames of a video, tracked without smoothing, or those that a table holds."""
    tables = [one for one in FORMATS if one.read is not None and Path(view).name.lower().endswith(one.suffix)]
    if tables and (read := format_of(view, tables).read) is not None:
        yield from read(Path(view))
        return
    for source in find_sources([view]):
        reader = source.open(False)
        with reader, HandTracker(load(models), max_hands=max_hands, smooth=False) as tracker:
            yield from tracker.track(reader)


def read_timestamps(path: Path, names: Sequence[str]) -> list[list[float]]:
    """The times of the frames of each camera, seconds, from a CSV file with the columns cam_id and frame_time.

    Raises:
        InputError: a column or a camera is missing.
        SourceError: the file cannot be read.
    """
    try:
        rows = list(csv.DictReader(path.read_text(encoding="utf-8").splitlines()))
        found = [(row["cam_id"], float(row["frame_time"])) for row in rows]
    except (OSError, UnicodeDecodeError) as error:
        raise SourceError(f"{path} cannot be read: {error}") from error
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"{path} must have the columns cam_id and frame_time (seconds): {error!r}") from error
    times = [sorted(time_s for key, time_s in found if key == name or name.endswith(f"_{key}")) for name in names]
    if missing := [name for name, own in zip(names, times, strict=True) if not own]:
        raise InputError(f"{path} has no times of {missing[0]}")
    return times


def stamped(view: str, own: Sequence[float], times: Sequence[float]) -> list[float]:
    """The times of a view's frames by the common clock.

    Raises:
        InputError: there are fewer times than frames.
    """
    if len(times) < len(own):
        raise InputError(f"{view} has {len(own)} frames, but the file of time stamps {len(times)}")
    return list(times[: len(own)])


def say(hands: Sequence[RigHand], out: str) -> None:
    """Print what was found, and how well the views agree."""
    ids = sorted({hand.track_id for hand in hands})
    click.echo(f"{'hands':<8} {len(hands)}, ids {', '.join(map(str, ids)) or 'none'}")
    for number in ids:
        own = [hand for hand in hands if hand.track_id == number]
        click.echo(f"{f'id {number}':<8} {about(own)}")
    click.echo(f"{'written':<8} {out}")


def about(own: Sequence[RigHand]) -> str:
    """One line on one track: times, views, reprojection error, length of the hand."""
    views = float(np.mean([len(hand.cameras) for hand in own]))
    error_px = float(np.nanmedian([hand.error_px for hand in own]))
    length = float(median_lengths([bone_lengths(hand.points) for hand in own])[2].sum())
    return f"{own[0].handedness}, {len(own)} times, {views:.1f} views, error {error_px:.1f} px, hand {length:.3f} m"
