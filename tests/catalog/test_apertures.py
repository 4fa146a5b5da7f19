"""Apertures beside photutils', pixel by pixel, and where photutils gives up."""

import dataclasses

import numpy as np
import pytest
from photutils.segmentation import SegmentationImage, SourceCatalog

from morpheus.catalog.apertures import draw_apertures
from morpheus.catalog.flux_radius import flux_radii
from morpheus.catalog.shapes import Shapes, measure_shapes
from morpheus.catalog.stamps import make_stamp, pixels_used

from .conftest import gaussian

SHAPE = (90, 120)
RADII = (2.5, 6.0)
KRON = (2.5, 1.4)
# x, y, flux, sigma, q, theta, half of the label's box: alone, at two edges, and in pairs.
ALONE = [(30.2, 40.7, 100, 2.5, 0.6, 0.5, 8), (90, 66, 50, 2, 1, 0, 8), (118, 14, 40, 2, 0.7, 2, 7)]
PAIRS = [(50, 14, 60, 1.8, 0.8, 1, 6), (60, 19, 80, 2, 0.6, 2, 5), (52.6, 28, 30, 1.5, 1, 0, 4)]


@pytest.fixture
def image():
    """Data, errors, mask and labels; the labels of the pairs stand in each other's apertures."""
    rng = np.random.default_rng(3)
    data, labels = rng.normal(0, 0.02, SHAPE), np.zeros(SHAPE, np.int32)
    for number, (x, y, flux, sigma, q, theta, half) in enumerate(ALONE + PAIRS, start=1):
        data += gaussian(SHAPE, x, y, flux, sigma, q, theta)
        rows, columns = (slice(max(0, round(c) - half), round(c) + half + 1) for c in (y, x))
        labels[rows, columns] = np.where(labels[rows, columns], labels[rows, columns], number)
    mask = rng.random(SHAPE) < 0.01
    data[mask] = np.nan
    error = rng.uniform(0.01, 0.03, SHAPE)
    return data.astype(np.float32), error.astype(np.float32), mask, labels


def ours(image, numbers):
    data, error, mask, labels = image
    shapes, _ = measure_shapes(
        data, SegmentationImage(labels), int(labels.max()), mask=mask, kron_params=KRON
    )
    chosen = np.isin(np.arange(1, labels.max() + 1), numbers)
    shapes = shapes.take(chosen)
    apertures = draw_apertures(labels, numbers, shapes, RADII)
    fluxes = apertures.fluxes(data, error, mask)
    fractions = (0.2, 0.5, 0.8)
    radii = flux_radii(data, mask, labels, numbers, shapes, fluxes.kron, fractions)
    return shapes, fluxes, radii


def theirs(image):
    data, error, mask, labels = image
    return SourceCatalog(data, SegmentationImage(labels), error=error, mask=mask, kron_params=KRON)


def test_photutils_agrees(image):
    """Of sources alone every digit; the masked pixels and the edges are the same to both."""
    numbers = np.arange(1, len(ALONE) + 1)
    (_, fluxes, radii), catalog = ours(image, numbers), theirs(image)[: len(ALONE)]
    np.testing.assert_allclose(fluxes.kron, catalog.kron_flux, rtol=1e-12)
    np.testing.assert_allclose(fluxes.kron_err, catalog.kron_flux_err, rtol=1e-6)
    for radius, flux, error in zip(RADII, fluxes.circular, fluxes.circular_err, strict=True):
        flux_there, error_there = catalog.circular_photometry(radius)
        np.testing.assert_allclose(flux, flux_there, rtol=1e-12)
        np.testing.assert_allclose(error, error_there, rtol=1e-6)
    for fraction, row in zip((0.2, 0.5, 0.8), radii, strict=True):
        np.testing.assert_allclose(row, catalog.flux_radius(fraction).value, atol=2e-5)


def test_photutils_agrees_beside_neighbours(image):
    """In the box of each aperture, which is all that photutils looks at: it drops pixels whose
    opposite is beyond, by rounding, where we take it."""
    data, error, mask, labels = image
    numbers = np.arange(len(ALONE) + 1, len(ALONE) + len(PAIRS) + 1)
    shapes, whole, _ = ours(image, numbers)
    catalog = theirs(image)[len(ALONE) :]
    kron = catalog.kron_aperture
    circles = catalog.make_circular_apertures(RADII[1])
    flux, flux_err = catalog.circular_photometry(RADII[1])
    for i in range(len(numbers)):
        this = np.arange(len(numbers)) == i
        for aperture, name, expected in (
            (kron[i], "kron", (catalog.kron_flux[i], catalog.kron_flux_err[i])),
            (circles[i], "circular", (flux[i], flux_err[i])),
        ):
            box, _ = aperture.bbox.get_overlap_slices(SHAPE)
            moved = dataclasses.replace(
                shapes.take(this),
                x=shapes.x[this] - box[1].start,
                y=shapes.y[this] - box[0].start,
            )
            # what is not asked for may not make the box larger
            radii = () if name == "kron" else RADII[1:]
            apertures = draw_apertures(labels[box].copy(), numbers[this], moved, radii)
            found = apertures.fluxes(data[box], error[box], mask[box])
            value, value_err = getattr(found, name), getattr(found, f"{name}_err")
            if name == "circular":
                value, value_err = value[0], value_err[0]
            assert value[0] == pytest.approx(expected[0], rel=1e-12)
            assert value_err[0] == pytest.approx(expected[1], rel=1e-6)
    # the neighbours matter at all
    assert not np.allclose(
        whole.kron,
        SourceCatalog(
            data,
            SegmentationImage(labels),
            mask=mask,
            kron_params=KRON,
            aperture_mask_method="none",
        )[len(ALONE) :].kron_flux,
        rtol=1e-2,
    )


def test_parts_of_larger_arrays_are_as_good(image):
    """Where nothing is subtracted the pixels are a view."""
    numbers = np.arange(1, len(ALONE) + len(PAIRS) + 1)
    _, fluxes, radii = ours(image, numbers)
    views = [np.pad(one, 7)[7:-7, 7:-7] for one in image[:3]]
    assert not any(view.flags.c_contiguous for view in views)
    _, same, again = ours((*views, image[3]), numbers)
    np.testing.assert_array_equal(fluxes.kron, same.kron)
    np.testing.assert_array_equal(radii, again)


def test_neighbours_are_replaced_by_what_is_opposite(image):
    """Pixel by pixel, as the words say it."""
    _, _, mask, labels = image
    number, (x, y) = len(ALONE) + 1, (50.4, 13.6)
    stamp = make_stamp(labels, number, (x, y), 14.0)
    used = pixels_used(stamp.own, stamp.counted, mask.reshape(-1))
    replaced = 0
    for own, counted, counts in zip(stamp.own.flat, stamp.counted.flat, used.flat, strict=True):
        row, column = divmod(int(own), SHAPE[1])
        at = row, column
        if labels[at] not in (0, number):
            at = 2 * 14 - row, 2 * 50 - column
            replaced += 1
        inside = all(0 <= c < n for c, n in zip(at, SHAPE, strict=True))
        good = inside and labels[at] in (0, number) and not (mask[at] or mask[row, column])
        assert counts == good
        if good:
            assert counted == at[0] * SHAPE[1] + at[1]
    assert replaced > 50


def test_a_symmetric_source_is_whole_in_spite_of_a_neighbour():
    shape = (61, 61)
    data = gaussian(shape, 30, 30, 100, 3).astype(np.float32)
    labels = np.zeros(shape, np.int32)
    labels[24:37, 24:37] = 1
    labels[24:37, 37:50] = 2
    with_other = data + gaussian(shape, 44, 30, 300, 2).astype(np.float32) * (labels == 2)
    shapes = Shapes(*(np.array([v]) for v in (30.0, 30.0, 3.0, 3.0, 0.0, 11.0)))
    error, mask = np.ones(shape, np.float32), np.zeros(shape, bool)
    apertures = draw_apertures(labels, np.array([1]), shapes, RADII)
    alone, beside = (apertures.fluxes(one, error, mask) for one in (data, with_other))
    assert beside.kron == pytest.approx(alone.kron, rel=1e-6)
    assert alone.kron == pytest.approx(100 * (1 - np.exp(-(11**2) / 18)), rel=1e-3)
    assert alone.kron_err == pytest.approx(np.sqrt(np.pi) * 11, rel=1e-6)


def test_what_is_not_defined_is_nan():
    """No position; no Kron aperture; nothing but masked pixels; nothing there."""
    shape = (40, 40)
    labels = np.zeros(shape, np.int32)
    x = np.array([np.nan, 10.0, 30.0])
    nan = np.nan
    shapes = Shapes(
        x, x.copy(), np.array([nan, 2, 2]), np.ones(3), np.zeros(3), np.array([nan, nan, 4.0])
    )
    mask = np.zeros(shape, bool)
    mask[20:, 20:] = True
    data, error = np.ones(shape, np.float32), np.ones(shape, np.float32)
    numbers = np.array([1, 2, 3])
    fluxes = draw_apertures(labels, numbers, shapes, (2.0,)).fluxes(data, error, mask)
    np.testing.assert_array_equal(np.isnan(fluxes.kron), [True, True, True])
    np.testing.assert_array_equal(np.isnan(fluxes.circular[0]), [True, False, True])
    assert fluxes.circular[0][1] == pytest.approx(4 * np.pi)
    radii = flux_radii(data, mask, labels, numbers, shapes, fluxes.kron, (0.5,))
    assert np.isnan(radii).all()
    nothing = draw_apertures(labels, numbers[:1], shapes.take(np.isnan(x)), (2.0,))
    assert np.isnan(nothing.fluxes(data, error, mask).kron).all()


def test_light_that_never_reaches_its_half_has_no_radius():
    """Half of more than there is; and of a total that is negative where all light is not."""
    shape = (41, 41)
    data = gaussian(shape, 20, 20, 100, 2).astype(np.float32)
    shapes = Shapes(*(np.array([v]) for v in (20.0, 20.0, 2.0, 2.0, 0.0, 8.0)))
    labels, mask = np.zeros(shape, np.int32), np.zeros(shape, bool)
    for total in (250.0, -100.0):
        radii = flux_radii(data, mask, labels, np.array([1]), shapes, np.array([total]), (0.5,))
        assert np.isnan(radii).all()
    radii = flux_radii(data, mask, labels, np.array([1]), shapes, np.array([100.0]), (0.5,))
    assert radii[0, 0] == pytest.approx(2 * np.sqrt(2 * np.log(2)), rel=2e-2)
