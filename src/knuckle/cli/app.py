"""The command line: one function per command."""

from __future__ import annotations

import importlib
import logging
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field, replace
from itertools import chain, islice
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

import knuckle
from knuckle.errors import Error, InputError, MissingExtraError
from knuckle.graph import Graph, Step
from knuckle.images import Image
from knuckle.inspect.diagram import Diagram, diagrams_of
from knuckle.inspect.formats import FORMATS, save
from knuckle.inspect.pbtxt import read_pbtxt
from knuckle.inspect.profile import Profile
from knuckle.media import sinks
from knuckle.media.sources import IMAGE_SUFFIXES, Reader, in_background, read
from knuckle.media.window import Window
from knuckle.models import catalogue
from knuckle.models.session import default_threads
from knuckle.pipeline.main_graph import main_graph
from knuckle.pipeline.options import TrackerOptions
from knuckle.pipeline.tracker import Networks, load
from knuckle.results import Frame, Hand

DEFAULTS = TrackerOptions()
STOPPED = 130  # what shells expect after Ctrl-C
console = Console(stderr=True, highlight=False)


def main() -> None:
    """Entry point: what we foresee to go wrong is one line and exit code 2."""
    logging.basicConfig(format="%(message)s", level=logging.WARNING)
    logging.getLogger("knuckle").setLevel(logging.INFO)
    try:
        sys.exit(cli(standalone_mode=False))
    except Error as error:
        _complain(error)
    except click.UsageError as error:
        _complain(f"{error.format_message()} See {error.ctx.command_path if error.ctx else 'knuckle'} --help")
    except (click.Abort, KeyboardInterrupt):
        sys.exit(STOPPED)
    sys.exit(2)


def _complain(error: object) -> None:
    console.print(" ".join(str(error).split()), style="red", markup=False, soft_wrap=True)


class Later(click.Command):
    """A command whose module is loaded when it is called, so that the others start fast and need no extras."""

    def __init__(self, name: str, module: str, extra: str, short_help: str) -> None:
        super().__init__(name, short_help=short_help)
        self.module, self.extra = module, extra

    def make_context(self, *args: Any, **settings: Any) -> click.Context:
        try:
            command: click.Command = getattr(importlib.import_module(self.module), str(self.name))
        except ModuleNotFoundError as error:
            needs = f"knuckle {self.name} needs {error.name}: pip install 'knuckle[{self.extra}]'"
            raise MissingExtraError(needs) from error
        return command.make_context(*args, **settings)


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(knuckle.__version__, prog_name="knuckle")
def cli() -> None:
    """Find and follow hands in photos, clips and cameras: 21 3D landmarks per hand, left or right, ids.

    Nothing leaves this computer. The only network access fetches a model bundle, once.
    """


@cli.command()
@click.argument("source")
@click.option("--out", type=click.Path(path_type=Path), help="Annotated .mp4 or .jpg; a folder names files itself.")
@click.option("--save", type=click.Path(path_type=Path), help="Data: .parquet, .csv, .jsonl; a folder gets Parquet.")
@click.option("--show", is_flag=True, help="Open a window: q quits, space pauses, m mirrors.")
@click.option("--max-hands", default=DEFAULTS.max_hands, show_default=True, help="Never more hands than this.")
@click.option("--models", default=catalogue.DEFAULT, show_default=True, help="Bundle, folder or .task file.")
@click.option("--detect-only", is_flag=True, help="Palms only: no landmarks, no ids.")
@click.option("--mirrored", is_flag=True, help="The picture is a mirror image, as a selfie camera shows it.")
@click.option("--device", default="cpu", show_default=True, help="cpu, gpu; cuda, directml, coreml for ONNX bundles.")
@click.option("--threads", type=int, help=f"Threads of inference.  [default: {default_threads()}]")
@click.option("--no-smooth", is_flag=True, help="Landmarks as the network gives them.")
@click.option("--search-every", type=int, help="Frames between looks for more hands.  [default: 5 looks a second]")
@click.option("--min-palm-score", default=DEFAULTS.min_palm_score, show_default=True, help="Drop weaker palms.")
@click.option("--min-presence", default=DEFAULTS.min_presence, show_default=True, help="Drop less certain hands.")
@click.pass_context
def track(
    context: click.Context,
    /,
    source: str,
    out: Path | None,
    save: Path | None,
    show: bool,
    models: str,
    detect_only: bool,
    device: str,
    threads: int | None,
    no_smooth: bool,
    **options: Any,
) -> None:
    """Track hands in SOURCE, write annotated pictures and data.

    SOURCE is a photo, a folder of photos, a 'glob*', a clip, a camera number, or an http:// or rtsp:// address.

    \b
    knuckle track clip.mp4 --out hands.mp4 --save hands.parquet
    knuckle track photos/ --out out/ --save out/hands.csv
    knuckle track 0 --show
    """
    chosen = TrackerOptions(**options, smooth=not no_smooth)
    reader = read(source)
    job = Job(reader, load(models, threads, device), chosen, detect_only, draws=show or out is not None)
    frames = iter(reader) if reader.kind == "live" else in_background(iter(reader))
    try:
        first = list(islice(frames, 1))  # a source that cannot be read leaves no files, and older ones as they are
        with ExitStack() as stack:
            for sink in _open_sinks(job, out, save) if first else ():
                job.sinks.append(stack.enter_context(sinks.InBackground(sink)))
            if show and first:
                job.window = stack.enter_context(Window(mirrored=reader.kind == "live" and not chosen.mirrored))
            _run(job, chain(first, frames))
    except Error as error:
        if not job.frames:
            raise
        job.errors.append(error)
    _report(job)
    context.exit(job.exit_code)


@dataclass
class Job:
    """One run of `knuckle track`: what it is made of and what came of it."""

    reader: Reader
    networks: Networks
    options: TrackerOptions
    palms_only: bool = False
    draws: bool = True
    sinks: list[sinks.Sink] = field(default_factory=list)
    window: Window | None = None
    frames: int = 0
    found: int = 0
    frames_with: int = 0
    ids: set[int] = field(default_factory=set)
    find_s: float = 0.0
    wall_s: float = 0.0
    errors: list[Error] = field(default_factory=list)
    stopped: bool = False

    @property
    def what(self) -> str:
        return "palms" if self.palms_only else "hands"

    @property
    def exit_code(self) -> int:
        return STOPPED if self.stopped else int(bool(self.errors or self.reader.problems))

    def graph(self, frames: Iterator[Frame]) -> Graph:
        """The main graph of this run."""
        stills = self.reader.kind == "image"
        return main_graph(
            frames, self.networks, self.options, self.sink, stills=stills, palms_only=self.palms_only, draws=self.draws
        )

    def sink(self, frame: Frame, found: list[Any], picture: Image | None = None) -> bool:
        """Hand results to files and window, count them; False when the user quits."""
        drawn = frame if picture is None else replace(frame, image=picture)
        with _uninterrupted():
            for sink in self.sinks:
                sink.write(drawn, found)
            self.frames += 1
            self.found += len(found)
            self.frames_with += bool(found)
            self.ids |= {hand.track_id for hand in found if isinstance(hand, Hand) and hand.track_id is not None}
        return self.window is None or self.window.show(drawn.image)

    def observe(self, step: Step) -> None:
        """Time the finding alone, for the report."""
        if step.path == ("main", self.what):
            self.find_s += step.seconds


@contextmanager
def _uninterrupted() -> Iterator[None]:
    """Ctrl-C waits for the end of this, so that all files hold the same frames and the report counts them."""
    asked: list[int] = []
    try:
        before = signal.signal(signal.SIGINT, lambda number, frame: asked.append(number))
    except ValueError:  # not the main thread, where signals come
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.SIG_DFL if before is None else before)
    if asked:
        signal.raise_signal(signal.SIGINT)


def _open_sinks(job: Job, out: Path | None, save: Path | None) -> list[sinks.Sink]:
    opened: list[sinks.Sink] = []
    if save is not None:
        path = save / f"{_stem(job.reader.name)}_hands.parquet" if _is_folder(save) else save
        opened.append(sinks.data_sink(_not_the_source(path, job.reader.name), job.palms_only))
    if out is not None:
        opened.append(_image_sink(job, out) if job.reader.kind == "image" else _video_sink(job, out))
    return opened


def _image_sink(job: Job, out: Path) -> sinks.Sink:
    several = job.reader.frame_count != 1
    if not _is_folder(out) and (several or out.suffix.lower() not in IMAGE_SUFFIXES):
        raise InputError(
            f"{'several photos go' if several else 'a photo goes to .jpg, .png or'} to a folder, got {out}"
        )
    root = Path(job.reader.name)
    if root.is_dir() and out.resolve().is_relative_to(root.resolve()):
        raise InputError(f"--out {out} lies in the source {root} and would be read with it next time; choose another")
    return sinks.ImageSink(_not_the_source(out, job.reader.name), root if root.is_dir() else None)


def _video_sink(job: Job, out: Path) -> sinks.Sink:
    source = job.reader.name
    path = out / f"{_stem(source)}_hands.mp4" if _is_folder(out) else out
    with_sound = Path(source).is_file() and sinks.has_audio(source)
    return sinks.VideoSink(_not_the_source(path, source), job.reader.rate, source if with_sound else None)


def _is_folder(path: Path) -> bool:
    if path.exists() and not path.is_dir() and not path.suffix:
        raise InputError(f"{path} is neither a folder nor a file with a known suffix")
    return path.is_dir() or not path.suffix


def _stem(source: str) -> str:
    """A file's own name; an address without what file names cannot hold."""
    if Path(source).exists():
        return Path(source).resolve().stem
    return "".join(c if c.isalnum() or c in "-_." else "_" for c in Path(source).stem).strip("_") or "hands"


def _not_the_source(path: Path, source: str) -> Path:
    if path.is_file() and Path(source).exists() and path.samefile(source):
        raise InputError(f"{path} is the source itself; choose another file")
    return path


def _run(job: Job, frames: Iterator[Frame]) -> None:
    """Decode, track and write at the same time, until the source ends, breaks, or the user stops."""
    start = time.perf_counter()
    columns = (BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[rate]}"), TimeRemainingColumn())
    try:
        with Progress(
            TextColumn(job.what), *columns, console=console, transient=True, disable=not console.is_terminal
        ) as progress:
            bar = progress.add_task("", total=job.reader.frame_count, rate="")
            graph = job.graph(frames)
            while graph.run([], job.observe):
                rate = job.frames / (time.perf_counter() - start)
                progress.update(bar, advance=1, rate=f"{rate:.0f} frames/s")
    except KeyboardInterrupt:
        job.stopped = True
    finally:
        job.wall_s = time.perf_counter() - start


def _report(job: Job) -> None:
    """What was done, where the files are, what went wrong."""
    speed = f", {1000 * job.find_s / job.frames:.1f} ms a frame" if job.frames else ""
    lines = [
        ("source", job.reader.name),
        ("frames", f"{job.frames} in {job.wall_s:.1f} s{speed}, {job.frames_with} with {job.what}"),
        (job.what, f"{job.found}" + (f", ids {_ranges(job.ids)}" if job.ids else "")),
        *(("written", str(sink.path)) for sink in job.sinks),
    ]
    for title, text in lines:
        click.echo(f"{title:<8} {text}")
    if job.stopped:
        _complain("stopped; the files hold what was tracked until then")
    for problem in (*job.reader.problems, *job.errors):
        _complain(problem)
    if job.errors and job.sinks:
        _complain(f"kept what was tracked until then: {', '.join(str(sink.path) for sink in job.sinks)}")


def _ranges(ids: set[int]) -> str:
    """{1, 2, 3, 7} -> "1-3, 7"."""
    runs: list[list[int]] = []
    for number in sorted(ids):
        if runs and number == runs[-1][1] + 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    return ", ".join(f"{a}" if a == b else f"{a}-{b}" for a, b in runs)


@cli.command("graph")
@click.argument("name", default="main")
@click.option("--format", "form", type=click.Choice(list(FORMATS)), help="[default: what --out ends with, else text]")
@click.option("--out", type=click.Path(path_type=Path), help="File to write; a folder gets one .pbtxt per graph.")
@click.option("--profile", "source", help="Run on this photo or clip, show what each node costs, write a trace.")
@click.option("--models", default=catalogue.DEFAULT, show_default=True, help="Bundle, folder or .task file.")
def show_graph(name: str, form: str | None, out: Path | None, source: str | None, models: str) -> None:
    """Show the graph that runs: main, hand_tracking, hand_landmarks, palm_detection, hand_renderer, hand_detection.

    NAME may also be a MediaPipe GraphConfig .pbtxt file; its subgraphs are looked for beside and below it.

    \b
    knuckle graph
    knuckle graph --out graph.html --profile clip.mp4
    knuckle graph hand_tracking --format mermaid
    knuckle graph hand_landmark_tracking_cpu.pbtxt --out reference.svg
    """
    profile = Profile() if source else None
    if name.endswith(".pbtxt"):
        if source:
            raise InputError("a .pbtxt file is a picture of a graph; --profile needs one that runs")
        diagram = read_pbtxt(name)
    else:
        diagram = _running_graph(name, load(models), source, profile)
    if out is None:
        click.echo(FORMATS[form or "text"](diagram), nl=False)
    else:
        save(diagram, out, form)
    if profile:
        trace = out.with_suffix(".trace.json") if out else Path(f"{name}.trace.json")
        profile.write_trace(trace)
        click.echo(f"trace for ui.perfetto.dev or chrome://tracing: {trace}", err=True)


def _running_graph(name: str, networks: Networks, source: str | None, profile: Profile | None) -> Diagram:
    """The diagram of a graph as `knuckle track` builds it, after a run over the source if there is one."""
    nothing = (Reader("nothing", kind, lambda reader: iter(())) for kind in ("video", "image"))
    known: dict[str, Diagram] = {}
    for reader in [read(source)] if source else nothing:
        graph = Job(reader, networks, DEFAULTS).graph(iter(reader))
        with suppress(KeyboardInterrupt):
            while profile and graph.run([], profile):
                pass
        known = {**diagrams_of(graph, profile), **known}
    if name not in known:
        what = f" in a run on {source}" if source else ""
        raise InputError(f"no graph{what} is called {name}; there are {', '.join(known)}, or give a .pbtxt file")
    return known[name]


for later in (
    Later("models", "knuckle.cli.models", "", "The networks: list, fetch, inspect, import and remove bundles."),
    Later("evaluate", "knuckle.cli.evaluate", "evaluate", "Score trackers on labelled photos or clips."),
    Later("serve", "knuckle.cli.serve", "serve", "Serve the browser page and an API."),
    Later("synth", "knuckle.cli.synth", "train", "Make pictures of hands whose every label is known."),
    Later("train", "knuckle.cli.train", "train", "Train or fine-tune networks on labelled photos."),
    Later("export", "knuckle.cli.export", "train", "Turn trained networks into a bundle."),
):
    cli.add_command(later)
