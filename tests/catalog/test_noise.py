"""Errors of sums in images whose noise is correlated, or known on the wrong scale."""

import numpy as np
import pytest
from scipy import ndimage

from morpheus.catalog import BandImage, CatalogOptions, measure, noise
from morpheus.catalog.noise import noise_factor, noise_strips, normalised

from .conftest import gaussian, make_classification, make_segmentation

SHAPE = (700, 700)
SKY = np.ones(SHAPE, bool)
KERNELS = {
    "box": np.ones((2, 2)),
    "drizzle": np.outer([0.3, 1, 0.5], [0.5, 1, 0.3]),
    "gaussian": gaussian((9, 9), 4, 4, 1, 0.9),
    "sharpening": np.array([[0, -0.1, 0], [-0.1, 1, -0.1], [0, -0.1, 0]]),
}


def measure_noise_factor(data, error, sky, *, known_scale=False):
    strips = [normalised(data[r], error[r], sky[r]) for r in noise_strips(data.shape)]
    return noise_factor(strips, known_scale=known_scale)


def correlated(kernel, seed=0):
    """Noise of unit variance in each pixel, and the factor of large sums."""
    white = np.random.default_rng(seed).standard_normal(SHAPE)
    size = np.sqrt((kernel**2).sum())
    return (
        ndimage.convolve(white, kernel / size, mode="wrap").astype(np.float32),
        kernel.sum() / size,
    )


@pytest.mark.parametrize("seed", range(5))
def test_white_noise_and_right_errors(seed):
    rng = np.random.default_rng(seed)
    error = rng.uniform(0.5, 2, SHAPE).astype(np.float32)
    data = error * rng.standard_normal(SHAPE).astype(np.float32)
    assert measure_noise_factor(data, error, SKY) == 1.0
    assert measure_noise_factor(data[:40, :40], error[:40, :40], SKY[:40, :40]) == 1.0


@pytest.mark.parametrize("scale", [2.0, 0.5])
def test_errors_of_the_wrong_scale(scale):
    data, _ = correlated(np.ones((1, 1)))
    error = np.full(SHAPE, 1 / scale, np.float32)
    assert measure_noise_factor(data, error, SKY) == pytest.approx(scale, rel=0.02)
    assert measure_noise_factor(data, error, SKY, known_scale=True) == 1.0


@pytest.mark.parametrize("most", [4_000_000, 100_000])
@pytest.mark.parametrize("kernel", KERNELS.values(), ids=KERNELS)
def test_correlated_noise(kernel, most, monkeypatch):
    monkeypatch.setattr(noise, "_MOST_PIXELS", most)
    data, factor = correlated(kernel)
    error = np.ones(SHAPE, np.float32)
    # With fewer pixels fewer lags are significant, the more so where they cancel.
    tolerance = 0.03 if most > data.size else 0.1
    assert measure_noise_factor(data, error, SKY) == pytest.approx(factor, rel=tolerance)
    half = error / 2
    assert measure_noise_factor(data, half, SKY) == pytest.approx(2 * factor, rel=tolerance)
    known = measure_noise_factor(data, half, SKY, known_scale=True)
    assert known == pytest.approx(factor, rel=tolerance)


def test_holes_and_outliers_do_not_matter():
    data, factor = correlated(KERNELS["drizzle"])
    rng = np.random.default_rng(1)
    data[rng.random(SHAPE) < 1e-3] = 1e4
    data[rng.random(SHAPE) < 1e-3] = np.nan
    sky = rng.random(SHAPE) < 0.7
    measured = measure_noise_factor(data + 5, np.ones(SHAPE, np.float32), sky)
    assert measured == pytest.approx(factor, rel=0.03)


def test_where_it_cannot_be_measured():
    data, _ = correlated(np.ones((1, 1)))
    error = np.ones(SHAPE, np.float32)
    few = np.zeros(SHAPE, bool)
    few[:27, :37] = True
    assert measure_noise_factor(data, error, few) is None
    assert measure_noise_factor(0 * data, error, SKY) is None
    assert measure_noise_factor(data, np.nan * error, SKY) is None


@pytest.mark.parametrize("with_map", [True, False])
@pytest.mark.parametrize("kernel", ["drizzle", "gaussian"])
def test_pulls_on_empty_sky(kernel, with_map):
    """Circles of 6 pixels radius at labels of one pixel, away from bright sources."""
    data, factor = correlated(KERNELS[kernel], seed=3)
    labels = np.zeros(SHAPE, np.int32)
    step = 28
    centres = np.arange(14, SHAPE[0] - 13, step)
    for i, (y, x) in enumerate((y, x) for y in centres[:-1] for x in centres):
        labels[y, x] = i + 1
    data = data + 3.0
    # A row of bright sources, which the factor must not see.
    for x in centres:
        labels[-14:, x - 7 : x + 8] = labels.max() + 1
        data[-60:, x - 14 : x + 14] += gaussian((60, 28), 14, 53, 5000, 2).astype(np.float32)
    image = BandImage("H", data, np.full(SHAPE, 1.0, np.float32) if with_map else None)
    # The apertures are at the pixels whatever the noise is there.
    detection = BandImage("D", labels > 0, np.ones(SHAPE))
    arguments = make_segmentation(labels), make_classification(SHAPE), [detection, image]
    catalog = measure(*arguments, options=CatalogOptions(apertures=(12.0,)))
    record = catalog.provenance["bands"]["H"]
    assert record["noise_factor"] == pytest.approx(factor, rel=0.03)
    empty = np.asarray(catalog.table["y"]) < SHAPE[0] - 70
    pull = (catalog.table["h_flux_aper_1"] / catalog.table["h_flux_aper_1_err"])[empty]
    assert len(pull) > 500
    assert np.std(pull) == pytest.approx(1, abs=0.15)
    plain = measure(*arguments, options=CatalogOptions(apertures=(12.0,), noise_scale="none"))
    assert plain.provenance["bands"]["H"]["noise_factor"] is None
    for kind in ("iso", "kron", "aper_1"):
        name = f"h_flux_{kind}_err"
        np.testing.assert_allclose(
            catalog.table[name], record["noise_factor"] * plain.table[name], rtol=1e-5
        )


def test_structure_in_the_sky_is_no_noise():
    data, _ = correlated(KERNELS["drizzle"])
    data += np.linspace(-1.5, 1.5, SHAPE[1], dtype=np.float32)
    assert measure_noise_factor(data, np.ones(SHAPE, np.float32), SKY) is None


def test_photon_noise_is_scaled_too():
    data, _ = correlated(KERNELS["drizzle"])
    labels = np.zeros(SHAPE, np.int32)
    labels[300:341, 300:341] = 1
    data = data + gaussian(SHAPE, 320, 320, 1e6, 5).astype(np.float32)
    image = BandImage("H", data, np.ones(SHAPE, np.float32), unit="electron / s")
    arguments = make_segmentation(labels), make_classification(SHAPE), [image]
    measured, plain = (
        measure(
            *arguments,
            options=CatalogOptions(exposure={"H": 10.0}, noise_scale=scale, apertures=()),
        )
        for scale in ("measured", "none")
    )
    factor = measured.provenance["bands"]["H"]["noise_factor"]
    assert factor > 1.5
    error = plain.table["h_flux_iso_err"][0]
    assert measured.table["h_flux_iso_err"][0] == pytest.approx(factor * error)
    assert error > np.sqrt(1e6 / 10)
