"""Level and noise of the sky, against skies that are known, and of regions against the whole."""

from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS

from morpheus.errors import ImageError
from morpheus.mosaic import MosaicWarning, read_mosaic
from morpheus.mosaic import sky as sky_module
from morpheus.mosaic.sky import grid_step, looks_filled, measure_skies, measure_sky


def test_values_that_can_be_worked_out_by_hand():
    # The median is 3; the deviations are 2, 1, 0, 1, 2, of which 1 is the median; the outlier is
    # more than 3 * 1.4826 away and goes first.
    found = measure_sky(np.array([[1, 2, 3, 4, 5, 1000]], np.float32))
    assert found.level == 3
    assert found.noise == pytest.approx(1.4826022, rel=1e-7)


def test_the_sky_of_a_field_with_sources():
    rng = np.random.default_rng(0)
    plane = rng.normal(0.7, 0.02, (600, 500))
    plane[:200, :60] += rng.uniform(0, 50, (200, 60))  # 4% of the pixels have sources
    found = measure_sky(plane.astype(np.float32))
    # Clipping at 3 sigma takes 0.3% of the noise away; the wings of sources add a little.
    assert found.level == pytest.approx(0.7, abs=0.001)
    assert found.noise == pytest.approx(0.02, rel=0.03)


def test_what_is_masked_or_no_number_does_not_count():
    rng = np.random.default_rng(1)
    plane = rng.normal(size=(80, 90))
    mask = rng.random((80, 90)) < 0.3
    other = np.where(mask, 1e30, plane)
    assert measure_sky(plane, mask) == measure_sky(other, mask)
    other[mask] = np.nan
    assert measure_sky(other) == measure_sky(plane, mask)


def test_a_large_image_is_measured_on_an_even_grid(monkeypatch):
    assert grid_step((1000, 1000)) == 1
    assert grid_step((1000, 1001)) == 2
    assert grid_step((20_000, 20_000)) == 20
    monkeypatch.setattr(sky_module, "_SAMPLE", 1000)
    plane = np.random.default_rng(2).normal(size=(70, 90))
    step = grid_step(plane.shape)
    assert step == 3
    assert measure_sky(plane) == measure_sky(plane[::3, ::3].copy(), step=1)
    assert measure_sky(plane) != measure_sky(plane[1::3, ::3].copy(), step=1)


@pytest.mark.parametrize(
    ("plane", "message"),
    [
        (np.full((5, 5), np.nan), "no valid pixel"),
        (np.ones((5, 5)), "no noise"),
        (np.where(np.arange(25).reshape(5, 5) < 20, 0.0, 7.0), "no noise"),
    ],
)
def test_a_sky_that_cannot_be_measured(plane, message):
    with pytest.raises(ImageError, match=message):
        measure_sky(plane)


def bordered(share):
    """Two bands of noise 1 and a source, 0 in a border on the left."""
    data = np.random.default_rng(5).normal(0, 1, (2, 200, 200)).astype(np.float32)
    data[:, :, : int(share * 200)] = 0
    data[:, 90:100, 150:160] += 50
    return data


def test_an_empty_border_is_no_sky(monkeypatch):
    data = bordered(0.2)
    mask = np.zeros((200, 200), bool)
    assert measure_sky(data[0]).noise < 0.8
    found = measure_skies("HJ", data, mask)
    assert found == tuple(measure_sky(plane[:, 40:].copy()) for plane in data)
    assert read_mosaic(data, bands=("H", "J"), sky=True).skies == found
    # A pixel that is 0 in one band, or 0 by itself, is sky.
    data[0, :, 40:60] = 0
    assert measure_skies("HJ", data, mask) != found
    whole_numbers = np.round(np.random.default_rng(6).normal(0, 4, (1, 300, 300)))
    mask = np.zeros((300, 300), bool)
    assert measure_skies("H", whole_numbers, mask) == (measure_sky(whole_numbers[0]),)
    monkeypatch.setattr(sky_module, "_SAMPLE", 3000)
    mask = np.zeros((200, 200), bool)
    assert measure_skies("HJ", bordered(0.2), mask)[0].noise == pytest.approx(1, rel=0.05)


@pytest.mark.parametrize("sample", [10**6, 3000])
def test_a_region_beside_an_empty_border_has_the_sky_of_the_whole(tmp_path, monkeypatch, sample):
    monkeypatch.setattr(sky_module, "_SAMPLE", sample)
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = "RA---TAN", "DEC--TAN"
    wcs.wcs.crval, wcs.wcs.crpix = (53.12, -27.8), (150.0, 150.0)
    wcs.wcs.cdelt = -0.06 / 3600, 0.06 / 3600
    images = {}
    for band, plane in zip("HJ", bordered(0.2), strict=True):
        images[band] = tmp_path / f"{band}.fits"
        fits.writeto(images[band], plane, wcs.to_header())
    whole = read_mosaic(images, bands=("H", "J"), sky=True)
    part = read_mosaic(images, bands=("H", "J"), sky=True, region="53.12,-27.80,15pix")
    assert part.skies == whole.skies
    assert whole.skies[0].noise == pytest.approx(1, rel=0.05)


def test_values_in_steps_are_told_from_a_mask():
    few = np.round(np.random.default_rng(7).normal(0, 0.3, (50, 50)))
    with pytest.raises(ImageError, match="steps larger than the noise"):
        measure_sky(few)


def demo_field():
    folder = Path(__file__).parents[2] / "demo/field"
    bands = ("F160W", "F125W", "F606W", "F850LP")
    data = [fits.getdata(folder / f"{band.lower()}_sci.fits.fz") for band in bands]
    return bands, np.stack(data).astype(np.float32)


@pytest.mark.filterwarnings("error")
def test_no_warning_where_there_is_sky():
    bands, data = demo_field()
    read_mosaic(data, bands=bands, sky=True)


@pytest.mark.parametrize("size", [40, 60])
def test_an_image_that_a_source_fills_is_told(size):
    bands, data = demo_field()
    y, x = 143 - size // 2, 174 - size // 2  # around the brightest source
    with pytest.warns(MosaicWarning, match="^F160W, F125W.*: hardly any blank sky") as caught:
        read_mosaic(data[:, y : y + size, x : x + size], bands=bands, sky=True)
    assert len(caught) == 1


def test_an_image_without_blank_pixels_looks_filled():
    flat = np.random.default_rng(8).normal(0, 1, (1, 60, 60))
    mask = np.zeros((60, 60), bool)
    assert not looks_filled(flat, mask).any()
    assert looks_filled(flat + np.linspace(0, 30, 60), mask).all()


@pytest.mark.parametrize("sample", [10**6, 500])
@pytest.mark.parametrize("compress", [False, True])
def test_a_region_has_the_sky_of_the_whole_image(tmp_path, monkeypatch, sample, compress):
    """Weights and flags included: the same pixels are looked at, and no others."""
    monkeypatch.setattr(sky_module, "_SAMPLE", sample)
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = "RA---TAN", "DEC--TAN"
    wcs.wcs.crval, wcs.wcs.crpix = (53.12, -27.8), (35.5, 30.5)
    wcs.wcs.cdelt = -0.06 / 3600, 0.06 / 3600
    rng = np.random.default_rng(3)
    data = rng.normal(2, 3, (2, 61, 73)).astype(np.float32)
    data[0] += np.linspace(0, 5, 73, dtype=np.float32)  # a part would have another sky
    data[1, 5:20, 7:30] = np.nan
    weight = np.ones((61, 73), np.float32)
    weight[40:, :20] = 0
    data[0, 40:, :20] = 500
    images = {}
    for band, plane in zip("HJ", data, strict=True):
        images[band] = tmp_path / f"{band}.fits"
        kind = fits.CompImageHDU if compress else fits.ImageHDU
        options = {"quantize_level": 0, "compression_type": "GZIP_2"} if compress else {}
        hdu = kind(plane, wcs.to_header(), **options)
        fits.HDUList([fits.PrimaryHDU(), hdu]).writeto(images[band])
    options = {"bands": ("H", "J"), "weights": {"H": weight}, "sky": True}
    whole = read_mosaic(images, **options)
    part = read_mosaic(images, region="53.12,-27.80,15pix", **options)
    assert part.shape == (15, 15)
    assert part.skies == whole.skies
    assert whole.skies == tuple(measure_sky(p, whole.mask) for p in whole.data)
    assert whole.skies[0].level < 10
    y, x = part.origin
    assert np.array_equal(part.data, whole.data[:, y : y + 15, x : x + 15])
    assert read_mosaic(images, bands=("H", "J")).skies == ()


def test_a_band_without_noise_is_named():
    data = np.random.default_rng(0).normal(size=(2, 30, 30)).astype(np.float32)
    data[1, :28] = 0
    with pytest.raises(ImageError, match=r"^J: the sky has no noise"):
        read_mosaic(data, bands=("H", "J"), sky=True)
