"""VGG16 with fewer components a layer: all of them change nothing, few make it blind to the rest."""

from __future__ import annotations

import numpy as np
import pytest

from minstyle.network.vgg import Network
from minstyle.network.weightfile import Weights
from tests.support.small import picture, random_weights

torch = pytest.importorskip("torch")
from cut_vgg import cut  # noqa: E402 (only where PyTorch is)


def test_what_is_cut_is_what_varies_least(capsys: pytest.CaptureFixture[str]) -> None:
    layers = random_weights("vgg16", (6, 8, 10, 12, 12)).layers
    vgg = Weights("vgg16", (123.0, 117.0, 104.0), (58.0, 57.0, 57.0), "RGB", layers, "random")
    images = torch.from_numpy(np.stack([picture(64, 64, seed) for seed in range(4)])).permute(0, 3, 1, 2).float()
    image, tap = picture(64, 64, 9), "block5_conv1"
    wanted = Network(vgg).features(image, [tap])[tap]
    errors = []
    for keep in (1.0, 0.9, 0.5):
        found = Network(cut(vgg, images, keep)).features(image, [tap])[tap]
        errors.append(np.linalg.norm(found - wanted) / np.linalg.norm(wanted))
    assert errors[0] < 1e-4 < errors[1] < errors[2]
    printed = [line for line in capsys.readouterr().out.splitlines() if line.startswith("block1_conv1")]
    assert printed[0].startswith("block1_conv1: 6 of 6")
    kept = [int(line.split()[1]) for line in printed]
    assert kept == sorted(kept, reverse=True)
    assert kept[2] < 6
