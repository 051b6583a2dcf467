"""Start images (H, W, 3): noise of several spectra, grey, the content, the styles' colours, and mixtures with noise.

The same seed gives the same picture. Noise and what is made of it may leave 0..255: the optimiser takes any values.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..errors import RecipeError, require
from ..recipe.recipe import FILE, NOISES, Recipe
from ..recipe.settings import choices_of
from .color import color_moments, match_moments

STARTS = tuple(start for start in choices_of(Recipe, "init") if start != FILE)


def start_image(
    kind: str,
    content: np.ndarray,
    styles: Sequence[np.ndarray],
    *,
    mean_color: Sequence[float],
    noise: str = "white",
    mix: float = 0.0,
    seed: int = 0,
    deviation: float = 0.001,
    blend: Sequence[float] | None = None,
    opacities: Sequence[np.ndarray | None] | None = None,
) -> np.ndarray:
    """The image (H, W, 3), of the content's shape, that a run starts from; (1 - ``mix``) of it and ``mix`` of noise.

    - "noise": see ``noise_image``.
    - "grey": ``mean_color`` (RGB, the network's mean) and normal noise of ``deviation`` in grey levels: 0.001 in
      jcjohnson/neural-style, 0.256 in anishathalye/neural-style.
    - "content": the content (H, W, 3).
    - "style": noise with the mean and covariance of the colours of ``styles``, each (H', W', 3), averaged over them
      with weights ``blend`` (even for None). After style_stats of crowsonkb/style-transfer-pytorch, which has the
      channels' variances only. ``opacities`` (H', W') or None, one a style, count in the statistics.

    Raises RecipeError for an unknown kind or noise and numbers out of range, ImageError for a style all transparent.
    """
    if kind not in STARTS:
        raise RecipeError(f"unknown start {kind!r}: known are {', '.join(STARTS)}")
    require(0 <= mix <= 1, "mix of noise", "a part in 0..1", mix, RecipeError)
    require(0 <= deviation < np.inf, "deviation of grey", "a number of grey levels from 0", deviation, RecipeError)
    if kind == "content":
        start = content
    elif kind == "grey":
        normal = np.random.default_rng(seed).standard_normal(content.shape)
        start = np.asarray(mean_color, np.float64) + deviation * normal
    elif kind == "style":
        # A seed of its own: the same noise again, mixed in, would only change the contrast.
        start = match_moments(noise_image(content.shape, noise, (seed, 1)), *_blended(styles, blend, opacities))
    else:
        start = noise_image(content.shape, noise, seed)
    if mix == 0 or kind == "noise":
        return start
    return (1 - mix) * start + mix * noise_image(content.shape, noise, seed)


def noise_image(shape: tuple[int, ...], noise: str = "white", seed: int | Sequence[int] = 0) -> np.ndarray:
    """Noise (H, W, 3): "white", uniform in 0..255; or "pink", "brown", normal with power 1 / f and 1 / f^2.

    Pink and brown have in each channel the mean 127.5 and the deviation of the uniform noise, 255 / sqrt(12). They are
    white normal noise with its Fourier transform times f^(-p / 2), so that opposite edges continue each other.
    """
    if noise not in NOISES:
        raise RecipeError(f"unknown noise {noise!r}: known are {', '.join(NOISES)}")
    generator = np.random.default_rng(seed)
    if noise == "white":
        return generator.uniform(0, 255, shape)
    height, width = shape[:2]
    f = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width))
    f[0, 0] = np.inf  # the mean is set below
    spectrum = np.fft.rfft2(generator.standard_normal(shape), axes=(0, 1)) * f[..., None] ** (-NOISES[noise] / 2)
    field = np.fft.irfft2(spectrum, s=(height, width), axes=(0, 1))
    scaled: np.ndarray = 127.5 + field * (255 / 12**0.5 / field.std(axis=(0, 1)).clip(1e-12))
    return scaled


def _blended(
    styles: Sequence[np.ndarray], blend: Sequence[float] | None, opacities: Sequence[np.ndarray | None] | None
) -> tuple[np.ndarray, np.ndarray]:
    """Mean (3,) and covariance (3, 3) of colour, averaged over the styles."""
    require(len(styles) > 0, "start from the style", "at least one style picture", 0, RecipeError)
    weights = np.ones(len(styles)) if blend is None else np.asarray(blend, np.float64)
    good = len(weights) == len(styles) and bool((weights >= 0).all()) and 0 < weights.sum() < np.inf
    require(good, "blend", f"{len(styles)} weights from 0, not all 0", blend, RecipeError)
    seen = opacities if opacities is not None else [None] * len(styles)
    require(len(seen) == len(styles), "opacities of styles", len(styles), len(seen), RecipeError)
    each = [color_moments(style, opacity) for style, opacity in zip(styles, seen, strict=True)]
    means, covariances = (np.tensordot(weights / weights.sum(), np.stack(m), 1) for m in zip(*each, strict=True))
    return means, covariances
