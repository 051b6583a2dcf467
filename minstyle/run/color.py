"""Colour of images (H, W, 3), sRGB 0..255: linear light and Lab, colours of one picture for another, luminance alone.

Each of the two ways to keep a photograph's colours works before a run or after it:

- linear map (``match_colors``): before, ``match_colors(style, content)`` is the style picture of the run; after,
  ``match_colors(result, content)`` is the result in the content's colours.
- luminance: before, ``luminance_pair(content, style)`` are the pictures of the run; then, as well as after a run in
  full colour, ``transfer_luminance(result, content)`` gives the result's luminance the content's colours.

Gatys, Bethge, Hertzmann, Shechtman 2016, "Preserving color in neural artistic style transfer", describes both.

The space of luminance is "lab" (CIELAB L*, chroma kept as it is), "linear" (linear light, chroma growing with it) or
"yuv" (luma of the coded values, as in the known programs, colour differences kept). "lab" is the default, chosen by
looking at pictures of three photographs, large: in a plain sky light strokes glare with "linear", while with "lab" all
strokes have the photograph's blue. "yuv" looks nearly the same, a little paler.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from ..backend import Array, array_module
from ..errors import ImageError, RecipeError, require
from ..recipe.recipe import Recipe
from ..recipe.settings import choices_of

SPACES = ("lab", "linear", "yuv")
METHODS = choices_of(Recipe, "color_map")

# Linear sRGB to CIE XYZ (IEC 61966-2-1 primaries, D65). The rows' sums are the white point, so that grey is a = b = 0.
_XYZ = np.array(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
)
_WHITE = _XYZ.sum(axis=1)
_LUMINANCE = _XYZ[1] / _WHITE[1]  # Y of linear R, G, B; 1 for white
_LUMA = np.array([0.299, 0.587, 0.114])  # Y' of R', G', B' as they are coded: ITU-R BT.601
_EDGE = 6 / 29  # CIE 1976: below it the cube root of Lab is continued as a straight line

# Deviation in grey levels below which a direction of colour is rounding and compression, not colour. Such a direction
# is stretched as if it had this much: stretched to a full colour, a grey picture's noise would show in every hue.
NOISE = 2.0
_AT_ONCE = 1 << 16  # pixels: what a function of colours has in between takes little memory, and stays in the cache
_SUMMED = 1 << 20  # pixels whose moments are summed in one product
_DARK = 0.02  # linear luminance below which the hue of a pixel is taken for noise, gradually


def by_rows(function: Callable[..., Array], *images: Array) -> Array:
    """``function``, which makes each pixel of those in its place in images (H, W, ...), for some rows at a time.

    The numbers are the same. In one go what it has in between would be several times the images.
    """
    height, width = images[0].shape[:2]
    step = max(1, _AT_ONCE // width)
    first = function(*(image[:1] for image in images))
    whole = array_module(first).empty((height, *first.shape[1:]), first.dtype)
    for rows in (slice(top, top + step) for top in range(0, height, step)):
        whole[rows] = function(*(image[rows] for image in images))
    return whole


def to_linear(image: Array) -> Array:
    """sRGB (..., 3) in 0..255 to linear light in 0..1 (IEC 61966-2-1); values outside are clipped."""
    xp = array_module(image)
    v = (image / 255.0).clip(0, 1)
    return xp.where(v <= 0.04045, v / 12.92, ((v + 0.055) / 1.055) ** 2.4)


def from_linear(linear: Array) -> Array:
    """Linear light (..., 3) in 0..1 to sRGB in 0..255; values outside are clipped."""
    xp = array_module(linear)
    v = linear.clip(0, 1)
    return 255.0 * xp.where(v <= 0.0031308, 12.92 * v, 1.055 * v ** (1 / 2.4) - 0.055)


def to_lab(image: Array) -> Array:
    """sRGB (..., 3) in 0..255 to CIELAB of the D65 white: L 0..100, a and b about -110..100."""
    return _linear_to_lab(to_linear(image))


def from_lab(lab: Array) -> Array:
    """CIELAB (..., 3), D65, to sRGB in 0..255; a colour outside of sRGB loses chroma, not luminance."""
    linear = _lab_to_linear(lab)
    xp = array_module(lab)
    return from_linear(_into_gamut(linear, linear @ xp.asarray(_LUMINANCE, linear.dtype)))


def luminance(image: Array, space: str = "lab") -> Array:
    """(H, W) of an image (H, W, 3): L* in 0..100 ("lab"), linear Y in 0..1 ("linear"), luma Y' in 0..255 ("yuv")."""
    _check(space, "colour space", SPACES)
    xp = array_module(image)
    if space == "yuv":
        return image @ xp.asarray(_LUMA, image.dtype)
    y = to_linear(image) @ xp.asarray(_LUMINANCE, image.dtype)
    return 116 * _root(y) - 16 if space == "lab" else y


def grey_image(values: Array, space: str = "lab") -> Array:
    """The grey image (H, W, 3) that has this ``luminance`` (H, W); values outside of the space's range are clipped."""
    _check(space, "colour space", SPACES)
    xp = array_module(values)
    grey = xp.stack([values] * 3, axis=-1)
    if space == "yuv":
        return grey.clip(0, 255)
    return from_linear(_cube((grey + 16) / 116) if space == "lab" else grey)


def transfer_luminance(result: Array, content: Array, space: str = "lab") -> Array:
    """The result (H, W, 3) with the content's colours: its luminance, and the chroma of ``content`` (H, W, 3)."""
    return with_colors_of(luminance(result, space), content, space)


def with_colors_of(values: Array, content: Array, space: str = "lab") -> Array:
    """The image with luminance ``values`` (H, W), in the units of ``luminance``, and the colours of ``content``.

    A colour that sRGB does not hold at that luminance is moved towards the grey of the same luminance until it does:
    clipping each channel would shift brightness and hue from pixel to pixel.
    """
    require(content.shape == (*values.shape, 3), "colours", f"an image {(*values.shape, 3)}", content.shape, ImageError)
    _check(space, "colour space", SPACES)
    xp = array_module(values, content)
    if space == "lab":
        lab = to_lab(content)
        linear = _lab_to_linear(xp.concatenate([values[..., None].clip(0, 100), lab[..., 1:]], axis=-1))
        return from_linear(_into_gamut(linear, _cube((values.clip(0, 100) + 16) / 116)))
    if space == "linear":
        linear, y = to_linear(content), luminance(content, space)
        new = values.clip(0, 1)
        # The colour times new by old luminance, but with a large ratio the noise of dark pixels must not grow.
        gain = xp.minimum(new / y.clip(1e-9), (new + _DARK) / (y + _DARK))
        return from_linear(_into_gamut((linear - y[..., None]) * gain[..., None] + new[..., None], new))
    shift = values - luminance(content, space)
    return 255.0 * _into_gamut((content + shift[..., None]) / 255.0, values / 255.0)


def luminance_pair(
    content: Array,
    style: Array,
    space: str = "lab",
    content_weights: Array | None = None,
    style_weights: Array | None = None,
) -> tuple[Array, Array]:
    """Both pictures as grey images (H, W, 3) and (H', W', 3), the style's luminance L moved to the content's.

    L' = (L - mean_style) * deviation_content / deviation_style + mean_content: Gatys et al. 2016, section on luminance
    transfer; what leaves the range of the space is clipped. Weights (H, W) and (H', W'), such as opacity, are those of
    mean and deviation. A style picture of one luminance becomes the content's mean grey.
    """
    l_content, l_style = (by_rows(lambda rows: luminance(rows, space), image) for image in (content, style))
    mean_content, variance_content = color_moments(l_content[..., None], content_weights)
    mean_style, variance_style = color_moments(l_style[..., None], style_weights)
    smallest = float(luminance(np.full(3, NOISE), space))  # a deviation that is noise, in the units of the space
    gain = variance_content[0, 0] ** 0.5 / variance_style[0, 0].clip(smallest**2) ** 0.5

    def moved(values: Array) -> Array:
        return grey_image(((values - mean_style) * gain + mean_content).astype(values.dtype), space)

    return by_rows(lambda values: grey_image(values, space), l_content), by_rows(moved, l_style)


def match_colors(
    image: Array,
    reference: Array,
    method: str = "pca",
    image_weights: Array | None = None,
    reference_weights: Array | None = None,
) -> Array:
    """``image`` (H, W, 3) with the mean and covariance of the colours of ``reference`` (H', W', 3), not clipped.

    The linear map x -> A (x - mean_image) + mean_reference with A S_image A^T = S_reference; Gatys et al. 2016, section
    on linear colour transfer. "pca": A = S_reference^(1/2) S_image^(-1/2), symmetric roots; Hertzmann 2001. "cholesky":
    A = L_reference L_image^-1 of the Cholesky factors. Weights (H, W) and (H', W'), such as opacity, count in the
    statistics. Directions in which the image has next to no colour (``NOISE``) are not stretched to the reference's.
    """
    return match_moments(image, *color_moments(reference, reference_weights), method, image_weights)


def match_moments(
    image: Array, mean: Array, covariance: Array, method: str = "pca", weights: Array | None = None
) -> Array:
    """``image`` (H, W, 3) by the linear map of ``match_colors`` to a mean (3,) and covariance (3, 3) of colour."""
    _check(method, "colour method", METHODS)
    own_mean, own = color_moments(image, weights)
    if method == "pca":
        matrix = _power(covariance, 0.5, 0) @ _power(own, -0.5, NOISE**2)
    else:
        linalg = array_module(image).linalg  # a Cholesky factor takes positive matrices: 1e-8 is seen by nobody
        own_factor = linalg.cholesky(_power(own, 1, NOISE**2))
        matrix = linalg.cholesky(_power(covariance, 1, 1e-8)) @ linalg.inv(own_factor)
    return by_rows(lambda rows: ((rows - own_mean) @ matrix.T + mean).astype(image.dtype), image)


def color_moments(image: Array, weights: Array | None = None) -> tuple[Array, Array]:
    """Mean (C,) and covariance (C, C), in float64, of the colours of an image (H, W, C) with weights (H, W) or none.

    Raises ImageError when no pixel has weight, as in a picture that is all transparent.
    """
    if weights is not None:
        require(weights.shape == image.shape[:2], "weights of colour", image.shape[:2], weights.shape, ImageError)
        total = float(weights.sum(dtype=np.float64))
        require(total > 0, "colour", "a picture with visible pixels", "one that is all transparent", ImageError)
    xp, flat = array_module(image), image.reshape(-1, image.shape[-1])

    def parts() -> Iterator[tuple[Array, Array]]:
        """Some pixels at a time, in float64, and the share of each in the sums."""
        for some in (slice(first, first + _SUMMED) for first in range(0, len(flat), _SUMMED)):
            pixels = flat[some].astype(np.float64)
            share = xp.full(len(pixels), 1 / len(flat)) if weights is None else weights.reshape(-1)[some] / total
            yield pixels, share

    mean = sum(share @ pixels for pixels, share in parts())
    apart = ((pixels - mean, share) for pixels, share in parts())
    return mean, sum((centred * share[:, None]).T @ centred for centred, share in apart)


def _power(symmetric: Array, exponent: float, smallest: float) -> Array:
    """The matrix power by eigenvalues, none of them taken for less than ``smallest``."""
    values, vectors = array_module(symmetric).linalg.eigh(symmetric)
    return (vectors * values.clip(smallest) ** exponent) @ vectors.T


def _root(t: Array) -> Array:
    """Lab's f(t): the cube root, near black a line with the same value and slope."""
    xp = array_module(t)
    return xp.where(t > _EDGE**3, xp.cbrt(t), t / (3 * _EDGE**2) + 4 / 29)


def _cube(f: Array) -> Array:
    """The inverse of ``_root``."""
    return array_module(f).where(f > _EDGE, f**3, 3 * _EDGE**2 * (f - 4 / 29))


def _linear_to_lab(linear: Array) -> Array:
    xp = array_module(linear)
    f = _root(linear @ xp.asarray(_XYZ.T / _WHITE, linear.dtype))
    x, y, z = f[..., 0], f[..., 1], f[..., 2]
    return xp.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=-1)


def _lab_to_linear(lab: Array) -> Array:
    """Linear light of Lab, with values outside of 0..1 for colours outside of sRGB."""
    xp = array_module(lab)
    y = (lab[..., 0] + 16) / 116
    xyz = _cube(xp.stack([y + lab[..., 1] / 500, y, y - lab[..., 2] / 200], axis=-1))
    return xyz @ xp.asarray(np.linalg.inv(_XYZ.T / _WHITE), lab.dtype)


def _into_gamut(colour: Array, grey: Array) -> Array:
    """Colours (..., 3) in 0..1, those outside moved straight towards their ``grey`` (...,) in 0..1 to the border."""
    xp = array_module(colour)
    grey = grey[..., None].clip(0, 1)
    away = colour - grey
    room = xp.where(away > 0, 1 - grey, grey)  # how far each channel may go
    part = (room / xp.maximum(abs(away), 1e-12)).min(axis=-1, keepdims=True)
    return (grey + away * part.clip(0, 1)).clip(0, 1)


def _check(name: str, what: str, known: tuple[str, ...]) -> None:
    if name not in known:
        raise RecipeError(f"unknown {what} {name!r}: known are {', '.join(known)}")
