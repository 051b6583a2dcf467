"""How near must a network come to VGG16? ``python training/cut_vgg.py VGG16 OUT --keep 0.97 --pictures DIR``.

Writes VGG16 with each layer's responses reduced to their leading principal components, which hold a share --keep of
their variance over crops of the pictures (Zhang, Zou, He, Sun 2015, without the fitting). It is no smaller and no
faster, but as blind as a network with so many channels; ``score_mini.py OUT VGG16 --pairs ...`` then tells what a style
transfer loses by it. Prints how many components each layer has left, and at the layers that losses read which part of
the features' energy is right (1 - |F' - F|^2 / |F|^2): roughly 1 less what ``train_mini.py`` prints of features.
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from mini.crops import Crops
from mini.networks import LAST, TAPS, Teacher, begins_block, to_input
from minstyle.network.weightfile import Weights, read_weights, write_weights


def principal(responses: torch.Tensor, keep: float) -> tuple[torch.Tensor, torch.Tensor]:
    """Of maps (N, C, H, W): the mean (C,) and the leading directions (C, k) that hold ``keep`` of the variance."""
    flat = responses.transpose(0, 1).flatten(1)
    mean = flat.mean(1)
    values, vectors = torch.linalg.eigh(torch.cov(flat).double())
    held = values.flip(0).cumsum(0) / values.sum()
    k = int((held < keep).sum()) + 1
    return mean, vectors.flip(1)[:, :k].float()


@torch.no_grad()
def cut(weights: Weights, images: torch.Tensor, keep: float) -> Weights:
    """The network through block5_conv2 with its responses reduced: y -> mean + P P^T (y - mean)."""
    teacher, layers = Teacher(weights), {}
    whole = reduced = to_input(images, weights)
    for name, (kernel, bias) in weights.layers.items():
        if begins_block(name):
            whole, reduced = functional.max_pool2d(whole, 2), functional.max_pool2d(reduced, 2)
        responses = teacher.convolve(name, whole)
        mean, directions = principal(responses, keep)
        projector = directions @ directions.T  # (C, C)
        cut_bias = mean + projector @ (torch.from_numpy(np.asarray(bias, np.float32)) - mean)
        layers[name] = (np.asarray(kernel, np.float32) @ projector.numpy(), cut_bias.numpy())
        changed = torch.from_numpy(layers[name][0].transpose(3, 2, 0, 1).copy())
        whole = functional.relu(responses)
        reduced = functional.relu(functional.conv2d(reduced, changed, cut_bias, padding=1))
        right = 1 - float((reduced - whole).square().sum() / whole.square().sum())
        note = f"  right {right:.3f}" if name in TAPS else ""
        print(f"{name}: {directions.shape[1]} of {len(mean)} components{note}", flush=True)
        if name == LAST:
            break
    source = f"{weights.source}; responses cut to {keep} of their variance by training/cut_vgg.py"
    return dataclasses.replace(weights, layers=layers, source=source)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("vgg16", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--keep", type=float, required=True, help="share of the variance, up to 1")
    parser.add_argument("--pictures", type=Path, required=True, help="a folder with photos/ and art/")
    parser.add_argument("--held-back", nargs="*", default=[], metavar="NAME", help="files not to look at")
    parser.add_argument("--crops", type=int, default=32, help="of 256 pixels")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    crops = islice(Crops(options.pictures, options.seed, 256, options.held_back), options.crops)
    images = torch.from_numpy(np.stack(list(crops))).permute(0, 3, 1, 2)
    write_weights(options.out, cut(read_weights(options.vgg16), images, options.keep), np.float32)


if __name__ == "__main__":
    main()
