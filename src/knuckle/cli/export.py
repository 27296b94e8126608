"""`knuckle export`: a checkpoint or a bundle as a bundle folder in another format, or as a .task file."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import click

from knuckle.errors import InputError
from knuckle.train.export import FORMATS, Format
from knuckle.train.export_bundle import Choice, choose_parts, write_bundle, write_network_files, write_task_file
from knuckle.train.export_pictures import ExportData

# The suffixes of single files, and the formats that they hold, the default first.
FILES: dict[str, tuple[Format | Literal["task"], ...]] = {
    ".onnx": ("onnx",),
    ".tflite": ("fp16", "fp32", "int8"),
    ".task": ("task",),
}


@click.command()
@click.argument("what", metavar="CHECKPOINT|BUNDLE")
@click.option(
    "--format",
    "form",
    type=click.Choice(["auto", *FORMATS, "task"]),
    default="auto",
    show_default=True,
    help="auto: fp16, and int8 beside it where that is no worse on held-out pictures; the faster one is used. "
    "fp16: weights in half the bytes, arithmetic in float32. fp32: the same, unrounded. int8: 8-bit arithmetic. "
    "onnx: for GPUs, with ONNX Runtime. task: one file for MediaPipe's own HandLandmarker.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    help="Bundle folder to write; or one network as FILE.onnx or FILE.tflite; or FILE.task.  "
    "[default: NAME-FORMAT, NAME-exported, NAME.task]",
)
@click.option("--palm", metavar="BUNDLE", help="Use the palm network of this bundle.  [default: knuckle]")
@click.option("--hand", metavar="BUNDLE", help="Use the landmark network of this bundle.  [default: knuckle]")
@click.option(
    "--pictures",
    metavar="PATH[@SPLIT]",
    help="Labelled images on which int8 is calibrated.  [default: --data of the run]",
)
@click.option(
    "--check",
    metavar="PATH[@SPLIT]",
    help="Held-out labelled images on which int8 and fp16 are compared.  [default: --check of the run, or every second "
    "image of --pictures]",
)
@click.option("--name", help="Name of the bundle.  [default: name of the folder]")
@click.option(
    "--licence", default="as its training data allow", show_default=True, help="Licence of the trained weights."
)
def export(
    what: str,
    form: Choice | Literal["task"],
    out: Path | None,
    name: str | None,
    **texts: str | None,
) -> None:
    """Write a trained network as a bundle folder, or as a single file. Each is compared with PyTorch before it is kept.

    A single file holds the network of a checkpoint. Of a bundle it holds the landmark network, and the palm network is
    written beside it, as FILE_palm.

    \b
    knuckle export runs/mine/checkpoint.pt --out mine/
    knuckle track clip.mp4 --models mine/
    knuckle export mediapipe --format onnx --out mediapipe-onnx/
    knuckle track clip.mp4 --models mediapipe-onnx/ --device cuda
    knuckle export knuckle --palm mediapipe --out mixed/
    knuckle export knuckle --out hand.onnx
    """
    form = chosen_format(form, out)
    parts = choose_parts(what, texts["palm"], texts["hand"], str(texts["licence"]))
    path = Path(what)
    default = path.stem if path.suffix != ".pt" else path.resolve().parent.name
    if form == "task":
        file = out or Path(f"{default}.task")
        write_task_file(file, parts)
        click.echo(f"written  {file}, {megabytes(file)}, for MediaPipe's HandLandmarker or --models {file}")
        return
    folder = out or Path(f"{default}-exported" if form == "auto" else f"{default}-{form}")
    data = ExportData(texts["pictures"], texts["check"])
    is_file = folder.suffix in FILES and not folder.is_dir()
    if is_file and form != "auto":
        exported = write_network_files(folder, parts, form, data)
    else:
        exported = write_bundle(folder, parts, form, data, name or folder.resolve().name)
    for one in exported:
        difference = f"largest difference {100 * one.difference:.2g} % ({one.worst_output})"
        click.echo(f"{one.role:<8} {one.path.name}, {one.form}, {megabytes(one.path)}; {difference}")
        if one.int8 is not None:
            click.echo(f"{'':<8} {one.int8.name}, int8, {megabytes(one.int8)}")
        if one.reason:
            click.echo(f"{'':<8} {one.reason}")
    click.echo(f"written  {folder}" + ("" if is_file else f"  (knuckle track SOURCE --models {folder})"))


def chosen_format(form: Choice | Literal["task"], out: Path | None) -> Choice | Literal["task"]:
    """The format that was asked for, or the one that the suffix of `out` stands for.

    Raises:
        InputError: the suffix stands for another format.
    """
    fitting = FILES.get(out.suffix, ()) if out is not None and not out.is_dir() else ()
    if not fitting:
        return form
    if form != "auto" and form not in fitting:
        raise InputError(f"--format {form} does not suit the file {out}, which holds {fitting[0]}; give a folder")
    return fitting[0] if form == "auto" else form


def megabytes(path: Path) -> str:
    return f"{path.stat().st_size / 1e6:.1f} MB"
