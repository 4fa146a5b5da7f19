"""What fields are made of: point-spread functions, counts, colours, votes, stamps."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

pytest.importorskip("galsim")

import galsim
from photutils.aperture import CircularAperture

from morpheus.simulate import SURVEYS
from morpheus.simulate.colors import color, quasar_color, star_color
from morpheus.simulate.galaxies import draw_galaxy
from morpheus.simulate.population import counts, draw_population, panel_votes, votes_of
from morpheus.simulate.psf import point_source_depth, psf_fwhm, psf_image, transfer
from morpheus.simulate.render import render_source
from morpheus.simulate.sources import Sersic, Source

DEEP = SURVEYS["candels-deep"]
STILL = np.zeros((len(DEEP.bands), 2))
# Of a star of the XDF: Gaussian fits within 4 pixels, and the light within four radii in arcsec, in
# units of that within 0.9.
RADII = 0.12, 0.18, 0.30, 0.60
MEASURED_FWHM = {"F160W": 0.178, "F125W": 0.169, "F606W": 0.115, "F850LP": 0.107}
MEASURED_GROWTH = {
    "F160W": (0.417, 0.614, 0.851, 0.957),
    "F125W": (0.467, 0.674, 0.881, 0.967),
    "F606W": (0.739, 0.860, 0.931, 0.981),
    "F850LP": (0.621, 0.790, 0.887, 0.969),
}
# Kartaltepe et al. (2015), 7411 sources of GOODS-S to F160W = 24.5: mean votes of those with most
# votes for spheroid, disk, irregular and point source.
KARTALTEPE_VOTES = [
    [0.64, 0.20, 0.04, 0.12],
    [0.10, 0.77, 0.12, 0.01],
    [0.07, 0.21, 0.69, 0.02],
    [0.16, 0.03, 0.02, 0.80],
]


def gaussian_fwhm(image, scale):
    from scipy.optimize import least_squares

    center = image.shape[0] // 2
    rows, columns = np.indices(image.shape) - center
    radius2 = rows**2 + columns**2
    near = radius2 < 16

    def residual(parameters):
        height, sigma, level = parameters
        return (height * np.exp(-radius2 / 2 / sigma**2) + level - image)[near]

    return 2.3548 * abs(least_squares(residual, (image.max(), 1.3, 0)).x[1]) * scale


@pytest.mark.parametrize("band", DEEP.bands, ids=lambda band: band.name)
def test_psf_is_as_wide_as_a_real_star(band):
    fwhm = gaussian_fwhm(psf_image(DEEP, band), DEEP.pixel_scale)
    assert_allclose(fwhm, MEASURED_FWHM[band.name], rtol=0.04)
    assert_allclose(psf_image(DEEP, band).sum(), 1, rtol=1e-3)


@pytest.mark.parametrize("band", DEEP.bands, ids=lambda band: band.name)
def test_psf_has_the_wings_of_a_real_star(band):
    star = Source(1, 40.2, 40.1, 20.0, "star", (0, 0, 0, 1), 3, temperature=3500)
    stamp = render_source(DEEP, star, STILL)
    image = stamp.data[DEEP.bands.index(band)].astype(float)
    x, y = star.x - stamp.x, star.y - stamp.y
    rows, columns = np.indices(image.shape)
    radius = np.hypot(rows - y, columns - x) * DEEP.pixel_scale
    image -= image[(radius > 1.5) & (radius < 1.9)].mean()
    apertures = [CircularAperture((x, y), r / DEEP.pixel_scale) for r in (*RADII, 0.9)]
    light = np.array([aperture.do_photometry(image)[0][0] for aperture in apertures])
    assert_allclose(light[:-1] / light[-1], MEASURED_GROWTH[band.name], atol=0.02)


def test_seeing_is_as_stated():
    survey = SURVEYS["lsst"]
    for band in survey.bands:
        assert_allclose(psf_fwhm(survey, band), band.seeing, rtol=0.06)


def test_depths_are_as_stated():
    for survey in SURVEYS.values():
        for band in survey.bands:
            if band.depth is not None:
                assert_allclose(point_source_depth(survey, band), band.depth, atol=1e-6)


def test_counts():
    grid = np.linspace(18, 26, 2001)
    assert_allclose(np.trapezoid(counts(grid), grid), 150, rtol=1e-3)
    size = 2000
    sources = draw_population(DEEP, size, seed=11, density=150)
    inside = [s for s in sources if 0 <= s.x < size and 0 <= s.y < size]
    area = (size * DEEP.pixel_scale / 60) ** 2
    magnitudes = np.array([source.mag for source in inside])
    for low, high in ((20, 23), (23, 25), (25, 26), (26, 28)):
        bins = np.linspace(low, high, 201)
        expected = np.trapezoid(counts(bins), bins) * area
        found = np.count_nonzero((magnitudes >= low) & (magnitudes < high))
        assert abs(found - expected) < 4 * np.sqrt(expected)


def test_classes_of_bright_sources_are_those_of_the_votes():
    # Kartaltepe et al. (2015): 25% spheroids, 56% disks, 11% irregulars, 5% point sources.
    sources = [s for s in draw_population(DEEP, 4000, seed=2, density=150) if s.mag < 24.5]
    classes = np.array([np.argmax(source.votes) for source in sources])
    shares = np.bincount(classes, minlength=4) / len(sources)
    assert_allclose(shares, (0.25, 0.56, 0.11, 0.05), atol=0.06)


def test_experts_disagree_as_real_ones_do():
    sources = [s for s in draw_population(DEEP, 4000, seed=2, density=150) if s.mag < 24.5]
    votes = np.array([source.votes for source in sources])
    means = [votes[votes.argmax(axis=1) == number].mean(axis=0) for number in range(4)]
    assert_allclose(means, KARTALTEPE_VOTES, atol=0.12)


def test_experts_disagree_about_faint_sources():
    rng = np.random.default_rng(0)
    tendency = np.array([4.0, 0.0, -4.0, -8.0])
    agreed = [
        np.mean([max(panel_votes(rng, tendency, m)[0]) for _ in range(300)]) for m in (22, 27)
    ]
    assert agreed[0] > agreed[1] + 0.1


def test_votes_are_as_probable_as_the_tendencies_say():
    rng = np.random.default_rng(0)
    sources = [s for s in draw_population(DEEP, 1500, seed=3, density=150) if s.mag < 25]
    expected = [votes_of(rng, np.array(s.tendency), s.mag, 2000) for s in sources]
    votes = np.array([s.votes for s in sources])
    assert len(sources) > 150
    assert_allclose(votes.mean(axis=0), np.mean(expected, axis=0), atol=0.02)
    # So many votes of a panel, each a draw: the mean square distance is that of a multinomial.
    n = np.array([s.n_experts for s in sources])[:, None]
    variance = np.mean(np.array(expected) * (1 - np.array(expected)) / n, axis=0)
    assert_allclose(((votes - expected) ** 2).mean(axis=0), variance, rtol=0.3, atol=0.002)


def test_bright_galaxies_are_larger_and_nearer():
    rng = np.random.default_rng(1)
    bright, faint = ([draw_galaxy(rng, mag) for _ in range(300)] for mag in (21, 26))
    medians = [np.median([galaxy.r_e for galaxy in group]) for group in (bright, faint)]
    assert medians[0] > 2 * medians[1]
    assert np.median([g.redshift for g in bright]) < np.median([g.redshift for g in faint])
    for galaxy in (*bright, *faint):
        assert_allclose(sum(part.fraction for part in galaxy.parts), 1)


def test_colors():
    v, h = DEEP.bands[2], DEEP.bands[0]
    assert color(h, 1.3, 0.7) == pytest.approx(0)
    assert color(v, 0, 1) > color(v, 1, 1) > color(v, 3, 1) > 0
    assert color(v, 2, 7) > color(v, 2, 3) + 2  # a dropout
    assert star_color(v, 3000) > star_color(v, 6000)
    assert abs(quasar_color(v, 1.0)) < 1
    assert abs(color(v, 4, 1.0)) < 0.05  # young stars: flat f_nu
    assert abs(color(SURVEYS["roman"].bands[0], 1.3, 0.7)) < 0.1  # F158 is almost F160W


def one_source(**options):
    shape = Sersic(1.0, 1.0, **{"n": 1.0, "r_e": 0.3, "axis_ratio": 0.6, "angle": 0.5, **options})
    return Source(1, 40.3, 30.7, 22.0, "galaxy", (0, 1, 0, 0), 3, parts=(shape,), redshift=0.8)


@pytest.mark.parametrize("n", [1.0, 2.5, 4.0])
def test_stamps_are_galsim_s(n):
    # The same profile and PSF, convolved by GalSim.
    source, band = one_source(n=n), DEEP.bands[0]
    stamp = render_source(DEEP, source, STILL)
    size = stamp.data.shape[1]
    profile = galsim.Sersic(n, half_light_radius=0.3 * np.sqrt(0.6))
    profile = profile.shear(q=0.6, beta=0.5 * galsim.radians)
    psf = psf_image(DEEP, band, size, oversample=2)
    psf = galsim.Image(psf, scale=DEEP.pixel_scale / 2)
    psf = galsim.InterpolatedImage(psf, flux=1, use_true_center=False)
    offset = galsim.PositionD(source.x - stamp.x - size // 2, source.y - stamp.y - size // 2)
    image = galsim.Image(size, size, scale=DEEP.pixel_scale)
    galsim.Convolve(profile, psf).drawImage(
        image, method="no_pixel", offset=offset, use_true_center=False
    )
    flux = stamp.data[0].sum()
    assert_allclose(stamp.data[0] / flux, image.array / image.array.sum(), atol=4e-4)


def test_a_stamp_s_centroid_is_the_position():
    stamp = render_source(DEEP, one_source(), STILL)
    rows, columns = np.indices(stamp.data.shape[1:])
    for band in stamp.data:
        assert_allclose((band * columns).sum() / band.sum() + stamp.x, 40.3, atol=0.02)
        assert_allclose((band * rows).sum() / band.sum() + stamp.y, 30.7, atol=0.02)


def test_transfer_is_one_at_the_origin():
    for band in DEEP.bands:
        values = transfer(DEEP, band, 32)
        assert values[0, 0] == 1
        assert abs(values).max() <= 1 + 1e-6
