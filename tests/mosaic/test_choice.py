"""Which image is which band, where a model does with some of its bands."""

import re

import numpy as np
import pytest
from astropy.io import fits

from morpheus.errors import OptionError
from morpheus.mosaic import MosaicWarning
from morpheus.mosaic.choice import choose_bands, choose_images

BANDS = ("F160W", "F125W", "F606W", "F850LP")
OTHERS = {"F125W": ("F105W", "F110W"), "F850LP": ("F814W",)}


@pytest.mark.parametrize(
    ("names", "given", "absent", "substituted", "unused"),
    [
        (BANDS, BANDS, (), {}, ()),
        (("f606w", "F160W"), ("F160W", "F606W"), ("F125W", "F850LP"), {}, ()),
        (
            ("F814W", "F105W"),
            ("F105W", "F814W"),
            ("F160W", "F606W"),
            {"F125W": "F105W", "F850LP": "F814W"},
            (),
        ),
        (("F105W", "F125W"), ("F125W",), ("F160W", "F606W", "F850LP"), {}, ("F105W",)),
        # of two alternatives, the one that the model names first
        (
            ("F110W", "F105W"),
            ("F105W",),
            ("F160W", "F606W", "F850LP"),
            {"F125W": "F105W"},
            ("F110W",),
        ),
    ],
)
def test_what_stands_for_each_band(names, given, absent, substituted, unused):
    choice = choose_bands(names, BANDS, OTHERS)
    assert choice.given == given
    assert choice.absent == absent
    assert choice.substituted == substituted
    assert choice.unused == unused
    assert [b for b in BANDS if b not in absent] == list(choice.bands)
    assert choice.record() == {
        "given": list(given),
        "absent": list(absent),
        "substituted": substituted,
    }


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ((), "any of them or all; none was given"),
        (("F160W", "K"), r"F105W or F110W for F125W, F814W for F850LP.*; K is none of them"),
        (("F160W", "f160w"), "F160W is given twice"),
    ],
)
def test_names_that_cannot_be(names, message):
    with pytest.raises(OptionError, match=message):
        choose_bands(names, BANDS, OTHERS)


def image(band=None, shape=(6, 7)):
    header = fits.Header() if band is None else fits.Header({"FILTER": band})
    return np.zeros(shape, np.float32), header


def test_fewer_images_are_named_by_their_headers(tmp_path):
    fits.writeto(tmp_path / "a.fits", *image("F606W"))
    pair = image("F105W")
    choice, images, order = choose_images([tmp_path / "a.fits", pair], BANDS, OTHERS)
    assert choice.given == ("F105W", "F606W")
    assert images["F606W"] == tmp_path / "a.fits"
    assert images["F105W"] is pair
    assert order == ("F606W", "F105W")  # as maps without names are


def test_all_images_in_any_order_are_named_by_their_headers(tmp_path):
    """As a shell lists them: f125w.fits comes before f160w.fits."""
    files = []
    for name in sorted(BANDS):
        files.append(tmp_path / f"{name}.fits")
        fits.writeto(files[-1], np.ones((2, 2), np.float32), fits.Header({"FILTER": name}))
    choice, images, order = choose_images(files, BANDS, OTHERS)
    assert choice.given == BANDS
    assert [path.stem for path in images.values()] == list(BANDS)
    assert order == tuple(sorted(BANDS))  # that of maps without names


@pytest.mark.parametrize("filters", [("F160W",) * 4, ("F125W", "F160W", "F606W", None)])
def test_headers_that_do_not_tell_all_bands_tell_none(tmp_path, filters):
    files = []
    for i, name in enumerate(filters):
        files.append(tmp_path / f"{i}.fits")
        header = fits.Header({} if name is None else {"FILTER": name})
        fits.writeto(files[-1], np.ones((2, 2), np.float32), header)
    assert list(choose_images(files, BANDS, OTHERS)[1].values()) == files


def test_as_many_images_as_bands_are_in_order():
    images = [image("F606W")] * 4  # whatever their headers say: read_mosaic checks that
    assert choose_images(images, BANDS, OTHERS)[0].given == BANDS
    cube = np.zeros((4, 6, 7), np.float32)
    choice, planes, _ = choose_images(cube, BANDS, OTHERS)
    assert choice.given == BANDS
    assert planes["F606W"].shape == (6, 7)


@pytest.mark.parametrize(
    ("images", "message"),
    [
        ([image("F606W"), image()], "image 2 is (no header tells its filter)"),
        ([image("F606W"), image("F435W")], "image 2 is (its FILTER header says F435W)"),
        (np.zeros((6, 7), np.float32), "image 1 is (no header tells its filter)"),
        (np.zeros((1, 6, 7), np.float32), "image 1 is (no header tells its filter)"),
        ([image("F606W"), image("F606W")], "F606W is given twice"),
        ([image()] * 5, "5 were given"),
        (np.zeros((5, 6, 7), np.float32), "5 were given"),
        ([], "0 were given"),
    ],
)
def test_images_of_which_the_band_is_not_clear(images, message):
    with pytest.raises(OptionError, match=re.escape(message)) as raised:
        choose_images(images, BANDS, OTHERS)
    if "filter" in message.lower():
        assert "--band NAME=FILE" in str(raised.value)


def test_what_is_not_used_is_said():
    images = {name: image() for name in ("F110W", "F105W", "F125W")}
    with pytest.warns(MosaicWarning) as said:
        choice, used, _ = choose_images(images, BANDS, OTHERS)
    assert list(used) == ["F125W"] == list(choice.given)
    assert sorted(str(one.message) for one in said) == [
        "F105W is not used: F125W, for which it could stand, is there",
        "F110W is not used: F125W, for which it could stand, is there",
    ]
    with pytest.warns(MosaicWarning, match="F110W is not used: F105W takes the place of F125W"):
        choose_images({name: image() for name in ("F110W", "F105W")}, BANDS, OTHERS)
