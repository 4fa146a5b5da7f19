"""Artificial sources: their light, their places, and what counts as found."""

from dataclasses import replace

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table
from astropy.wcs import WCS
from scipy import ndimage

from morpheus.errors import OptionError
from morpheus.evaluate import Truth, measure_detections
from morpheus.evaluate.injected import Patch, compare_injected

pytest.importorskip("galsim")

from morpheus.pipeline import InjectionOptions, baseline, inject
from morpheus.pipeline.detectors import Detector
from morpheus.simulate.imaged import ImagedBand, as_imaged, choose_survey, default_magnitudes
from morpheus.simulate.injection import (
    BORDER,
    SEPARATION,
    add_light,
    allowed_pixels,
    draw_sources,
    into_passes,
)
from morpheus.simulate.psf import psf_image
from morpheus.simulate.render import band_fluxes, render_source
from morpheus.simulate.sources import Source

BANDS = ("F160W", "F606W")
ZERO_POINT = 25.0
NOISE = 0.01


def make_survey(bands=BANDS, **changes):
    images = [ImagedBand(band, ZERO_POINT, **changes) for band in bands]
    return as_imaged(choose_survey(bands), images, pixel_scale=0.06)


def make_wcs():
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = "RA---TAN", "DEC--TAN"
    wcs.wcs.crval, wcs.wcs.crpix = (53.12, -27.8), (100.5, 100.5)
    wcs.wcs.cdelt = -0.06 / 3600, 0.06 / 3600
    return wcs


def star(number, x, y, mag):
    return Source(number, x, y, mag, "star", (0.0, 0.0, 0.0, 1.0), 5, temperature=4000.0)


class Threshold(Detector):
    """Pixels above a level that touch: what is close is blended."""

    def __init__(self, level=5 * NOISE):
        super().__init__("threshold", "a threshold")
        self.level = level

    def find(self, image):
        labels, number = ndimage.label(np.nan_to_num(image) > self.level)
        sizes = ndimage.sum_labels(labels > 0, labels, np.arange(number + 1))
        labels[sizes[labels] < 5] = 0
        return measure_detections(labels, image, zero_point=ZERO_POINT)

    def detect(self, image, progress=None):
        return self.find(image.reference)


# What is put in


def test_the_light_added_is_the_flux_asked_for():
    survey = make_survey()
    allowed = np.zeros((500, 500), bool)
    allowed[240:260, 240:260] = True
    sources = draw_sources(survey, allowed, n=10, mag=(21, 27), seed=1)
    sources.append(star(11, 250.3, 249.6, 22.0))
    for source in sources:
        images = [np.zeros(allowed.shape, np.float32) for _ in BANDS]
        add_light(images, survey, [source], seed=None)
        for band, image in zip(survey.bands, images, strict=True):
            assert image.sum(dtype=float) == pytest.approx(
                band_fluxes(source, band).sum(), rel=0.005
            )


@pytest.mark.parametrize("reference", ["F160W", "F606W"])
def test_magnitudes_are_uniform_in_the_reference_band(reference):
    survey = make_survey((reference, "F125W"))
    sources = draw_sources(survey, np.ones((50, 50), bool), n=150, mag=(22, 26), seed=2)
    flux = [band_fluxes(source, survey.bands[0]).sum() for source in sources]
    mag = ZERO_POINT - 2.5 * np.log10(flux)
    assert mag.min() >= 22 - 1e-9
    assert mag.max() <= 26 + 1e-9
    assert abs(mag.mean() - 24) < 0.4
    assert (mag < 23).mean() == pytest.approx(0.25, abs=0.12)


def test_a_source_depends_on_its_number_and_the_seed_only():
    survey, allowed = make_survey(), np.ones((80, 90), bool)
    few = draw_sources(survey, allowed, n=5, mag=(22, 27), seed=3)
    many = draw_sources(survey, allowed, n=9, mag=(22, 27), seed=3)
    other = draw_sources(survey, allowed, n=5, mag=(22, 27), seed=4)
    assert [(s.x, s.y, s.mag, s.votes) for s in few] == [
        (s.x, s.y, s.mag, s.votes) for s in many[:5]
    ]
    assert all(a.x != b.x and a.mag != b.mag for a, b in zip(few, other, strict=True))


def test_photon_noise_follows_the_gain():
    survey = make_survey(("F606W",))
    source = star(1, 100.3, 100.1, 20.0)
    noiseless, noisy = np.zeros((2, 200, 200), np.float32)
    add_light([noiseless], survey, [source], seed=None)
    add_light([noisy], survey, [source], seed=5)
    electrons = noiseless.sum(dtype=float) * survey.bands[0].gain
    # What many such stars would scatter by, from the scatter of the brightest pixels.
    bright = noiseless > np.sort(noiseless, axis=None)[-200]
    z = (noisy - noiseless)[bright] / np.sqrt(noiseless[bright] / survey.bands[0].gain)
    assert 0.4 < z.std() < 1.1  # less than 1: drizzling smooths it
    assert abs(noisy.sum(dtype=float) / noiseless.sum(dtype=float) - 1) < 6 / np.sqrt(electrons)


def test_gains_follow_zero_points_and_exposures():
    survey = choose_survey(("F160W",))
    known = survey.bands[0]

    def electrons(mag, **image):
        band = as_imaged(survey, [ImagedBand("F160W", **image)], pixel_scale=0.06).bands[0]
        return 10 ** (-0.4 * (mag - band.zero_point)) * band.gain

    expected = 10 ** (-0.4 * (24 - known.zero_point)) * known.gain
    assert electrons(24, zero_point=known.zero_point) == pytest.approx(expected)
    assert electrons(24, zero_point=31.4) == pytest.approx(expected)
    assert electrons(24, zero_point=31.4, exposure=1.0) == pytest.approx(expected)
    double = electrons(24, zero_point=31.4, exposure=2 * known.exposure)
    assert double == pytest.approx(2 * expected)


def test_a_survey_is_found_by_its_bands():
    assert choose_survey(("f160w", "F606W")).name == "candels-deep"
    assert choose_survey(("F444W",)).name == "nircam"
    assert choose_survey(("F160W",), "xdf").name == "xdf"
    with pytest.raises(OptionError, match="no survey has the bands F160W, VIS; known are candels"):
        choose_survey(("F160W", "VIS"))
    with pytest.raises(OptionError, match="euclid-vis has no band F160W; it has VIS"):
        choose_survey(("F160W",), "euclid-vis")


def test_default_magnitudes_follow_the_depth():
    shallow = default_magnitudes(make_survey(sky_sigma=0.01))
    deep = default_magnitudes(make_survey(sky_sigma=0.001))
    assert deep[0] - shallow[0] == 2.5
    assert shallow[1] - shallow[0] == 7


# Where it is put


def test_sources_keep_away_from_edges_and_masks():
    valid = np.ones((120, 140), bool)
    valid[60, 70] = False  # a bad pixel
    valid[:30, :30] = False  # not observed
    allowed = allowed_pixels(valid)
    assert not allowed[59:62, 69:72].any()
    assert allowed[60, 72]
    assert not allowed[:BORDER].any()
    assert not allowed[:, -BORDER:].any()
    assert not allowed[: 30 + BORDER, : 30 + BORDER].any()
    assert allowed[50, 50]
    sources = draw_sources(make_survey(), allowed, n=300, mag=(22, 27), seed=0)
    x, y = np.rint([[source.x, source.y] for source in sources]).astype(int).T
    assert allowed[y, x].all()
    assert x.std() == pytest.approx(120 / np.sqrt(12), rel=0.15)


def test_passes_are_not_crowded():
    survey = make_survey()
    sources = draw_sources(survey, np.ones((400, 400), bool), n=60, mag=(22, 27), seed=1)
    passes = into_passes(survey, sources, (400 * 0.001) ** 2, density=100)
    assert sorted(s.id for one in passes for s in one) == list(range(1, 61))
    assert max(len(one) for one in passes) <= 16
    for one in passes:
        for source in one:
            for other in one:
                if other is not source:
                    distance = 0.06 * np.hypot(source.x - other.x, source.y - other.y)
                    assert distance >= max(SEPARATION, 3 * (source.r_e + other.r_e))


# PSFs from files


@pytest.mark.parametrize("side", [41, 40])
def test_a_measured_psf_is_what_a_star_looks_like(tmp_path, side):
    y, x = np.indices((side, side)) - side // 2
    psf = np.exp(-0.5 * (x**2 / 2.5**2 + y**2 / 1.8**2))
    fits.writeto(tmp_path / "psf.fits", (7 * psf).astype(np.float32))
    survey = make_survey(("F160W",), psf=tmp_path / "psf.fits")
    stamp = render_source(survey, star(1, 60.0, 50.0, 22.0), np.zeros((1, 2))).data[0]
    center = stamp.shape[0] // 2
    low, high = center - side // 2, center - side // 2 + side
    found = stamp[low:high, low:high] / stamp.sum()
    assert np.abs(found - psf / psf.sum()).max() < 0.005 * found.max()
    assert psf_image(survey, survey.bands[0]).sum() == pytest.approx(1, abs=1e-3)


def bad_psf(kind):
    psf = np.zeros((21, 21), np.float32)
    psf[9:12, 9:12] = 1
    if kind == "nan":
        psf[0, 0] = np.nan
    elif kind == "zero":
        psf[:] = 0
    elif kind == "edge":
        psf = np.roll(psf, 10, axis=0)
    elif kind == "small":
        psf = psf[9:12, 9:12]
    elif kind == "cube":
        psf = psf[None, None]
    return psf


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("nan", "NaN"),
        ("zero", "add up to 0"),
        ("edge", "not centred"),
        ("small", "3 x 3 pixels"),
        ("cube", "no image of two dimensions"),
    ],
)
def test_bad_psfs(tmp_path, kind, message):
    fits.writeto(tmp_path / "psf.fits", bad_psf(kind))
    with pytest.raises(OptionError, match=message):
        make_survey(("F160W",), psf=tmp_path / "psf.fits")


def test_a_psf_that_is_no_file(tmp_path):
    with pytest.raises(OptionError, match="cannot read the PSF"):
        make_survey(("F160W",), psf=tmp_path / "missing.fits")


# What counts as found


def blob(x, y, mag, sigma=1.5, size=100):
    rows, columns = np.indices((size, size))
    light = np.exp(-((rows - y) ** 2 + (columns - x) ** 2) / (2 * sigma**2))
    return (10 ** (-0.4 * (mag - ZERO_POINT)) * light / light.sum()).astype(np.float32)


def outcomes(existing, injected, find=None):
    """Plant sources (x, y, mag, sigma) in a field of noise; give the sample of the injected."""
    rng = np.random.default_rng(0)
    original = rng.normal(0, NOISE, (100, 100)).astype(np.float32)
    for one in existing:
        original += blob(*one)
    lights = [blob(*one) for one in injected]
    find = find or Threshold().find
    x, y, mag = (np.array([one[k] for one in injected], float) for k in range(3))
    unknown = np.full(len(injected), np.nan)
    truth = Truth(
        Table(
            {
                "id": np.arange(1, len(injected) + 1),
                "x": x,
                "y": y,
                "mag": mag,
                "r_e": unknown,
                "surface_brightness": unknown,
                "votes": np.full((len(injected), 4), 0.25),
            }
        )
    )
    return compare_injected(
        truth,
        [Patch(0, 0, light) for light in lights],
        original,
        find(original),
        find(original + sum(lights)),
        radius=5,
        pixel_scale=0.06,
    )


BRIGHT, FAINT = 20.0, 24.5


@pytest.mark.parametrize(
    ("existing", "injected", "outcome"),
    [
        pytest.param([], (50, 50, 23), "detected", id="on blank sky"),
        pytest.param([], (50, 50, 32), "missed", id="too faint"),
        pytest.param([(50, 50, BRIGHT)], (50, 50, 23), "blended", id="on a bright star"),
        pytest.param([(50, 50, BRIGHT)], (53, 50, 23), "blended", id="in a bright star's label"),
        pytest.param([(50, 50, BRIGHT)], (50, 50, 35), "blended", id="nothing on a bright star"),
        pytest.param([(50, 50, FAINT)], (51, 50, 22), "detected", id="on a much fainter source"),
        pytest.param([(50, 50, 22.1)], (51, 50, 22), "blended", id="on one of the same flux"),
        pytest.param([(50, 50, 22.1)], (50, 57, 22), "blended", id="merged with one beside it"),
        pytest.param([(50, 50, 22)], (64, 50, 23), "detected", id="beside a brighter source"),
        pytest.param([(50, 50, 24)], (54.6, 50, 30), "missed", id="unseen, near a label"),
        pytest.param([(50, 50, 24)], (54.6, 50, 23.5, 15), "missed", id="unseen, but brighter"),
    ],
)
def test_planted_sources(existing, injected, outcome):
    sample = outcomes(existing, [injected])
    assert list(sample.sources["outcome"]) == [outcome]
    assert list(sample.sources["id"]) == ["1"]
    assert len(sample.labels) == (outcome == "detected")
    assert not sample.complete


def test_a_new_label_in_the_halo_of_a_bright_source_is_a_detection():
    def peaks(image):
        """Every peak is a label of its own, of the pixels within 2 of it."""
        smooth = ndimage.gaussian_filter(image, 1)
        peak = (smooth == ndimage.maximum_filter(smooth, 9)) & (smooth > 5 * NOISE)
        labels = ndimage.label(peak)[0]
        return measure_detections(ndimage.maximum_filter(labels, 5), image, zero_point=ZERO_POINT)

    sample = outcomes([(50, 50, 19, 6.0)], [(62, 50, 22)], peaks)
    assert list(sample.sources["outcome"]) == ["detected"]


def test_two_existing_sources_that_merge_leave_an_injected_one_its_label():
    sample = outcomes(
        [(30, 50, 23), (34, 50, 22), (70, 50, 21)], [(50, 50, 23), (32, 51, 24), (70, 60, 23)]
    )
    assert list(sample.sources["outcome"]) == ["detected", "blended", "detected"]
    # The two are one detection, whose light lies at 32.9.
    assert sample.sources["neighbour"][0] == pytest.approx(17.1, abs=0.3)
    assert sample.sources["mag_label"][0] == pytest.approx(23, abs=0.4)
    assert sample.chance[0] == 0


def test_what_is_masked_counts_for_nothing():
    def find(image):
        image = image.copy()
        image[40:60, 40:60] = np.nan
        return Threshold().find(image)

    sample = outcomes([], [(50, 50, 22), (20, 20, 22)], find)
    assert list(sample.sources["id"]) == ["2"]


# All of it


@pytest.fixture(scope="module")
def sky():
    """Two bands of 260 pixels with noise and three existing sources."""
    rng = np.random.default_rng(8)
    survey = make_survey()
    planes = [rng.normal(0, NOISE, (260, 260)).astype(np.float32) for _ in BANDS]
    planes[0][:, -20:] = np.nan
    existing = [star(n, *place, 21.5) for n, place in enumerate([(60, 60), (150, 90), (90, 200)])]
    add_light(planes, survey, existing, seed=0)
    return dict(zip(BANDS, planes, strict=True))


def run(sky, detectors=None, **options):
    chosen = {"zero_points": dict.fromkeys(sky, ZERO_POINT), "n": 15, "density": 100.0} | options
    images = {band: (plane, make_wcs()) for band, plane in sky.items()}
    return inject(images, detectors or [Threshold()], options=InjectionOptions(**chosen))


def test_images_are_left_alone_and_the_seed_decides(sky):
    before = {band: plane.copy() for band, plane in sky.items()}
    first, again, other = run(sky), run(sky), run(sky, seed=1)
    for band, plane in sky.items():
        np.testing.assert_array_equal(plane, before[band])
    for name in first.injected.colnames:
        np.testing.assert_array_equal(first.injected[name], again.injected[name])
    assert not np.isin(other.injected["x"], first.injected["x"]).any()


def test_the_table_and_the_scores_agree(sky):
    result = run(sky, [Threshold(), baseline("photutils")], mag=(21, 25), n=12)
    table = result.injected
    assert list(table["id"]) == list(range(1, 13))
    assert set(table["pass"]) == set(range(1, len(result.setup["images"]) + 1))
    assert result.setup["kind"] == "injected"
    for name in ("threshold", "photutils"):
        scores = result.results[name].scores
        total = scores["detection"]["completeness"]["total"]
        assert total["n"] == 12
        assert total["k"] == np.count_nonzero(table[f"outcome_{name}"] == "detected")
        assert "purity" not in scores["detection"]
        assert scores["classes"] is None
        assert f"p_disk_{name}" not in table.colnames
        detected = table[table[f"outcome_{name}"] == "detected"]
        assert len(detected) > 6
        assert (detected[f"label_{name}"] > 0).all()
        # Isophotes hold less than all of the light, a high one much less.
        faded = np.median(detected[f"mag_{name}"] - detected["mag_f160w"])
        assert 0 < faded < {"threshold": 2.5, "photutils": 0.8}[name]
    sky_positions = make_wcs().pixel_to_world_values(table["x"], table["y"])
    np.testing.assert_allclose(table["ra"], sky_positions[0])
    inside = table["x"] < 200
    np.testing.assert_allclose(
        table["flux_sum_f606w"][inside] / table["flux_f606w"][inside], 1, rtol=0.1
    )


def test_a_model_classifies_what_is_injected(sky, small_config, make_model, tmp_path):
    from morpheus.inference import InferenceOptions
    from morpheus.model import save_model
    from morpheus.pipeline import ModelDetector

    config = replace(small_config, bands=("F606W", "F160W"))
    save_model(make_model(config), tmp_path / "tiny", "")
    options = InferenceOptions(stride=4)
    model = ModelDetector(tmp_path / "tiny", inference=options)
    result = run(sky, [model], n=6, mag=(21, 23))
    assert result.setup["reference_band"] == "F606W"
    assert list(result.setup["gains"]) == ["F606W", "F160W"]
    assert len(result.injected) == 6
    assert len(result.results["small"].sample.sources) == 6


def test_errors_before_the_work(sky):
    with pytest.raises(OptionError, match=r"zero point.*--zero-point F160W"):
        run(sky, zero_points={})
    with pytest.raises(OptionError, match="photutils"):
        run(sky, [baseline("photutils"), baseline("photutils")])
    with pytest.raises(OptionError, match="give a model, a baseline"):
        inject(sky, [])
    with pytest.raises(OptionError, match="--psf: F125W is no band"):
        run(sky, psf={"F125W": "psf.fits"})
    with pytest.raises(OptionError, match="no WCS: give the side of a pixel"):
        inject(
            sky,
            [Threshold()],
            options=InjectionOptions(zero_points=dict.fromkeys(sky, ZERO_POINT)),
        )
    small = {band: plane[:20, :20] for band, plane in sky.items()}
    with pytest.raises(OptionError, match="nowhere in these 20 x 20 pixels"):
        run(small)
