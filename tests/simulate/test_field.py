"""A simulated field is what it says: its truth, its noise and its calibration."""

import json
import multiprocessing
import os
import signal
from dataclasses import replace

import astropy.units as u
import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.table import Table
from astropy.wcs import WCS
from numpy.testing import assert_allclose, assert_array_equal

pytest.importorskip("galsim")

from morpheus.classes import BACKGROUND, CLASS_NAMES
from morpheus.errors import OptionError, ProductError
from morpheus.mosaic import read_mosaic
from morpheus.pipeline.known import read_field
from morpheus.simulate import SURVEYS, FieldOptions, field_files, make_field, simulate_field
from morpheus.simulate.noise import correlation_factor
from morpheus.simulate.population import draw_population
from morpheus.simulate.psf import sky_sigma
from morpheus.simulate.render import render
from morpheus.simulate.surveys import find_survey

PERFECT = FieldOptions(size=300, seed=3, defects=False)


@pytest.fixture(scope="module")
def perfect():
    return simulate_field(PERFECT)


@pytest.fixture(scope="module")
def spoilt():
    return simulate_field(replace(PERFECT, size=400, defects=True))


@pytest.fixture(scope="module")
def blank():
    return simulate_field(replace(PERFECT, size=400, density=0))


def test_the_image_is_light_plus_noise(perfect):
    assert_array_equal(perfect.images, perfect.noiseless + perfect.noise)


def test_saturated_and_unobserved_pixels_are_the_only_others(spoilt):
    expected = spoilt.noiseless + spoilt.noise
    seen = spoilt.weights > 0
    assert np.isnan(spoilt.images[~seen]).all()
    for number, band in enumerate(spoilt.survey.bands):
        full = np.minimum(expected[number], np.float32(band.saturation))
        assert_array_equal(spoilt.images[number][seen[number]], full[seen[number]])


def test_sources_add_up_to_the_noiseless_images(perfect):
    for number, band in enumerate(perfect.survey.bands):
        inside = perfect.catalog[f"flux_sum_{band.name.lower()}"].sum()
        assert_allclose(perfect.noiseless[number].sum(dtype=float), inside, rtol=1e-5)


def test_fluxes_and_magnitudes_agree(perfect):
    table = perfect.catalog
    center = np.hypot(table["x"] - 150, table["y"] - 150) < 60
    complete = center & (table["mag_f160w"] > 22)
    assert complete.sum() > 5
    for band in perfect.survey.bands:
        name = band.name.lower()
        flux = table[f"flux_{name}"]
        assert_allclose(table[f"flux_sum_{name}"][complete], flux[complete], rtol=5e-3)
        magnitude = band.zero_point - 2.5 * np.log10(flux)
        assert_allclose(table[f"mag_{name}"], magnitude, atol=1e-6)


def test_maps_add_up_to_one(spoilt):
    truth = spoilt.truth
    assert truth.classes.shape == (len(CLASS_NAMES), 400, 400)
    assert_allclose(truth.classes.sum(axis=0), 1, atol=1e-6)
    assert truth.classes.min() >= 0
    assert_array_equal(truth.owner == 0, truth.classes[BACKGROUND] == 1)
    assert set(np.unique(truth.owner)) <= {0, *spoilt.catalog["id"]}
    assert 0.02 < (truth.owner > 0).mean() < 0.3


def test_an_isolated_source_has_its_own_votes(perfect):
    row = perfect.catalog[np.argmax(perfect.catalog["flux_sum_f160w"])]
    y, x = round(row["y"]), round(row["x"])
    assert perfect.truth.owner[y, x] == row["id"]
    votes = [row[f"votes_{name}"] for name in CLASS_NAMES[:BACKGROUND]]
    assert_allclose(sum(votes), 1)
    assert_allclose(perfect.truth.classes[:BACKGROUND, y, x], votes, atol=0.1)


@pytest.mark.parametrize("number", range(4))
def test_noise_is_as_stated(blank, number):
    band, noise = blank.survey.bands[number], blank.noise[number]
    assert_allclose(noise.std(), band.sky_sigma, rtol=0.02)
    unit = noise / noise.std()
    assert_allclose((unit[:, 1:] * unit[:, :-1]).mean(), band.correlation, atol=0.02)
    assert_allclose((unit[1:, :] * unit[:-1, :]).mean(), band.correlation, atol=0.02)
    assert_allclose((unit[1:, 1:] * unit[:-1, :-1]).mean(), band.correlation**2, atol=0.02)
    # The weight is that of large areas, as in surveys: sums of pixels have this noise.
    blocks = noise.reshape(20, 20, 20, 20).sum(axis=(1, 3)).std() / 20
    assert_allclose(blocks, 1 / np.sqrt(np.median(blank.weights[number])), rtol=0.12)


def test_bright_sources_have_photon_noise(perfect):
    band = perfect.survey.bands[0]
    light, noise = perfect.noiseless[0], perfect.noise[0]
    smoothing = correlation_factor(band.correlation) ** 2
    sigma = np.sqrt(sky_sigma(perfect.survey, band) ** 2 + light / band.gain / smoothing)
    assert_allclose((noise / sigma).std(), 1, rtol=0.02)


def test_the_number_of_jobs_changes_nothing(perfect):
    parallel = simulate_field(replace(PERFECT, jobs=2))
    for name in ("images", "weights", "noiseless"):
        assert getattr(parallel, name).tobytes() == getattr(perfect, name).tobytes()
    assert parallel.truth.classes.tobytes() == perfect.truth.classes.tobytes()
    assert parallel.catalog.as_array().tobytes() == perfect.catalog.as_array().tobytes()


@pytest.fixture
def drawn():
    """Stamps of sources that two processes draw."""
    survey = find_survey("candels-deep")
    sources = draw_population(survey, 512, seed=1, density=300.0)
    assert len(sources) > 256  # five times what a process is given
    return render(survey, sources, np.zeros((len(survey.bands), 2)), jobs=2)


def test_a_lost_process_is_said(drawn):
    next(drawn)
    for child in multiprocessing.active_children():
        os.kill(child.pid, signal.SIGKILL)
    with pytest.raises(ProductError, match="was ended, perhaps for its memory"):
        list(drawn)


def test_a_full_disk_is_said(drawn, monkeypatch):
    resource = pytest.importorskip("resource")
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")  # those of the workers would be cut short
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, before[1]))
    try:
        with pytest.raises(ProductError, match=r"File too large .*TMPDIR"):
            list(drawn)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_another_seed_is_another_field(perfect):
    other = simulate_field(replace(PERFECT, seed=4))
    assert not np.array_equal(other.images, perfect.images)


def test_files_are_a_survey_s(tmp_path):
    options = FieldOptions(size=128, seed=5)
    made = make_field(tmp_path, options)
    paths = field_files(tmp_path, options.survey)
    assert sorted(paths) == sorted(tmp_path.iterdir())
    names = [band.name for band in made.survey.bands]
    mosaic = read_mosaic(
        {name: tmp_path / f"{name.lower()}_sci.fits" for name in names},
        bands=names,
        weights={name: tmp_path / f"{name.lower()}_wht.fits" for name in names},
    )
    assert mosaic.bands == tuple(names)
    for name, band in zip(names, made.survey.bands, strict=True):
        header = fits.getheader(tmp_path / f"{name.lower()}_sci.fits")
        zero_point = -2.5 * np.log10(header["PHOTFLAM"]) - 5 * np.log10(header["PHOTPLAM"]) - 2.408
        assert_allclose(zero_point, band.zero_point, atol=1e-3)
        assert header["BUNIT"] == "ELECTRONS/S"
        assert header["FILTER"] == name
    truth = Table.read(tmp_path / "truth.fits", hdu="TRUTH")
    at = WCS(header).world_to_pixel(SkyCoord(truth["ra"], truth["dec"], unit=u.deg))
    assert_allclose(at[0], truth["x"], atol=1e-4)
    assert_allclose(at[1], truth["y"], atol=1e-4)
    with fits.open(tmp_path / "truth_maps.fits") as maps:
        assert [hdu.name for hdu in maps[1:6]] == [name.upper() for name in CLASS_NAMES]
        assert maps["OWNER"].data.dtype.kind == "i"
        assert_array_equal(maps["NOISELESS_F160W"].data, made.noiseless[0])
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["simulation"]["options"]["seed"] == 5
    with pytest.raises(ProductError, match="overwrite"):
        make_field(tmp_path, options)
    make_field(tmp_path / "again", options)
    for path in paths[:-1]:
        assert path.read_bytes() == (tmp_path / "again" / path.name).read_bytes()
    with fits.open(tmp_path / "truth_maps.fits", checksum=True) as maps:  # warns if it is wrong
        assert all(hdu.verify_checksum() == 1 for hdu in maps)


def test_compressed_files_hold_the_same(tmp_path):
    options = FieldOptions(size=64, seed=5)
    made = make_field(tmp_path, options, compress=True, noiseless=False)
    paths = field_files(tmp_path, options.survey, compress=True)
    assert sorted(paths) == sorted(tmp_path.iterdir())
    again = read_field(tmp_path)
    for image, band in zip(made.images, again.bands.values(), strict=True):
        assert_array_equal(band, image)
    assert_array_equal(again.truth.owner, made.truth.owner)
    with fits.open(tmp_path / "truth_maps.fits.fz", checksum=True) as maps:
        assert len(maps) == 1 + len(CLASS_NAMES) + 1
    with pytest.raises(ProductError, match="overwrite"):
        make_field(tmp_path, options, compress=True)


def test_nothing_of_another_field_is_left(tmp_path):
    make_field(tmp_path, FieldOptions(size=64, seed=5), compress=True)
    made = make_field(tmp_path, FieldOptions(survey="euclid-vis", size=64, seed=6), overwrite=True)
    assert sorted(tmp_path.iterdir()) == sorted(field_files(tmp_path, "euclid-vis"))
    assert_array_equal(read_field(tmp_path).reference, made.images[0])


@pytest.mark.parametrize("survey", ["nircam", "euclid-vis", "roman", "lsst"])
def test_other_surveys(survey, tmp_path):
    made = make_field(tmp_path, FieldOptions(survey=survey, size=96, seed=1))
    assert np.isfinite(made.noiseless).all()
    assert made.noise.std(axis=(1, 2)).min() > 0
    for band, image in zip(made.survey.bands, made.survey.bands, strict=True):
        header = fits.getheader(tmp_path / f"{image.name.lower()}_sci.fits")
        unit = u.Unit(header["BUNIT"])
        weight = fits.getheader(tmp_path / f"{image.name.lower()}_wht.fits")["BUNIT"]
        assert (u.Unit(weight) * unit**2).decompose() == u.dimensionless_unscaled
        if made.survey.unit == "MJy/sr":
            unit = unit * (made.survey.pixel_scale * u.arcsec) ** 2
        assert_allclose((1 * unit).to_value(u.ABmag), band.zero_point, atol=2e-3)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"survey": "dss"}, f"known are {', '.join(SURVEYS)}"),
        ({"size": 3}, "size"),
        ({"density": -1}, "density"),
        ({"density": float("nan")}, "density"),
        ({"density": 1e9}, "density"),
        ({"truth_threshold": 0}, "threshold"),
        ({"seed": -1}, "seed"),
        ({"jobs": 0}, "jobs"),
    ],
)
def test_bad_options(options, message, tmp_path):
    with pytest.raises(OptionError, match=message):
        make_field(tmp_path / "field", FieldOptions(**options))
    assert not (tmp_path / "field").exists()
