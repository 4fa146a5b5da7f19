"""`morpheus.classify`: what it warns of and refuses, beside what the command line's tests show."""

import warnings

import numpy as np
import pytest
from astropy.io import fits
from astropy.nddata import CCDData
from astropy.wcs import WCS, DistortionLookupTable

import morpheus
from morpheus.errors import OptionError, ProductError
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


def test_every_statistic_is_where_it_belongs(cube, model):
    result = morpheus.classify(cube, model=model)
    seen = result.n > 0
    counts = result.votes.array[:, seen] * result.n[seen]
    np.testing.assert_allclose(counts, np.rint(counts), atol=1e-3)  # of windows: whole numbers
    np.testing.assert_allclose(result.votes.array[:, seen].sum(axis=0), 1, atol=1e-6)
    np.testing.assert_allclose(result.mean.array[:, seen].sum(axis=0), 1, atol=1e-5)
    # a variable between 0 and 1 with this mean cannot vary more
    mean = result.mean.array[:, seen]
    assert (result.variance.array[:, seen] <= mean * (1 - mean) + 1e-6).all()
    assert not np.allclose(result.votes.array[:, seen], mean, atol=0.05)


@pytest.mark.parametrize(("scale", "warns"), [(0.06, False), (0.062, False), (0.066, True)])
def test_pixel_scale(cube, model, scale, warns):
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = "RA---TAN", "DEC--TAN"
    wcs.wcs.cdelt = -scale / 3600, scale / 3600
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", MosaicWarning)
        morpheus.classify((cube, wcs), model=model)
    assert bool(caught) == warns


def test_padding_of_a_small_image_is_recorded(cube, model):
    result = morpheus.classify(cube[:, :10], model=model)
    assert (result.n > 0).all()
    assert result.provenance["options"]["edges"] == "pad"
    assert morpheus.classify(cube, model=model).provenance["options"]["edges"] == "skip"


def test_tables_of_distortion_are_warned_of(cube, model):
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = "RA---TAN", "DEC--TAN"
    wcs.wcs.cdelt = -0.06 / 3600, 0.06 / 3600
    wcs.cpdis1 = DistortionLookupTable(np.ones((4, 4), np.float32), (1, 1), (1, 1), (8, 8))
    with pytest.warns(MosaicWarning, match="table distortions"):
        morpheus.classify((cube, wcs), model=model)


def test_an_input_is_never_replaced(tmp_path, cube, model):
    """Even when overwriting is allowed."""
    paths = [tmp_path / "n.fits", tmp_path / "é.fits"]
    for path, plane in zip(paths, cube, strict=True):
        fits.writeto(path, plane)
    result = morpheus.classify(paths, model=model)
    with pytest.raises(ProductError, match=r"n\.fits is an input"):
        result.write(tmp_path, overwrite=True)
    result.write(tmp_path / "out")
    assert fits.getheader(tmp_path / "out/n.fits")["INFILE2"] == r"\xe9.fits[PRIMARY]"


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
