"""Models that do with fewer bands, evaluated with some left out or others in their place."""

import dataclasses

import numpy as np
import pytest
from astropy.table import Table

from morpheus.errors import OptionError
from morpheus.evaluate import KnownImage, Truth
from morpheus.model import save_model
from morpheus.pipeline import ModelDetector, detectors


@pytest.fixture(scope="module")
def folder(dense_model, tmp_path_factory):
    path = tmp_path_factory.mktemp("model") / "dense"
    save_model(dense_model, path, "")
    return path


def make_image(*bands):
    rng = np.random.default_rng(0)
    planes = {
        band: rng.normal(k, 1, (40, 50)).astype(np.float32)
        for k, band in enumerate(("F160W", "F125W", "F606W", "F105W", "F814W", "F435W"))
    }
    weights = {band: np.ones((40, 50), np.float32) for band in bands}
    weights[bands[-1]] = np.where(np.arange(50) < 3, 0, weights[bands[-1]]).astype(np.float32)
    chosen = {band: planes[band] for band in bands}
    return KnownImage("made", chosen, Truth(Table({"x": [], "y": []})), weights=weights, unit="Jy")


@pytest.fixture
def given(monkeypatch):
    """What the model was given: the images and weights of each classification."""
    seen = []
    real = detectors.classify

    def classify(images, **options):
        seen.append((images, options["weights"]))
        return real(images, **options)

    monkeypatch.setattr(detectors, "classify", classify)
    return seen


@pytest.mark.parametrize(
    ("bands", "options", "expected"),
    [
        (("F160W", "F125W", "F606W"), {}, ("F160W", "F125W", "F606W")),
        # what the model does not know, and alternatives of what is there, stay out
        (("F160W", "F125W", "F606W", "F105W", "F435W"), {}, ("F160W", "F125W", "F606W")),
        (("F160W", "F606W"), {}, ("F160W", "F606W")),
        (("F160W", "F105W"), {}, ("F160W", "F105W")),
        (
            ("F160W", "F125W", "F606W"),
            {"without": ("F606W", "f125w")},
            ("F160W",),
        ),
        (
            ("F160W", "F125W", "F606W", "F105W"),
            {"substitute": {"F125W": "F105W"}},
            ("F160W", "F105W", "F606W"),
        ),
        (
            ("F160W", "F125W", "F606W", "F105W", "F814W"),
            {"substitute": {"f125w": "f105w"}, "without": ["F606W"]},
            ("F160W", "F105W"),
        ),
        (("F160W", "F125W", "F606W"), {"without": ["F160W"]}, ("F125W", "F606W")),
    ],
)
def test_what_the_model_is_given(folder, given, bands, options, expected):
    image = make_image(*bands)
    detector = ModelDetector(folder, **options)
    detector.check_bands(list(image.bands), "the image")
    detector.detect(image)
    ((images, weights),) = given
    assert tuple(images) == tuple(weights) == expected
    for band in expected:
        assert images[band][0] is image.bands[band]


def test_the_photometry_stays_in_the_reference_band(folder):
    image = make_image("F160W", "F125W", "F606W")
    image = dataclasses.replace(image, zero_point=25.0)
    found = ModelDetector(folder, without=["F160W"]).detect(image)
    assert found.labels.shape == (40, 50)
    assert found.mask[:, :3].all()  # of the weight of the last band


def test_reports_say_what_was_left_out(folder):
    detector = ModelDetector(folder, without=["F606W"], substitute={"F125W": "F105W"})
    assert detector.description.startswith("network dense, every pixel seen once, float32;")
    assert "without F606W; F105W for F125W" in detector.description


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"without": ["K"]}, "--without K: the bands are F160W, F125W, F606W"),
        ({"substitute": {"K": "F105W"}}, "--instead K: the bands are"),
        ({"substitute": {"F125W": "F814W"}}, "in the place of F125W there can be F105W, F110W"),
        ({"substitute": {"F160W": "F105W"}}, "in the place of F160W there can be none"),
        ({"without": ["F160W", "F125W", "F606W"]}, "no band of"),
        ({"without": ["F125W"], "substitute": {"F125W": "F105W"}}, "is left out, and F105W"),
    ],
)
def test_what_cannot_be_left_out(folder, options, message):
    with pytest.raises(OptionError, match=message):
        ModelDetector(folder, **options)


def test_images_that_lack_what_is_needed(folder):
    detector = ModelDetector(folder)
    with pytest.raises(OptionError, match="dense needs F160W or F125W or F606W, but it has F435W"):
        detector.check_bands(["F435W"], "it")
    with pytest.raises(OptionError, match="needs F105W"):
        ModelDetector(folder, substitute={"F125W": "F105W"}).check_bands(["F160W", "F125W"], "it")
    with pytest.raises(OptionError, match="needs F160W"):
        ModelDetector(folder, without=["F125W", "F606W"]).check_bands(["F125W", "F814W"], "it")


def test_models_that_need_all_bands(small_model, tmp_path):
    save_model(small_model, tmp_path / "small", "")
    for options in ({"without": ["H"]}, {"substitute": {"H": "K"}}):
        with pytest.raises(OptionError, match="small needs all of its bands: --"):
            ModelDetector(tmp_path / "small", **options)
