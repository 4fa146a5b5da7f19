"""Three bands as a colour picture."""

import numpy as np
import pytest
from astropy.io import fits
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from morpheus.errors import OptionError
from morpheus.visual import lupton_rgb, rgb_planes
from morpheus.visual.rgb import sky_level
from morpheus.visual.style import NO_DATA


@pytest.fixture
def sky():
    """A noisy sky of level 5 with a galaxy, 80 x 100."""
    rng = np.random.default_rng(3)
    y, x = np.indices((80, 100))
    galaxy = 100 * np.exp(-np.hypot(x - 50, y - 40) / 6)
    return (5 + rng.normal(0, 1, (80, 100)) + galaxy).astype(np.float32)


def test_equal_bands_are_grey_and_brighter_is_brighter(sky):
    rgb = lupton_rgb(sky, sky, sky)
    assert rgb.shape == (80, 100, 3)
    assert rgb.dtype == np.float32
    np.testing.assert_allclose(rgb, rgb[..., :1].repeat(3, axis=2), atol=1e-6)
    order = np.argsort(sky.ravel())
    assert (np.diff(rgb[..., 0].ravel()[order]) >= -1e-6).all()
    assert rgb.max() > 0.5
    assert np.median(rgb) < 0.15  # the sky is dark, and not black
    assert np.median(rgb) > 0.02


def test_units_and_pedestals_of_the_bands_do_not_matter(sky):
    expected = lupton_rgb(sky, sky, sky)
    rgb = lupton_rgb(0.01 * sky.astype(float), 1000 + sky.astype(float), 7 * sky.astype(float))
    np.testing.assert_allclose(rgb, expected, atol=1e-3)


def test_red_is_red(sky):
    rng = np.random.default_rng(4)
    blue = rng.normal(0, 1, sky.shape)
    rgb = lupton_rgb(sky, 0.3 * (sky - 5) + rng.normal(0, 1, sky.shape), blue, scales=(1, 1, 1))
    red, green, dark = rgb[36:45, 46:55].mean(axis=(0, 1))
    assert red > green > dark


def test_pixels_without_a_value_are_grey(sky):
    holed = sky.copy()
    holed[3, 4], holed[5, 6] = np.nan, np.inf
    mask = np.zeros(sky.shape, bool)
    mask[7, 8] = True
    rgb = lupton_rgb(holed, sky, sky, mask=mask)
    grey = (rgb == np.float32(NO_DATA)).all(axis=2)
    assert set(zip(*np.nonzero(grey), strict=True)) == {(3, 4), (5, 6), (7, 8)}


def test_nothing_to_see(sky):
    everything = np.ones(sky.shape, bool)
    np.testing.assert_array_equal(lupton_rgb(sky, sky, sky, mask=everything), np.float32(NO_DATA))
    empty = np.full((4, 5), np.nan)
    np.testing.assert_array_equal(lupton_rgb(empty, empty, empty), np.float32(NO_DATA))
    for level in (0.0, -3.0, 7.0):
        constant = np.full((4, 5), level)
        rgb = lupton_rgb(constant, constant, constant)
        assert np.ptp(rgb) == 0
        assert rgb.max() < 0.2
    assert lupton_rgb(sky - 1000, sky - 1000, sky - 1000).max() > 0.5
    assert lupton_rgb(*np.zeros((3, 0, 4))).shape == (0, 4, 3)


def test_only_noise_stays_dark():
    bands = np.random.default_rng(5).normal(0, 1, (3, 100, 100))
    assert np.percentile(lupton_rgb(*bands), 99) < 0.45


def test_a_star_does_not_darken_the_rest(sky):
    y, x = np.indices(sky.shape)
    star = sky + 1e5 * np.exp(-((x - 10) ** 2 + (y - 10) ** 2) / 4).astype(np.float32)
    without, with_star = lupton_rgb(sky, sky, sky), lupton_rgb(star, star, star)
    assert with_star[40, 50].min() > 0.5 * without[40, 50].min()
    assert with_star[10, 10].max() == 1


def test_stretch_and_q(sky):
    faint = lupton_rgb(sky, sky, sky, stretch=4)
    assert np.median(faint) > np.median(lupton_rgb(sky, sky, sky, stretch=40))
    assert not np.allclose(faint, lupton_rgb(sky, sky, sky, stretch=4, q=2))


def test_blocks_of_rows_change_nothing(monkeypatch, sky):
    whole = lupton_rgb(sky, sky[::-1], sky)
    monkeypatch.setattr("morpheus.visual.colors._BLOCK_PIXELS", 777)
    np.testing.assert_array_equal(lupton_rgb(sky, sky[::-1], sky), whole)


@settings(max_examples=50, deadline=None)
@given(
    arrays(
        np.float32,
        st.tuples(st.just(3), st.integers(1, 8), st.integers(1, 8)),
        elements=st.floats(-1e6, 1e6, width=32) | st.sampled_from([np.nan, np.inf, 0.0]),
    )
)
def test_always_a_picture_and_never_a_warning(bands):
    rgb = lupton_rgb(*bands)
    assert rgb.shape == (*bands.shape[1:], 3)
    assert (rgb >= 0).all()
    assert (rgb <= 1).all()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"q": 0}, "q is 0"),
        ({"stretch": -1.0}, "stretch is -1.0"),
        ({"stretch": np.nan}, "stretch is nan"),
        ({"scales": (1, 2)}, "there must be 3"),
        ({"scales": (1, 2, 0)}, "above 0"),
        ({"mask": np.zeros((2, 2), bool)}, "must share one"),
    ],
)
def test_impossible_options(sky, options, message):
    with pytest.raises(OptionError, match=message):
        lupton_rgb(sky, sky, sky, **options)


def test_the_sky_is_found_beneath_sources(sky):
    level = sky_level(sky)
    assert level.level == pytest.approx(5, abs=0.5)
    assert level.noise == pytest.approx(1, abs=0.2)
    assert sky_level(np.full(9, 4.0)) == sky_level(np.full((3, 3), 4.0))
    assert sky_level(np.full(9, np.nan)).noise == 1


@pytest.mark.parametrize("frame", ["xdf_3", "hlf_1903", "candels_GDS_ers2_14546", "star_0"])
def test_real_frames(shared, frame):
    bands = [
        fits.getdata(shared / "real" / frame / f"{name}_sci.fits")
        for name in ("f160w", "f850lp", "f606w")
    ]
    rgb = lupton_rgb(*bands)
    assert rgb.max() > 0.6
    assert np.percentile(rgb, 10) < 0.15


def test_one_band_is_grey_and_two_have_their_mean_between_them(sky):
    rgb = lupton_rgb(*rgb_planes([sky]))
    np.testing.assert_allclose(rgb, rgb[..., :1].repeat(3, axis=2), atol=1e-6)
    assert rgb.max() > 0.5
    three = [sky, sky, sky]
    assert all(a is b for a, b in zip(rgb_planes(three), three, strict=True))
    # Of other units and levels: the mean is of what is seen, not of what the files say.
    rng = np.random.default_rng(8)
    y, x = np.indices(sky.shape)
    red = sky + 60 * np.exp(-np.hypot(x - 20, y - 40) / 3)
    blue = 0.01 * (sky + rng.normal(0, 1, sky.shape) + 60 * np.exp(-np.hypot(x - 80, y - 40) / 3))
    first, green, last = rgb_planes([red, blue])
    assert first is red
    assert last is blue
    assert green[40, 20] == pytest.approx(green[40, 80], rel=0.4)
    picture = lupton_rgb(first, green, last)
    assert picture[40, 20, 0] > picture[40, 20, 1] > picture[40, 20, 2]
    assert picture[40, 80, 0] < picture[40, 80, 1] < picture[40, 80, 2]
    for images in ([], [sky] * 4):
        with pytest.raises(OptionError, match="one, two or three images"):
            rgb_planes(images)
