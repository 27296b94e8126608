"""Write the tables of docs/formats.md: what becomes of video in many formats, and what written files hold.

    python docs/make_formats.py

Each clip is made here, with a flash in the picture and a click in the sound at the same moment, and goes through
`knuckle track`. It takes a few minutes.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

DOCS = Path(__file__).resolve().parent
sys.path[:0] = [str(DOCS.parent / "tests")]

from commands import run  # noqa: E402
from flashes import FRAMES, HEIGHT, STAMPS, WIDTH, Measured, Recipe, make, measure  # noqa: E402

from knuckle.media.containers import ANIMATIONS, CONTAINERS  # noqa: E402

# Container -> sound that is put into it, and for each encoder its pixel formats.
SOURCES: dict[str, tuple[str, dict[str, tuple[str, ...]]]] = {
    ".mp4": (
        "aac",
        {
            "libx264": ("yuv420p", "yuv422p", "yuv444p", "yuv420p10le", "yuv422p10le"),
            "libx265": ("yuv420p", "yuv420p10le", "yuv444p"),
            "libsvtav1": ("yuv420p", "yuv420p10le"),
            "mpeg4": ("yuv420p",),
        },
    ),
    ".mov": (
        "pcm_s16le",
        {"libx264": ("yuv420p",), "prores_ks": ("yuv422p10le", "yuv444p10le"), "mjpeg": ("yuvj422p",)},
    ),
    ".mkv": (
        "flac",
        {"libx264": ("yuv420p", "gray"), "ffv1": ("yuv420p", "bgr0", "yuv444p16le"), "libvpx": ("yuv420p",)},
    ),
    ".webm": (
        "libopus",
        {"libvpx": ("yuv420p",), "libvpx-vp9": ("yuv420p", "yuv444p"), "libsvtav1": ("yuv420p",)},
    ),
    ".avi": ("libmp3lame", {"mpeg4": ("yuv420p",), "mjpeg": ("yuvj420p",), "ffv1": ("bgr0",)}),
    ".ts": (
        "aac",
        {"libx264": ("yuv420p", "yuv420p10le"), "libx265": ("yuv420p",), "mpeg2video": ("yuv420p", "yuv422p")},
    ),
    ".mpg": ("mp2", {"mpeg2video": ("yuv420p",), "mpeg1video": ("yuv420p",)}),
    ".flv": ("aac", {"flv": ("yuv420p",), "libx264": ("yuv420p",)}),
    ".wmv": ("wmav2", {"wmv2": ("yuv420p",)}),
    ".3gp": ("aac", {"mpeg4": ("yuv420p",)}),
}
TURNED, TURNS = (".mp4", ".mov"), (90, 180, 270)  # containers that state a rotation
STARTS = {"sound 0.8 s late": (0.0, 0.8), "picture 0.8 s late": (0.8, 0.0), "both 5 s late": (5.0, 5.0)}
STAMPED = {".mp4": "libx264", ".mov": "libx264", ".mkv": "libx264", ".webm": "libvpx-vp9", ".ts": "libx264"}
SOUNDS = ("aac", "libmp3lame", "ac3", "libopus", "flac", "vorbis", "pcm_s16le")
NAMES = {"libopus": "opus", "libmp3lame": "mp3"}


def recipes() -> Iterable[tuple[str, Recipe]]:
    """The clips, each with what is special about it."""
    for suffix, (sound, codecs) in SOURCES.items():
        for codec, pixels in codecs.items():
            yield from (("", Recipe(suffix, codec, form, sound)) for form in pixels)
    for suffix in TURNED:
        yield from ((f"turned {turn}°", Recipe(suffix, sound="aac", rotation=turn)) for turn in TURNS)
    for suffix, codec in STAMPED.items():
        sound = SOURCES[suffix][0]
        yield from ((f"{stamps} stamps", Recipe(suffix, codec, sound=sound, stamps=stamps)) for stamps in STAMPS[1:])
        for words, (picture_s, sound_s) in STARTS.items():
            yield words, Recipe(suffix, codec, sound=sound, picture_first_s=picture_s, sound_first_s=sound_s)


def track(folder: Path, source: Path, suffix: str) -> tuple[int, Measured]:
    """Run the command; the number of frames that it read, and what it wrote."""
    out, data = folder / f"out{suffix}", folder / "out.jsonl"
    done = run("track", source, "--models", "knuckle", "--overwrite", "--out", out, "--save", data)
    assert done.returncode == 0, f"{source.name}: {done.stderr}"
    return len([json.loads(line) for line in data.read_text().splitlines()]), measure(out)


def milliseconds(sync_s: float | None) -> str:
    return "–" if sync_s is None else f"{1000 * sync_s:+.0f}".replace("+0", "0").replace("-0", "0")


def source_rows(folder: Path) -> list[str]:
    heads = ("container", "picture", "pixels", "sound", "special", "frames", "tracked", "written")
    heads += ("sync in, ms", "sync out, ms", "size in", "size out")
    rows = [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
    for words, recipe in recipes():
        source = make(folder, recipe)
        before = measure(source)
        tracked, after = track(folder, source, recipe.suffix if recipe.suffix in CONTAINERS else ".mp4")
        cells = [recipe.suffix, NAMES.get(recipe.codec, recipe.codec).removeprefix("lib"), recipe.pixels]
        cells += [NAMES.get(recipe.sound, recipe.sound), words, str(FRAMES), str(tracked), str(after.frames)]
        cells += [milliseconds(before.sync_s), milliseconds(after.sync_s)]
        cells += [f"{WIDTH} × {HEIGHT}", f"{after.size[0]} × {after.size[1]}"]
        rows.append(f"| {' | '.join(cells)} |")
        print(rows[-1], flush=True)
    return rows


def output_rows(folder: Path) -> list[str]:
    heads = [NAMES.get(sound, sound) for sound in SOUNDS]
    rows = [f"| written | picture | {' | '.join(heads)} | subtitles |", "|---" * (len(heads) + 3) + "|"]
    for suffix, kind in CONTAINERS.items():
        cells = [suffix, kind.video.encoder.removeprefix("lib")]
        for sound in SOUNDS:
            if suffix in ANIMATIONS:
                cells.append("no sound")
                continue
            source = make(folder, Recipe(".mkv", sound=sound, picture_first_s=0.3))
            _, after = track(folder, source, suffix)
            (stored,) = after.sounds
            assert after.sync_s is not None and abs(after.sync_s) < 0.05, (suffix, sound, after)
            cells.append("copied" if stored == NAMES.get(sound, sound) and stored in kind.sound else f"to {stored}")
        texts = [*(["copied: " + ", ".join(sorted(kind.subtitles))] if kind.subtitles else [])]
        texts += [f"text to {kind.text}"] if kind.text else []
        cells.append("; ".join(texts) or "none")
        rows.append(f"| {' | '.join(cells)} |")
        print(rows[-1], flush=True)
    return rows


def main() -> None:
    os.environ["SVT_LOG"] = "1"  # errors only
    path = DOCS / "formats.md"
    text = path.read_text()
    with tempfile.TemporaryDirectory() as folder:
        tables = {"outputs": output_rows(Path(folder)), "sources": source_rows(Path(folder))}
    for name, rows in tables.items():
        begin, end = f"<!-- {name} -->\n", f"<!-- /{name} -->"
        head, rest = text.split(begin, 1)
        text = head + begin + "\n".join(rows) + "\n" + end + rest.split(end, 1)[1]
    path.write_text(text)


if __name__ == "__main__":
    main()
