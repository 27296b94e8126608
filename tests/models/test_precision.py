"""A bundle with float and int8 networks runs the faster ones, or those that the caller names."""

import json
import time
from dataclasses import replace
from pathlib import Path

import pytest

import knuckle
from knuckle.errors import BundleError, InputError
from knuckle.models import catalogue, precision
from knuckle.models.bundle import Bundle, NetworkFile, sha256_of


@pytest.fixture
def both(tmp_path: Path) -> Path:
    """A bundle folder whose landmark network has a second form: the same network in a file of its own."""
    ours = catalogue.find("knuckle")
    folder = tmp_path / "both"
    folder.mkdir()
    for source, name in (
        (ours.palm_path, "palm.tflite"),
        (ours.hand_path, "hand.tflite"),
        (ours.hand_path, "h8.tflite"),
    ):
        (folder / name).write_bytes(source.read_bytes())
    files = {name: NetworkFile(name, sha256_of(folder / name)) for name in ("palm.tflite", "hand.tflite", "h8.tflite")}
    description = replace(ours, name="both", palm=files["palm.tflite"], hand=files["hand.tflite"], palm_int8=None)
    (folder / "bundle.json").write_text(replace(description, hand_int8=files["h8.tflite"]).to_json())
    return folder


@pytest.fixture
def fresh_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("KNUCKLE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(precision, "_measured", {})
    return tmp_path / "cache" / "precision.json"


def test_the_caller_chooses_the_form(both: Path) -> None:
    for name, file in (("float", "hand.tflite"), ("int8", "h8.tflite")):
        networks = knuckle.load(both, 1, precision=name)
        assert networks.hand.model.name == file and networks.palm.model.name == "palm.tflite"
        assert knuckle.load(both, 1, precision=name) is networks


def test_the_faster_form_is_taken_and_remembered(
    both: Path, fresh_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ratios, opened = [0.5, 2.0], list[str]()

    class Counted(precision.Session):
        def __init__(self, model: Path, threads: int | None = None) -> None:
            opened.append(model.name)
            super().__init__(model, threads)

    def chosen() -> str:
        monkeypatch.setattr(precision, "_measured", {})  # as in another process
        opened.clear()
        return precision.open_network(catalogue.open_folder(both), "hand", 1).model.name

    monkeypatch.setattr(precision, "Session", Counted)
    monkeypatch.setattr(precision, "_time_ratio", lambda floats, ints: ratios.pop(0))
    assert chosen() == "h8.tflite"
    assert list(json.loads(fresh_cache.read_text()).values()) == [True]
    assert chosen() == "h8.tflite"
    assert ratios == [2.0], "measured once per machine"
    assert opened == ["h8.tflite"], "the weights of one form are held"
    fresh_cache.write_text("{damaged")
    assert chosen() == "hand.tflite"


def test_a_cache_that_cannot_be_written_is_no_error(
    both: Path, fresh_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fresh_cache.parent.parent.mkdir(exist_ok=True)
    fresh_cache.parent.write_text("a file where the folder should be")
    assert knuckle.load(both, 1).hand.model.name in ("hand.tflite", "h8.tflite")


class Sleepy:
    """A network that needs this many seconds."""

    side, model = 8, Path("sleepy.tflite")

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    def __call__(self, pictures: object) -> None:
        time.sleep(self.seconds)


def test_the_slower_form_has_a_ratio_above_one() -> None:
    assert precision._time_ratio(Sleepy(0), Sleepy(0.02)) > 1 > precision._time_ratio(Sleepy(0.02), Sleepy(0))  # type: ignore[arg-type]


def test_a_damaged_second_form_is_refused(both: Path) -> None:
    (both / "h8.tflite").write_bytes(b"other")
    with pytest.raises(BundleError, match=r"h8\.tflite is not the file"):
        knuckle.load(both)


def test_an_unknown_precision_is_refused(both: Path) -> None:
    with pytest.raises(InputError, match="precision must be one of auto, float, int8, got 'half'"):
        knuckle.load(both, precision="half")


def test_a_description_with_both_forms_reads_back(both: Path) -> None:
    bundle: Bundle = catalogue.open_folder(both)
    assert bundle.hand_int8 is not None and bundle.palm_int8 is None
    (both / "bundle.json").write_text(bundle.to_json())
    assert catalogue.open_folder(both) == bundle
