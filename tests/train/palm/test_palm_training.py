"""Training of the palm detector: labels move with pictures, a small run finds drawn palms, exports run in a tracker."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from drawn import landmarks_of
from PIL import Image as pillow
from scene import blank, draw_hand

torch = pytest.importorskip("torch")

import knuckle  # noqa: E402
from knuckle.cli import app as cli  # noqa: E402
from knuckle.datasets.labels import LabelledHand, Shot, palm_of  # noqa: E402
from knuckle.errors import InputError  # noqa: E402
from knuckle.models import catalogue  # noqa: E402
from knuckle.pipeline.palm import PalmDetector, PalmModel, decode_palms, suppress  # noqa: E402
from knuckle.results import Palm  # noqa: E402
from knuckle.testing import FakeNetwork  # noqa: E402
from knuckle.train.augment import PhotometricAugment  # noqa: E402
from knuckle.train.loop import LoopOptions, train  # noqa: E402
from knuckle.train.nets.palm_net import PalmNet, PalmNetShape  # noqa: E402
from knuckle.train.nets.reference_palm import load_reference_palm  # noqa: E402
from knuckle.train.palm.data import KEY_POINTS, PalmPictures, in_view, picture_targets, read_source  # noqa: E402
from knuckle.train.palm.evaluator import PalmEvaluator, detect_palms, match_palms, palm_figures  # noqa: E402
from knuckle.train.palm.loss import palm_losses  # noqa: E402
from knuckle.train.palm.network import (  # noqa: E402
    grid_of,
    load_palm_network,
    new_palm_network,
    start_palm_network,
)
from knuckle.train.palm.targets import AnchorGrid  # noqa: E402
from knuckle.train.palm.task import PalmTask  # noqa: E402
from knuckle.train.sources import Source  # noqa: E402

TINY = PalmNetShape(side=64, stem=8, widths=(8, 16, 24, 32), depths=(0, 1, 1, 0))
NO_LOOK = 0.0


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


def write_scenes(folder: Path, count: int, walls: int = 1) -> Path:
    """Pictures of one or two drawn hands, all of them labelled, and walls without."""
    rng = np.random.default_rng(4)
    folder.mkdir(parents=True)
    rows = []
    for number in range(count + walls):
        image, hands = blank(160, 120), []
        for x in ((45, 115) if number % 2 else (80,)) if number < count else ():
            size, angle, right = rng.uniform(50, 75), rng.uniform(-0.4, 0.4), bool(rng.random() < 0.5)
            place = (x + rng.uniform(-5, 5), 60 + rng.uniform(-8, 8), size, angle)
            draw_hand(image, *place, right=right)
            hands.append({"landmarks": np.round(landmarks_of(*place, right=right), 2).tolist()})
        name = f"{number:03d}.png"
        pillow.fromarray(image).save(folder / name)
        rows.append({"image": name, "source": "drawn", "width": 160, "height": 120, "hands": hands, "complete": True})
    file = folder / "index.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return file


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(write_scenes(tmp_path_factory.mktemp("scenes") / "drawn", 8))


def test_the_reference_in_torch_finds_the_same_palms_as_the_bundle(clip_frames: list[np.ndarray]) -> None:
    bundle = catalogue.find("mediapipe")
    network = load_reference_palm(bundle.palm_path).eval()
    grid = grid_of(network)
    detector = PalmDetector(FakeNetwork(192))
    image = clip_frames[0]
    (found,) = detect_palms(network, [(detector.prepare(image)[0], (image.shape[1], image.shape[0]))], grid, 0.5)
    expected = knuckle.detect_palms(image, "mediapipe")
    assert len(found) == len(expected) == 2
    for ours, theirs in zip(found, expected, strict=True):
        np.testing.assert_allclose(ours.box, theirs.box, atol=0.05)
        np.testing.assert_allclose(ours.keypoints, theirs.keypoints, atol=0.05)
        assert ours.score == pytest.approx(theirs.score, abs=1e-3)


def test_labels_move_with_pictures(tmp_path: Path) -> None:
    """Each key point has a colour; turned, scaled, mirrored or put together, it is found there."""
    colours = np.array([[255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 0], [255, 0, 255], [0, 255, 255], [255] * 3])
    image, landmarks = np.full((200, 260, 3), 40, np.uint8), np.full((21, 2), 130.0)
    points = np.array([[130, 150], [100, 90], [120, 70], [140, 70], [160, 90], [80, 130], [70, 110]])
    y, x = np.mgrid[:200, :260]
    for point, colour in zip(points, colours, strict=True):
        image[np.hypot(x - point[0], y - point[1]) < 9] = colour
    landmarks[KEY_POINTS] = points
    pillow.fromarray(image).save(tmp_path / "a.png")
    shot = Shot(str(tmp_path / "a.png"), hands=(LabelledHand(landmarks=landmarks),))
    grid = grid_of(PalmNet())
    samples = PalmPictures([Source("dots", [shot])], grid, look=PhotometricAugment(NO_LOOK))
    model = PalmModel(grid.strides, "boxes", "scores")
    checked = 0
    for number in range(60):
        sample = samples(number)
        logits = np.where(sample["score"] > 0, 8.0, -8.0)[None, :, None]
        palms = suppress(decode_palms({"boxes": sample["values"][None], "scores": logits}, (192, 192), 192, model))
        picture = sample["picture"].transpose(1, 2, 0)
        for palm in palms:
            if (palm.box[2:] - palm.box[:2]).max() < 25:
                continue  # dots of less than three pixels
            near = np.rint(palm.keypoints).astype(int)
            inside = ((near >= 1) & (near < 191)).all(axis=1)
            shown = picture[near[inside, 1], near[inside, 0]].astype(int)
            right = np.abs(shown - colours[inside]).max(axis=1) < 90
            assert right.mean() > 0.65, number  # up to 30 % of a palm may be cut off
            checked += int(right.sum())
    assert checked > 150


def test_regions_to_ignore_are_neither_hands_nor_misses() -> None:
    hand = LabelledHand(box=np.array([60.0, 60, 140, 140]))
    region = LabelledHand(box=np.array([0.0, 0, 50, 50]), ignore=True)
    shot = Shot("a", hands=(hand, region))
    assert shot.without_ignored().hands == (hand,) and not shot.without_ignored().complete
    palms = [Palm(np.array(box), np.zeros((7, 2)), 0.9) for box in ([90.0, 90, 110, 110], [10.0, 10, 30, 30])]
    matches = match_palms([palms], [shot], [(200, 200)])
    assert matches.hits.tolist() == [1.0] and matches.best.tolist() == [0.9] and matches.hand_free == 0
    nothing = match_palms([palms[1:]], [Shot("b", hands=(region,))], [(200, 200)])
    assert len(nothing.scores) == 0 and nothing.false_positives == 0


def test_a_box_teaches_if_it_is_in_view_and_not_ignored() -> None:
    grid = AnchorGrid(192, PalmNet.strides, PalmNet.spans)
    seen = {}
    for name, shift, ignore in (("in view", 0.0, False), ("cut off", 150.0, False), ("ignored", 0.0, True)):
        hand = LabelledHand(box=np.array([20.0 + shift, 40, 120 + shift, 120]), ignore=ignore)
        view = in_view(hand, np.eye(2, 3), (400, 400), 192)
        assert view is not None
        seen[name] = picture_targets([view], grid)
    assert {name: bool(found.bag.any()) for name, found in seen.items()} == {
        "in view": True,
        "cut off": False,
        "ignored": False,
    }
    assert not any(found.score.any() or found.weight.all() for found in seen.values())


def test_points_outside_the_photo_or_the_tile_are_not_shown() -> None:
    landmarks = np.full((21, 2), 50.0)
    landmarks[KEY_POINTS] = [[90, 50], [98, 40], [104, 42], [106, 46], [108, 50], [95, 55], [110, 45]]
    hand, still = LabelledHand(landmarks=landmarks), np.array([[1.0, 0, 0], [0, 1.0, 0]])
    seen = in_view(hand, still, (100, 100), 300)
    assert seen is not None and seen.shown == pytest.approx(3 / 7)
    whole = in_view(hand, still, (200, 200), 300)
    assert whole is not None and whole.shown == 1 and not whole.covered
    hidden = in_view(LabelledHand(landmarks=landmarks, visibility=np.full(21, 2.0)), still, (200, 200), 300)
    assert hidden is not None and hidden.covered


def test_incomplete_photos_are_refused(tmp_path: Path) -> None:
    pillow.fromarray(blank(40, 30)).save(tmp_path / "a.jpg")
    row = {"image": "a.jpg", "source": "x", "hands": [{"box": [3, 3, 20, 20]}], "complete": False}
    (tmp_path / "index.jsonl").write_text(json.dumps(row) + "\n")
    with pytest.raises(InputError, match="no image with all its hands labelled"):
        read_source(str(tmp_path))
    (tmp_path / "index.jsonl").write_text(json.dumps({**row, "complete": True}) + "\n")
    assert read_source(f"{tmp_path}@x:2.5").weight == 2.5
    with pytest.raises(InputError, match="above 0"):
        read_source(f"{tmp_path}:-1")


@pytest.mark.parametrize("score_loss", ["focal", "cross-entropy"])
def test_losses_are_small_for_predictions_equal_to_the_targets(scenes: str, score_loss: str) -> None:
    network = PalmNet(TINY)
    sample = PalmPictures([read_source(scenes)], grid_of(network), look=PhotometricAugment(NO_LOOK))(1)
    batch = {name: torch.from_numpy(np.stack([value])) for name, value in sample.items()}
    assert batch["score"].sum() > 0

    class Says(torch.nn.Module):
        def __init__(self, off: float) -> None:
            super().__init__()
            self.off = off

        def forward(self, picture: torch.Tensor, train_outputs: bool) -> dict[str, torch.Tensor]:
            wrong = self.off * batch["unit"][..., None]
            scores = torch.where(batch["score"] > 0, 12.0, -12.0) * (1 if self.off == 0 else -1)
            return {"boxes": batch["values"] + wrong, "scores": scores[..., None]}

    right = palm_losses(Says(0.0), batch, score_loss=score_loss)
    off = palm_losses(Says(0.25), batch, score_loss=score_loss)
    assert all(float(value) < 1e-3 for value in right.values())
    assert float(off["box"]) == pytest.approx(4 * 0.25, rel=1e-4)  # over centre and size
    assert float(off["keypoints"]) == pytest.approx(0.25, rel=1e-4)
    assert float(off["score"]) > 1


def test_figures_equal_those_computed_by_hand() -> None:
    def palm(x: float, score: float) -> Palm:
        landmarks = landmarks_of(x, 100, 80)
        made = palm_of(landmarks)
        return Palm(made.box, made.keypoints, score)

    hands = tuple(LabelledHand(landmarks=landmarks_of(x, 100, 80)) for x in (100, 300))
    shots = [
        Shot("a", hands=hands),
        Shot("b", hands=()),
        Shot("c", hands=(LabelledHand(box=np.array([60, 60, 140, 140])),)),
    ]
    found = [[palm(100, 0.9), palm(500, 0.8)], [palm(100, 0.7), palm(300, 0.3)], [palm(100, 0.6)]]
    figures = palm_figures(match_palms(found, shots, [(640, 480)] * 3))
    assert figures["recall"] == pytest.approx(200 / 3) and figures["false_per_1000"] == 1000
    assert figures["keypoints"] == pytest.approx(0, abs=1e-3)
    # Ranked: hit, miss, miss, hit, miss; three hands: recall 1/3 at precision 1, 2/3 at 1/2.
    assert figures["ap"] == pytest.approx(100 * (34 * 1 + 33 * 0.5) / 101, abs=0.5)
    assert np.isnan(figures["recall_32_80"])


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, scenes: str) -> Path:
    torch.set_num_threads(1)
    options = LoopOptions(
        steps=550, batch=8, rate=8e-3, warmup=20, ema=0.95, precision="float32", device="cpu", evaluate_every=550
    )
    torch.manual_seed(0)
    task = PalmTask(
        init="new",
        data=(scenes,),
        check=scenes,
        shape=TINY,
        loop=options,
        score_loss="cross-entropy",
        look=NO_LOOK,
    )
    return train(task.job(), options, tmp_path_factory.mktemp("run") / "palm", lambda *_: None)


def test_a_tiny_run_lowers_the_loss_and_finds_the_drawn_palms(trained: Path, scenes: str) -> None:
    with (trained.parent / "train.csv").open() as file:
        losses = [float(row["loss"]) for row in csv.DictReader(file)]
    assert losses[-1] < 0.6 * losses[0]
    with (trained.parent / "evaluate.csv").open() as file:
        first, last = list(csv.DictReader(file))
    assert float(first["recall"]) == 0 and float(last["ap"]) > 50
    network, config = load_palm_network(trained)
    assert config["score_loss"] == "cross-entropy" and isinstance(network, PalmNet) and network.shape == TINY
    again = PalmEvaluator(read_source(scenes).shots, grid_of(network))(network)
    assert again["ap"] == pytest.approx(float(last["ap"]), abs=0.1)


def test_the_export_runs_in_the_tracker_and_can_be_trained_further(trained: Path, tmp_path: Path) -> None:
    pytest.importorskip("litert_torch")
    from knuckle.cli.export import export

    out = tmp_path / "bundle"
    result = CliRunner().invoke(export, [str(trained), "--out", str(out)], catch_exceptions=False)
    assert result.exit_code == 0
    bundle = catalogue.open_folder(out)
    assert bundle.palm_side == 64 and bundle.palm_strides == ((8, 1), (16, 1))
    assert bundle.faint_palms == catalogue.find("knuckle-fast").faint_palms < 1
    image = draw_hand(blank(160, 120), 80, 60, 70)
    tracker = knuckle.HandTracker(models=out, min_palm_score=0.1)
    hands = tracker(image, 0.0)  # of a network of a few steps: as many as it may give, and real numbers
    assert len(hands) <= 2 and all(np.isfinite(hand.landmarks).all() for hand in hands)
    network, _ = load_palm_network(trained)
    grid, detector = grid_of(network), PalmDetector(FakeNetwork(64))
    (expected,) = detect_palms(network, [(detector.prepare(image)[0], (160, 120))], grid, 0.2)
    options = knuckle.TrackerOptions(min_palm_score=0.2)
    found = knuckle.load(out).palm_detector(options).graph()(image)
    assert len(found) == len(expected) >= 1
    np.testing.assert_allclose(found[0].box, expected[0].box, atol=1.5)
    onward, config = start_palm_network(str(out), PalmNetShape())
    assert isinstance(onward, PalmNet) and onward.shape == TINY and config["init"] == str(out)


def test_the_command_trains_and_reports_wrong_flags(scenes: str, tmp_path: Path) -> None:
    run = tmp_path / "run"
    shape = ["--side", "64", "--stem", "4", "--widths", "4", "8", "8", "8", "--depths", "0", "0", "0", "0"]
    command = ["train", "palm", "--init", "new", "--data", scenes, "--check", scenes, "--out", str(run), *shape]
    command += [
        "--steps",
        "3",
        "--batch",
        "2",
        "--no-decoder",
        "--score-loss",
        "cross-entropy",
        "--precision",
        "float32",
    ]
    result = CliRunner().invoke(cli.cli, command, catch_exceptions=False)
    assert result.exit_code == 0 and "checkpoint.pt" in result.output
    config = json.loads((run / "config.json").read_text())
    assert config["score_loss"] == "cross-entropy" and config["shape"]["decoder"] is False
    assert not hasattr(new_palm_network(config), "up")
    wrong = CliRunner().invoke(cli.cli, ["train", "palm", "--init", "mediapipe", "--data", scenes, "--side", "320"])
    assert isinstance(wrong.exception, InputError) and "takes 192 px" in str(wrong.exception)
    wrong = CliRunner().invoke(cli.cli, ["train", "palm", "--data", scenes, "--stem", "8"])
    assert isinstance(wrong.exception, InputError) and "shapes a new network" in str(wrong.exception)


def test_a_resized_network_gives_the_same_output_for_the_same_pixels(trained: Path) -> None:
    network, _ = load_palm_network(trained)
    assert isinstance(network, PalmNet)
    picture = torch.rand(1, 3, 2 * network.side, 2 * network.side, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        small, large = network(picture), network.resized(2 * network.side).eval()(picture)
    for name in ("boxes", "scores"):
        torch.testing.assert_close(large[name], small[name], atol=1e-4, rtol=1e-4)


def test_fine_tuning_the_reference_starts_from_a_small_loss(scenes: str) -> None:
    """Its anchors' spans are the ones that the targets use: new heads would begin far worse."""
    options = LoopOptions(steps=1, batch=4, precision="float32", device="cpu")
    task = PalmTask(init="mediapipe", data=(scenes,), loop=options, look=NO_LOOK).job()
    assert task.config["network"] == "mediapipe"
    batch = {
        name: torch.from_numpy(np.stack(values))
        for name, values in _columns([task.samples(number) for number in range(4)]).items()
    }
    with torch.no_grad():
        terms = task.losses(task.network.eval(), batch)
        fresh = palm_losses(new_palm_network({"task": "palm", "network": "mediapipe"}).eval(), batch)
    assert float(sum(terms.values())) < 0.5 * float(sum(fresh.values()))


def _columns(samples: list[dict[str, np.ndarray]]) -> dict[str, list[np.ndarray]]:
    return {name: [sample[name] for sample in samples] for name in samples[0]}
