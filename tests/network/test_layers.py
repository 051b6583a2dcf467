"""network/layers.py: the names of layers, their blocks, and the one name of each."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minstyle.network.layers import block_of, canonical, layer_names


@pytest.mark.parametrize(("layer", "block"), [
    ("block1_conv1", 1), ("block2_pool", 2), ("block3_conv4_linear", 3), ("block4_conv2", 4), ("block5_pool", 5),
])  # fmt: skip
def test_a_layer_s_block_is_in_its_name(layer: str, block: int) -> None:
    assert block_of(layer) == block


@pytest.mark.parametrize(("network", "counts"), [("vgg16", (3, 3, 4, 4, 4)), ("vgg19", (3, 3, 5, 5, 5))])
def test_each_block_has_its_convolutions_and_a_pooling(network: str, counts: tuple[int, ...]) -> None:
    blocks = [block_of(name) for name in layer_names(network)]
    assert blocks == sorted(blocks)
    assert tuple(map(blocks.count, range(1, 6))) == counts


@pytest.mark.parametrize("name", layer_names("vgg19"))
def test_each_layer_has_its_synonyms_and_is_its_own_canonical_name(name: str) -> None:
    block, number = block_of(name), name.rpartition("conv")[2]
    assert canonical(name) == name
    if name.endswith("pool"):
        assert canonical(f"pool{block}") == name
    else:
        assert canonical(f"conv{block}_{number}") == canonical(f"relu{block}_{number}") == name
        assert canonical(f"conv{block}_{number}_linear") == canonical(f"{name}_linear") == f"{name}_linear"


@given(st.text(max_size=12) | st.from_regex(r"(conv|relu|pool|block)[0-9]?_?[0-9]?(_linear)?", fullmatch=True))
def test_a_canonical_name_stays(layer: str) -> None:
    assert canonical(canonical(layer)) == canonical(layer)
