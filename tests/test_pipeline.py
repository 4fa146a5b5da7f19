"""`morpheus.classify`: what it warns of and refuses, beside what the command line's tests show."""

import numpy as np
import pytest
from astropy.nddata import CCDData
from astropy.wcs import WCS

import morpheus
from morpheus.errors import OptionError
from morpheus.model import save_model
from morpheus.mosaic import MosaicWarning


@pytest.fixture(scope="module")
def model(small_model, tmp_path_factory):
    folder = tmp_path_factory.mktemp("model") / "small"
    save_model(small_model, folder, "")
    return folder


@pytest.fixture
def cube():
    return np.random.default_rng(0).normal(0.05, 0.1, (2, 20, 24)).astype(np.float32)


def test_every_kind_of_image_is_the_same_image(cube, model):
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = "RA---TAN", "DEC--TAN"
    wcs.wcs.cdelt = -0.06 / 3600, 0.06 / 3600
    expected = morpheus.classify(cube, model=model)
    assert expected.wcs is None
    for images in (
        {"J": cube[1], "H": cube[0]},
        [(cube[0], wcs), (cube[1], wcs)],
        [CCDData(plane, wcs=wcs, unit="electron / s") for plane in cube],
        (cube, wcs),
    ):
        found = morpheus.classify(images, model=str(model))
        assert np.array_equal(found.mean.array, expected.mean.array, equal_nan=True)


def test_empty_sky_is_warned_of(cube, model):
    cube[:, :5] = 0
    with pytest.warns(MosaicWarning, match="120 pixels are exactly 0 in every band"):
        morpheus.classify(cube, model=model)
    weight = np.ones(cube.shape[1:])
    weight[:5] = 0
    result = morpheus.classify(cube, model=model, weights={"H": weight})
    assert not result.n[:5].any()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"options": None}, "options is a NoneType"),
        ({"options": {"stride": 2}}, "options is a dict"),
        ({"options": "slow"}, "exact, fast"),
        ({"region": (1, 2, 3)}, "region is a tuple"),
    ],
)
def test_arguments_of_another_kind(cube, model, arguments, message):
    with pytest.raises(OptionError, match=message):
        morpheus.classify(cube, model=model, **arguments)
