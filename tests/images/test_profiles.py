"""images/profiles.py and images/curves.py: colours against published numbers and against Little CMS."""

from __future__ import annotations

import io
import struct

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms

from minstyle.images.curves import Parametric, Table, parse_matrix_profile
from minstyle.images.profiles import cmyk_to_srgb, from_srgb, lab_to_srgb, own_profile, srgb_profile, to_srgb
from tests.support import icc_profiles as icc

SPACES = {"Adobe RGB": (icc.ADOBE_RGB, 563 / 256), "ProPhoto": (icc.PROPHOTO, 1.8)}
SRGB_CURVE = (2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)
SRGB_TABLE = icc.table(Parametric(*SRGB_CURVE).forward(np.linspace(0, 1, 1024)).tolist())
COLOURS = np.random.default_rng(0).uniform(0, 255, (30, 40, 3)).astype(np.float32)


@pytest.mark.parametrize("name", SPACES)
def test_colours_of_known_spaces_agree_with_the_published_numbers(name: str) -> None:
    matrix, exponent = SPACES[name]
    found = to_srgb(COLOURS, icc.matrix_profile(matrix, icc.gamma(exponent)))
    expected = icc.expected_srgb(COLOURS, matrix, exponent)
    assert np.abs(expected - COLOURS).max() > 30  # the spaces differ
    error = np.abs(found - expected)
    assert error.mean() < 0.05
    assert error.max() < 1.5  # near black: the two programs round the primaries in the fourth decimal


@pytest.mark.parametrize(
    "curve",
    [
        icc.gamma(2.2),
        icc.table(np.linspace(0, 1, 33) ** 1.7),
        icc.table([]),
        icc.parametric(0, 2.1),
        icc.parametric(1, 2.0, 0.95, 0.05),
        icc.parametric(2, 2.0, 0.9, 0.08, 0.02),
        icc.parametric(3, *SRGB_CURVE),
        icc.parametric(4, 2.2, 0.92, 0.06, 0.1, 0.05, 0.01, 0.002),
    ],
    ids=["gamma", "table", "identity", "para 0", "para 1", "para 2", "para 3", "para 4"],
)
def test_every_kind_of_curve_agrees_with_little_cms(curve: bytes) -> None:
    profile = icc.matrix_profile(icc.ADOBE_RGB, curve)
    whole = np.rint(COLOURS)
    theirs = ImageCms.profileToProfile(
        Image.fromarray(whole.astype(np.uint8)),
        ImageCms.ImageCmsProfile(io.BytesIO(profile)),
        ImageCms.createProfile("sRGB"),
        renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
        flags=ImageCms.Flags.NOOPTIMIZE,
    )
    assert np.abs(to_srgb(whole, profile) - np.asarray(theirs)).max() < 1.5


@pytest.mark.parametrize("name", SPACES)
@given(level=st.tuples(*[st.floats(0, 255, width=32)] * 3))
@settings(max_examples=40, deadline=None)
def test_into_a_wider_space_and_back_is_the_same_colour(name: str, level: tuple[float, ...]) -> None:
    matrix, exponent = SPACES[name]
    profile = icc.matrix_profile(matrix, icc.gamma(exponent))
    image = np.float32(level).reshape(1, 1, 3)
    there, embedded = from_srgb(image, profile)
    assert embedded == profile
    # Pure colours may lie a hair outside the wider space.
    np.testing.assert_allclose(to_srgb(there, profile), image, atol=0.2)


def test_fractions_of_a_level_are_kept() -> None:
    ramp = np.linspace(100, 110, 5000, dtype=np.float32).reshape(1, -1, 1).repeat(3, 2)
    steps = np.diff(to_srgb(ramp, icc.matrix_profile(icc.ADOBE_RGB, icc.gamma(1.8)))[0, :, 1])
    assert (steps > 0).all()
    assert steps.max() < 0.01


@given(x=st.floats(0, 1), kind=st.sampled_from(["gamma", "sRGB", "offset", "table"]))
@example(x=0.05, kind="offset")  # where that curve jumps
def test_a_curve_and_its_inverse_undo_each_other(x: float, kind: str) -> None:
    curve = {
        "gamma": Parametric(2.2),
        "sRGB": Parametric(*SRGB_CURVE),
        "offset": Parametric(2.2, 0.92, 0.06, 0.1, 0.05, 0.01, 0.002),
        "table": Table(np.linspace(0, 1, 100) ** 2),
    }[kind]
    y = curve.forward(np.array([x]))
    np.testing.assert_allclose(curve.forward(curve.inverse(y)), y, atol=1e-9)


# Which profile is which


@pytest.mark.parametrize("curve", [icc.parametric(3, *SRGB_CURVE), SRGB_TABLE], ids=["formula", "table"])
def test_srgb_is_known_by_what_it_does(curve: bytes) -> None:
    profile = icc.matrix_profile(icc.SRGB, curve)
    assert to_srgb(COLOURS, profile) is COLOURS
    assert own_profile(profile) is None
    image, embedded = from_srgb(COLOURS, profile)
    assert image is COLOURS
    assert embedded == srgb_profile()


def test_a_result_goes_back_into_an_rgb_space_only() -> None:
    adobe = icc.matrix_profile(icc.ADOBE_RGB, icc.gamma(2.2))
    both = icc.profile(b"RGB ", b"Lab ", icc.GREY_TABLES | icc.BACK)
    assert own_profile(adobe) == adobe
    assert own_profile(both) == both
    one_way = icc.profile(b"RGB ", b"Lab ", icc.GREY_TABLES, b"scnr")
    for other in (None, icc.cmyk_profile(), icc.grey_profile(icc.gamma(2.2)), one_way, srgb_profile(), b"nonsense"):
        assert own_profile(other) is None


def test_the_embedded_profile_is_the_same_at_any_time_and_opens() -> None:
    assert srgb_profile()[24:36] == struct.pack(">6H", 2000, 1, 1, 0, 0, 0)
    opened = ImageCms.ImageCmsProfile(io.BytesIO(srgb_profile()))
    assert "sRGB" in ImageCms.getProfileDescription(opened)


# Other kinds of profile


@pytest.mark.parametrize("level", [0, 64, 128, 200, 255])
def test_lookup_tables_are_followed_there_and_back(level: int) -> None:
    profile = icc.profile(b"RGB ", b"Lab ", icc.GREY_TABLES | icc.BACK)
    stored = np.full((2, 2, 3), level, np.float32)
    image = to_srgb(stored, profile)
    np.testing.assert_allclose(image, icc.grey_of_lightness(100 * level / 255), atol=1.6)
    back, embedded = from_srgb(image, profile)
    assert embedded == profile
    np.testing.assert_allclose(back, stored, atol=2)


def test_fractions_pass_by_lookup_tables() -> None:
    profile = icc.profile(b"RGB ", b"Lab ", icc.GREY_TABLES | icc.BACK)
    whole = to_srgb(np.full((1, 1, 3), 100, np.float32), profile)
    np.testing.assert_allclose(to_srgb(np.full((1, 1, 3), 100.25, np.float32), profile), whole + 0.25, atol=1e-4)


def test_grey_of_another_exponent_becomes_grey_of_srgb() -> None:
    grey = np.linspace(0, 255, 256, dtype=np.float32).reshape(1, -1, 1)
    found = to_srgb(grey, icc.grey_profile(icc.gamma(1.0)))
    expected = 255 * icc.srgb_encoded(grey.astype(np.float64) / 255)
    np.testing.assert_allclose(found, expected.repeat(3, 2), atol=0.05)


def test_grey_with_a_profile_of_colours_follows_it() -> None:
    profile = icc.matrix_profile(icc.ADOBE_RGB, icc.gamma(1.8))
    grey = np.full((2, 2, 1), 90, np.float32)
    np.testing.assert_array_equal(to_srgb(grey, profile), to_srgb(grey.repeat(3, 2), profile))


def test_cmyk_follows_its_profile_and_the_plain_formula_without() -> None:
    cyan = np.full((2, 2, 4), (255, 0, 0, 0), np.uint8)
    grey = icc.grey_of_lightness(50)
    np.testing.assert_allclose(cmyk_to_srgb(cyan, icc.cmyk_profile()), np.full((2, 2, 3), grey), atol=2)
    for broken in (None, icc.cmyk_profile()[:300], icc.matrix_profile(icc.SRGB, SRGB_TABLE)):
        np.testing.assert_array_equal(cmyk_to_srgb(cyan, broken)[0, 0], [0, 255, 255])


def test_lab_is_cielab() -> None:
    for lightness in (0, 5, 50.2, 100):
        grey = lab_to_srgb(np.float32([[[lightness, 0, 0]]]))
        np.testing.assert_allclose(grey[0, 0], [icc.grey_of_lightness(lightness)] * 3, atol=0.05)
    red = lab_to_srgb(np.float32([[[54.29, 80.81, 69.89]]]))  # sRGB's red, by Bruce Lindbloom's calculator, under D50
    np.testing.assert_allclose(red[0, 0], [255, 0, 0], atol=1)


# Broken ones

ADOBE = icc.matrix_profile(icc.ADOBE_RGB, icc.table((np.linspace(0, 1, 64) ** 2.2).tolist()))
BROKEN = {
    "empty": b"",
    "text": b"not a profile" * 40,
    "cut": ADOBE[:150],
    "singular": icc.matrix_profile([[1, 1, 1]] * 3, icc.gamma(2)),
    "falling": icc.matrix_profile(icc.SRGB, icc.table([1, 0])),
    "no exponent": icc.matrix_profile(icc.SRGB, icc.gamma(0)),
    "no slope": icc.matrix_profile(icc.SRGB, icc.parametric(1, 2, 0, 0)),
    "endless table": icc.matrix_profile(icc.SRGB, b"curv\0\0\0\0\xff\xff\xff\xff"),
    "unknown function": icc.matrix_profile(icc.SRGB, icc.parametric(9, 1)),
    "endless directory": ADOBE[:128] + b"\xff\xff\xff\xff" + ADOBE[132:],
}


@pytest.mark.parametrize("profile", BROKEN.values(), ids=BROKEN)
def test_a_broken_profile_is_no_matrix_and_no_failure(profile: bytes) -> None:
    if profile[:132] != ADOBE[:128] + b"\xff\xff\xff\xff":  # its tags can still be read
        assert parse_matrix_profile(profile) is None
    image = to_srgb(COLOURS, profile)
    assert image.shape == COLOURS.shape
    assert np.isfinite(image).all()
    assert from_srgb(COLOURS, profile)[0].shape == COLOURS.shape


@given(damage=st.lists(st.tuples(st.integers(0, len(ADOBE) - 1), st.integers(0, 255)), max_size=8))
@settings(max_examples=150, deadline=None)
def test_a_damaged_profile_gives_an_image(damage: list[tuple[int, int]]) -> None:
    content = bytearray(ADOBE)
    for place, value in damage:
        content[place] = value
    for image in (to_srgb(COLOURS, bytes(content)), from_srgb(COLOURS, bytes(content))[0]):
        assert image.shape == COLOURS.shape
        assert np.isfinite(image).all()
        assert 0 <= image.min() <= image.max() <= 255
