"""A teacher: the meaning of its loss, that it is learned and resumed, and that it is not exported."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from drawn import write_yolo

torch = pytest.importorskip("torch")

from knuckle.errors import BundleError, InputError  # noqa: E402
from knuckle.train import losses  # noqa: E402
from knuckle.train.hand.network import load_hand_network  # noqa: E402
from knuckle.train.hand.task import HandTask  # noqa: E402
from knuckle.train.loop import Job, LoopOptions, train  # noqa: E402
from knuckle.train.nets.hand_net import HandNet, HandNetShape  # noqa: E402
from knuckle.train.nets.palm_net import PalmNet, PalmNetShape  # noqa: E402
from knuckle.train.nets.reference_hand import LITE, ReferenceHandNet  # noqa: E402
from knuckle.train.nets.reference_palm import ReferencePalmNet  # noqa: E402
from knuckle.train.teacher import CHUNK, Adapter, Teacher  # noqa: E402

HAND = HandNetShape(side=64, stem=4, widths=(4, 8, 8, 8), depths=(0, 0, 0, 0), token=8, bin_px=4)
PALM = PalmNetShape(side=64, stem=4, widths=(4, 8, 8, 8), depths=(0, 0, 0, 0), refine=0)
OPTIONS = LoopOptions(
    steps=6, batch=4, rate=1e-2, warmup=2, precision="float32", device="cpu", log_every=1, save_every=100
)


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def labels(tmp_path_factory: pytest.TempPathFactory) -> str:
    return f"{write_yolo(tmp_path_factory.mktemp('drawn') / 'labels', 4)}@train"


def test_a_student_that_predicts_nothing_has_a_loss_of_1() -> None:
    torch.manual_seed(0)
    adapter = Adapter(3, 5)
    torch.nn.init.zeros_(adapter.widen.weight)
    torch.nn.init.zeros_(adapter.widen.bias)
    true = torch.randn(8, 5, 6, 6) * torch.tensor([1.0, 10.0, 0.1, 3.0, 50.0])[:, None, None] + 7
    assert adapter(torch.randn(8, 3, 6, 6), true).item() == pytest.approx(1, abs=0.01)
    assert losses.feature_distillation(true, true) == 0


def test_features_that_a_linear_layer_can_predict_have_no_loss() -> None:
    """Features of which the teacher's are a linear function: the loss goes to nothing, whatever their units."""
    torch.manual_seed(0)
    adapter, mix = Adapter(6, 4), torch.randn(4, 6)
    optimiser = torch.optim.Adam(adapter.parameters(), 0.05)
    for _ in range(200):
        seen = torch.randn(8, 6, 4, 4)
        term = adapter(seen, 30 * torch.einsum("oc,nchw->nohw", mix, seen) + 5)
        optimiser.zero_grad()
        term.backward()
        optimiser.step()
    assert term.item() < 0.01


@pytest.mark.parametrize(
    ("teacher", "student", "names"),
    [
        (ReferenceHandNet(LITE), HandNet(HAND), {"features", "features_8", "features_16", "features_32"}),
        (ReferencePalmNet(3), PalmNet(PALM), {"features_8", "features_16"}),
    ],
)
def test_teacher_and_student_are_compared_on_their_common_features(
    teacher: torch.nn.Module, student: torch.nn.Module, names: set[str]
) -> None:
    taught = Teacher(teacher, student, share=0.5)
    assert set(taught.adapters) == names and student.training
    picture = torch.rand(6, 3, 64, 64)
    taught.loss(picture, student(picture, train_outputs=True)).backward()
    assert all(p.grad is None for p in teacher.parameters())
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in taught.adapters.parameters())
    reached = [p for name, p in student.named_parameters() if p.grad is not None and "down" in name]
    assert reached and all(p.grad.abs().sum() > 0 for p in reached)


def test_a_student_learns_the_teachers_features() -> None:
    torch.manual_seed(0)
    student, picture = HandNet(HAND), torch.rand(8, 3, 8, 8).repeat_interleave(8, 2).repeat_interleave(8, 3)
    taught = Teacher(ReferenceHandNet(LITE), student, share=1)
    optimiser = torch.optim.Adam([*student.parameters(), *taught.adapters.parameters()], 0.01)
    terms = []
    for _ in range(25):
        term = taught.loss(picture, student(picture, train_outputs=True))
        optimiser.zero_grad()
        term.backward()
        optimiser.step()
        terms.append(term.item())
    assert terms[-1] < 0.5 * terms[1]  # before the first step nothing is known of the spread


def test_the_teacher_sees_only_its_share_of_a_batch() -> None:
    torch.manual_seed(0)
    student, count = HandNet(HAND).eval(), CHUNK + 2
    taught = Teacher(ReferenceHandNet(LITE), student, share=0.5)
    picture = torch.rand(2 * count, 3, 64, 64)
    out = student(picture, train_outputs=True)
    other = picture.clone()
    other[count:] = 0
    taught.adapters.eval()
    first, second = taught.loss(picture, out), taught.loss(other, out)
    other[0] = 0
    assert first == second != taught.loss(other, out)


def test_a_share_of_0_is_refused() -> None:
    for share in (0.0, 1.5):
        with pytest.raises(InputError, match="share must be above 0"):
            Teacher(ReferenceHandNet(LITE), HandNet(HAND), share)


def job_of(labels: str, **choices: Any) -> Job:
    return HandTask(init="new", data=(labels,), shape=HAND, loop=OPTIONS, **choices).job()


def test_a_run_with_a_teacher_resumes_exactly_and_saves_only_the_student(labels: str, tmp_path: Path) -> None:
    def task() -> object:
        torch.manual_seed(7)
        return job_of(labels, teacher="mediapipe-lite", teacher_share=0.5)

    whole = torch.load(train(task(), OPTIONS, tmp_path / "whole", lambda *_: None))
    asked = iter([False, False, True])
    train(task(), OPTIONS, tmp_path / "parts", lambda *_: None, lambda: next(asked))
    path = train(task(), OPTIONS, tmp_path / "parts", lambda *_: None)
    parts = torch.load(path)
    for name in ("network", "average", "helpers"):
        assert whole[name] and all(torch.equal(value, parts[name][key]) for key, value in whole[name].items())
    network, config = load_hand_network(path)
    assert set(network.state_dict()) == set(HandNet(HAND).state_dict()) and config["teacher"] == "mediapipe-lite"
    with pytest.raises(InputError, match=r"another configuration \(teacher, teacher_share, weights\)"):
        torch.manual_seed(7)
        train(job_of(labels), OPTIONS, tmp_path / "parts", lambda *_: None)


def test_a_checkpoint_older_than_teachers_is_resumed(labels: str, tmp_path: Path) -> None:
    def task() -> object:
        return job_of(labels)

    path = train(task(), OPTIONS, tmp_path, lambda *_: None, lambda: True)
    saved = torch.load(path)
    del saved["helpers"]
    config = json.loads(saved["config"])
    del config["weights"]["teacher"]
    saved["config"] = json.dumps(config)
    torch.save(saved, path)
    assert torch.load(train(task(), OPTIONS, tmp_path, lambda *_: None))["step"] == 6


def test_the_command_line_accepts_a_teacher(labels: str, tmp_path: Path) -> None:
    from knuckle.cli.train import train as train_group

    flags = ["--data", labels, "--out", str(tmp_path / "run"), "--steps", "1", "--batch", "2", "--device", "cpu"]
    flags += ["--init", "new", "--side", "64", "--stem", "4", "--widths", "4", "4", "4", "4"]
    hand = ["hand", "--token", "8", *flags]
    refused = CliRunner().invoke(train_group, [*hand, "--teacher", "knuckle-fast"])
    assert isinstance(refused.exception, BundleError) and "not MediaPipe's" in str(refused.exception)
    for command in (hand, ["palm", *flags]):
        flags[3] = command[command.index("--out") + 1] = str(tmp_path / command[0])
        done = CliRunner().invoke(train_group, [*command, "--teacher", "mediapipe"])
        assert done.exit_code == 0, done.output
        assert "teacher" in (tmp_path / command[0] / "train.csv").read_text().splitlines()[0]
