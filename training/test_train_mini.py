"""The training of the small network, whole and tiny: its stages, and that it goes on where it was stopped."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from PIL import Image

from minstyle.network.vgg import Network
from minstyle.network.weightfile import Weights, read_weights, write_weights
from tests.support.small import picture, random_weights

torch = pytest.importorskip("torch")
import train_mini  # noqa: E402 (only where PyTorch is)
from mini.networks import TAPS, alignment, gram, gram_distance, project  # noqa: E402
from mini.pool import GRADIENTS, tap_of  # noqa: E402

CHANNELS = (4, 4, 4, 4, 6, 6, 6, 6, 6, 6, 6, 6, 8, 6)
SIZE = 64


@pytest.fixture
def tool(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.setattr(train_mini, "SIZE", SIZE)
    monkeypatch.setattr(train_mini, "CHANNELS", CHANNELS)
    monkeypatch.setattr(train_mini, "COORDINATES", (4, 6, 8, 8, 8, 8, 8))
    return train_mini


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    teacher = random_weights("vgg16", (6, 8, 10, 12, 12))
    rgb = Weights("vgg16", (123.0, 117.0, 104.0), (58.0, 57.0, 57.0), "RGB", teacher.layers, "random")
    write_weights(tmp_path / "teacher.h5", rgb, np.float32)
    for kind in ("art", "photos"):
        (tmp_path / "pictures" / kind).mkdir(parents=True)
        for seed in range(3):
            pixels = np.clip(picture(90, 100, seed), 0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(tmp_path / "pictures" / kind / f"{seed}.png")
    return tmp_path


def train(tool: ModuleType, monkeypatch: pytest.MonkeyPatch, folder: Path, work: str, *more: str) -> Weights:
    options = ("--teacher teacher.h5 --pictures pictures --held-back 2.png --fitted 4 --crops 8 --steps 3 --rounds 3 "
               "--round-runs 1 --round-crops 2 --round-steps 3 --window 2")  # fmt: skip
    monkeypatch.chdir(folder)
    monkeypatch.setattr(
        sys, "argv", ["train_mini.py", *options.split(), "--work", work, "--write", f"{work}.h5", *more]
    )
    tool.Training(tool.parse()).run()
    return read_weights(folder / f"{work}.h5")


def same(a: Weights, b: Weights) -> bool:
    return all(np.array_equal(a.parts(name)[part], b.parts(name)[part]) for name in a.layers for part in a.parts(name))


def test_training_goes_on_at_the_round_where_it_was_stopped(
    tool: ModuleType, monkeypatch: pytest.MonkeyPatch, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = train(tool, monkeypatch, folder, "whole")
    rounds = capsys.readouterr().out.count(" pairs ")

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as stopped:
        stopped.setattr(tool, "write_weights", stop)  # after the first round is saved
        with pytest.raises(KeyboardInterrupt):
            train(tool, stopped, folder, "parts")
    assert not (folder / "parts.h5").exists()
    capsys.readouterr()
    in_parts = train(tool, monkeypatch, folder, "parts")
    assert rounds == 4
    assert capsys.readouterr().out.count(" pairs ") == 2
    assert same(whole, in_parts)
    for work in ("whole", "parts"):
        assert sorted(path.name for path in (folder / work).glob("round*")) == ["round2", "round3"]
    assert [b.size for _, b in whole.layers.values()] == list(CHANNELS)
    assert "after round 3" in whole.source
    features = Network(whole).features(picture(48, 48, 9), ["block5_conv1"])["block5_conv1"]
    assert features.shape == (3, 3, 8)
    assert 0 < np.abs(features).max() < np.inf


def test_a_wider_student_begins_with_what_narrower_ones_have_in_the_mean(
    tool: ModuleType, monkeypatch: pytest.MonkeyPatch, folder: Path
) -> None:
    first = train(tool, monkeypatch, folder, "first", "--rounds", "0")
    second = train(tool, monkeypatch, folder, "second", "--rounds", "0", "--seed", "1")
    wider = (*CHANNELS[:-2], 12, CHANNELS[-1])
    monkeypatch.setattr(tool, "CHANNELS", wider)
    begin = ("--begin-with", "first.h5", "second.h5", "--steps", "0", "--rounds", "0")
    after = train(tool, monkeypatch, folder, "after", *begin)
    assert [b.size for _, b in after.layers.values()] == list(wider)
    kernels = [w.layers["block5_conv1"][0].astype(np.float32) for w in (first, second, after)]
    assert np.allclose(kernels[2][..., :8], (kernels[0] + kernels[1]) / 2, rtol=1e-3, atol=1e-6)
    assert not np.allclose(kernels[0], kernels[1], rtol=0.1)
    assert not after.layers["block5_conv2"][0][:, :, 8:].any()


def test_a_folder_of_another_training_is_refused(
    tool: ModuleType, monkeypatch: pytest.MonkeyPatch, folder: Path
) -> None:
    train(tool, monkeypatch, folder, "work", "--rounds", "1")
    with pytest.raises(SystemExit, match="another training"):
        train(tool, monkeypatch, folder, "work", "--seed", "1")


def exact_gradient(training: train_mini.Training, images: torch.Tensor, tap: int) -> torch.Tensor:
    """In float32, of what the pool keeps by bfloat16: two that are both rounded differ by more than either from it."""
    image, names, directions = images[:1].clone().requires_grad_(), [TAPS[tap]], [training.directions[tap]]
    (found,) = project(training.teacher(image, names), directions)
    (wanted,) = project(training.teacher(images[1:], names), directions)
    (gradient,) = torch.autograd.grad(gram_distance(found, gram(wanted)[0]), image)
    return gradient


def test_the_students_gradient_turns_towards_the_teachers(
    tool: ModuleType, monkeypatch: pytest.MonkeyPatch, folder: Path
) -> None:
    train(tool, monkeypatch, folder, "work", "--rounds", "1", "--round-steps", "1")
    training = tool.Training(tool.parse())
    training.directions = training.state["directions"]
    student = tool.Student(training.weights, CHANNELS, training.state["sizes"])
    student.load_state_dict(training.state["student"])
    trainer, pool = tool.Trainer(student, training.teacher, training.directions), training.pool(1)
    for number in range(3):
        pair = pool.pair(number)
        images, kept = torch.from_numpy(pair[0]), torch.from_numpy(pair[-1][0])
        cosines = {}
        for name in GRADIENTS:
            g = exact_gradient(training, images, TAPS.index(name))
            cosines[name] = float(torch.nn.functional.cosine_similarity(g.flatten(), kept.flatten(), dim=0))
        assert max(cosines, key=lambda name: cosines[name]) == tap_of(2 * number)
        assert cosines[tap_of(2 * number)] > 0.95
    assert float(alignment(kept, kept)) == pytest.approx(1, abs=1e-5)
    assert float(alignment(kept, -kept)) == pytest.approx(-1, abs=1e-5)
    optimiser = torch.optim.Adam(student.parameters(), lr=5e-4)  # the rounds' rate
    found = []
    for _ in range(30):
        misaligned = sum(trainer.misalignment(pool.pair(number), number) for number in range(3)) / 3
        optimiser.zero_grad()
        misaligned.backward()
        optimiser.step()
        found.append(misaligned.item())
    assert found[-1] < found[0] - 0.1
