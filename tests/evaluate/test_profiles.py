"""The published tests: single profiles of known signal-to-noise, and noise without sources."""

import numpy as np
import pytest
from astropy.table import Table
from numpy.testing import assert_allclose

pytest.importorskip("galsim")

from morpheus.errors import OptionError
from morpheus.evaluate import KnownImage, Truth, compare, measure_detections
from morpheus.evaluate.profiles import noise_scores, profile_scores
from morpheus.pipeline import Detector
from morpheus.pipeline.profiles import run_tests
from morpheus.simulate import SURVEYS
from morpheus.simulate.noise import correlation_factor
from morpheus.simulate.profiles import Profile, noise_images, profile_field
from morpheus.simulate.psf import psf_image, sky_sigma

DEEP = SURVEYS["candels-deep"]


def test_profiles_have_the_signal_to_noise_that_is_stated():
    profiles = [Profile(1.0, 5.0, 80.0), Profile(4.0, 3.0, 20.0)]
    field = profile_field(DEEP, profiles, cell=128, seed=3)
    band = DEEP.bands[0]
    noise = sky_sigma(DEEP, band) * correlation_factor(band.correlation)
    for row, profile in zip(field.sources, profiles, strict=True):
        flux = 10 ** (-0.4 * (row["mag"] - band.zero_point))
        # Half of the flux, in pi r_e^2 pixels of sky.
        expected = flux / 2 / (noise * np.sqrt(np.pi) * profile.r_e)
        assert_allclose(expected, profile.signal_to_noise, rtol=1e-6)
    first = field.images[0, :128, :128].astype(float)
    assert_allclose(first.sum(), 10 ** (-0.4 * (field.sources["mag"][0] - 25.946)), rtol=0.05)
    x, y = np.meshgrid(np.arange(128), np.arange(128))
    positive = np.maximum(first - 3 * noise, 0)
    assert_allclose((positive * x).sum() / positive.sum(), field.sources["x"][0], atol=0.3)
    assert_allclose((positive * y).sum() / positive.sum(), field.sources["y"][0], atol=0.3)
    with pytest.raises(OptionError, match="no profile"):
        profile_field(DEEP, [], cell=64)


@pytest.mark.parametrize("kind", ["survey", "psf"])
def test_noise_is_the_survey_s(kind):
    images = noise_images(DEEP, 300, kind=kind, seed=1)
    for image, band in zip(images, DEEP.bands, strict=True):
        assert_allclose(image.std(), sky_sigma(DEEP, band), rtol=0.05)
        assert abs(image.mean()) < 0.1 * image.std()
    smooth = np.corrcoef(images[0][:, 1:].ravel(), images[0][:, :-1].ravel())[0, 1]
    psf = psf_image(DEEP, DEEP.bands[0])
    expected = (psf[:, 1:] * psf[:, :-1]).sum() / (psf**2).sum()
    if kind == "survey":
        expected = DEEP.bands[0].correlation
    assert_allclose(smooth, expected, atol=0.02)


def test_scores_by_kind():
    unknown = np.full(4, np.nan)
    sources = Table({"id": [1, 2, 3, 4], "x": [5.0, 15, 25, 35], "y": [5.0] * 4})
    for name in ("mag", "r_e", "surface_brightness"):
        sources[name] = unknown
    sources["votes"] = np.full((4, 4), np.nan)
    labels = np.zeros((10, 40), int)
    labels[3:8, 3:8], labels[3:8, 23:28] = 1, 2
    found = measure_detections(labels, (labels > 0).astype(np.float32))
    given = np.array([[0.1, 0.6, 0.2, 0.1], [0.7, 0.1, 0.1, 0.1]])
    found = type(found)(**{**vars(found), "probabilities": given})
    profiles = Table({"id": [1, 2, 3, 4], "n": [1.0, 1.0, 4.0, 6.0]})
    rows = profile_scores(compare(Truth(sources), found, radius=2), profiles, ("n",))
    assert [row["n"] for row in rows] == [1, 4, 6]
    assert [(row["detected"]["k"], row["detected"]["n"]) for row in rows] == [
        (1, 2),
        (1, 1),
        (0, 1),
    ]
    assert [row["class"] for row in rows] == ["disk", "spheroid", None]
    assert_allclose(rows[0]["probabilities"], given[0])
    noise = noise_scores("white", found, 0.5)
    assert (noise["spurious"]["n"], noise["spurious"]["value"]) == (2, 4)
    assert noise["source_pixels"] == pytest.approx(50 / 400)


class Thresholder(Detector):
    """Takes every pixel above 4 sigma for a source."""

    def detect(self, image: KnownImage, progress=None):
        sigma = sky_sigma(DEEP, DEEP.bands[0])
        return measure_detections((image.reference > 4 * sigma).astype(int), image.reference)


class Halves(Detector):
    """Knows the truth, and cuts each source into a left and a right half, with a speck beside."""

    def detect(self, image: KnownImage, progress=None):
        labels = np.zeros(image.reference.shape, int)
        rows, columns = np.indices(labels.shape)
        for number, one in enumerate(image.truth.sources):
            near = np.hypot(columns - one["x"], rows - one["y"]) < 12
            labels[near] = 3 * number + 1 + (columns > one["x"])[near]
            labels[int(one["y"]) + 15, int(one["x"])] = 3 * number + 3
        return measure_detections(labels, np.ones_like(image.reference))


def test_pieces_of_large_disks_are_counted():
    found = run_tests(Halves("halves", ""), "candels-deep")["large"]
    assert found["r_e"] == [20.0, 40.0]
    assert [row["pieces"] for row in found["rows"]] == [2.0, 2.0]
    assert all(row["detected"]["n"] == 2 for row in found["rows"])


def test_all_of_them_run():
    found = run_tests(Thresholder("threshold", ""), "candels-deep")
    grid = found["sersic_grid"]
    assert len(grid["cells"]) == len(grid["sersic_index"]) * len(grid["signal_to_noise"])
    assert all(cell["detected"]["n"] == 3 for cell in grid["cells"])
    assert {row["profile"] for row in found["profiles"]["rows"]} == {
        "exponential",
        "de_vaucouleurs",
    }
    assert [kind["area_arcmin2"] for kind in found["noise"]["kinds"]] == pytest.approx([0.49] * 2)
    with pytest.raises(OptionError, match="candels-deep"):
        run_tests(Thresholder("threshold", ""), "dss")
