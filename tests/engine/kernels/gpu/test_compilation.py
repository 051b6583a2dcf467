"""engine/kernels/gpu/sources: NVIDIA's compiler takes them for each kind of card. It needs no card, but its library."""

from __future__ import annotations

import ctypes
import importlib.util
from collections.abc import Callable
from pathlib import Path

import pytest

from minstyle.engine.kernels.gpu import compiled

SOURCES = sorted(path.name for path in Path(compiled.__file__).parent.joinpath("sources").glob("*.cu"))
# Compute capability and PRODUCT: cards of 2018, 2020, Hopper with its own instructions, the latest.
CARDS = [("sm_75", 0), ("sm_80", 1), ("sm_90a", 2), ("sm_120", 1)]
CASES = [(source, *card, 0, "") for source in SOURCES for card in CARDS]
CASES += [("convolution.cu", *card, narrow, "") for card in CARDS[1:] for narrow in (1, 2)]
# In float32, as every run ends, and other cards; of convolution.cu one kernel, as it is compiled for a run.
CASES += [("convolution.cu", card, 0, 0, "convolve_relu_pool_64_2") for card in ("sm_80", "sm_90", "sm_120")]
CASES += [("convolution.cu", card, 1, narrow, "convolve_relu_64_2") for card in ("sm_86", "sm_89") for narrow in (0, 2)]
# With little shared memory: 64 KB, and tiles of 128 channels in 99.
CASES += [
    ("convolution.cu", "sm_75", 0, 0, f"{name} -DSHALLOW=1") for name in ("convolve_relu_pool_64_1", "product_64_1")
]
CASES += [("convolution.cu", card, 1, 0, "convolve_relu_128_1 -DSHALLOW=1") for card in ("sm_86", "sm_120")]
CASES += [("gram.cu", card, 0, 0, "") for card in ("sm_80", "sm_90", "sm_120")]


def nvrtc() -> ctypes.CDLL | None:
    """The library of the package nvidia-cuda-nvrtc, where it is installed."""
    found = importlib.util.find_spec("nvidia")
    places = list(found.submodule_search_locations or ()) if found else []
    files = [file for place in places for file in sorted(Path(place).rglob("libnvrtc.so.*")) if "alt" not in file.name]
    return ctypes.CDLL(str(files[0])) if files else None


@pytest.fixture(scope="module")
def compile_for() -> Callable[[str, str, int, int, str], str]:
    """What compiles a source for a card: it returns the compiler's log, and fails with it."""
    library = nvrtc()
    if library is None:
        pytest.skip("the package nvidia-cuda-nvrtc is not installed")

    def compile_for(source: str, card: str, product: int, narrow: int, only: str) -> str:
        program, size = ctypes.c_void_p(), ctypes.c_size_t()
        text = compiled.sources_in_one(source).encode()
        assert library.nvrtcCreateProgram(ctypes.byref(program), text, source.encode(), 0, None, None) == 0
        defined = [f"-DPRODUCT={product}", f"-DNARROW={narrow}"]
        options = [f"--gpu-architecture={card}", *defined, "-std=c++17", "-default-device"]
        options += f"-DONLY={only}".split() if only else []
        passed = (ctypes.c_char_p * len(options))(*map(str.encode, options))
        failed = library.nvrtcCompileProgram(program, len(options), passed)
        library.nvrtcGetProgramLogSize(program, ctypes.byref(size))
        log = ctypes.create_string_buffer(size.value)
        library.nvrtcGetProgramLog(program, log)
        library.nvrtcDestroyProgram(ctypes.byref(program))
        assert not failed, log.value.decode()
        return log.value.decode()

    return compile_for


@pytest.mark.parametrize(("source", "card", "product", "narrow", "only"), CASES)
def test_every_source_compiles(
    source: str, card: str, product: int, narrow: int, only: str, compile_for: Callable[..., str]
) -> None:
    log = compile_for(source, card, product, narrow, only)
    assert "serialized" not in log, "wgmma would wait after each instruction"
    assert "warning" not in log
