"""Labels of real images, and the truth of simulated ones."""

import numpy as np
import pytest
from astropy import units as u
from astropy.table import Table
from astropy.wcs import WCS
from numpy.testing import assert_allclose, assert_array_equal

from morpheus.errors import GridMismatchError, OptionError
from morpheus.evaluate import measure_detections, read_labels, truth_of_field
from morpheus.mosaic import MosaicWarning


@pytest.fixture
def wcs():
    made = WCS(naxis=2)
    made.wcs.ctype = ["RA---TAN", "DEC--TAN"]
    made.wcs.crval, made.wcs.crpix = [53.1, -27.8], [50.5, 50.5]
    made.wcs.cdelt = [-0.06 / 3600, 0.06 / 3600]
    return made


def table(**columns):
    return Table({"id": ["a", "b"], "x": [3.0, 7.5], "y": [4.0, 1.0], **columns})


VOTES = {"spheroid": [4, 0], "disk": [1, 0], "irregular": [0, 0], "point_source": [0, 0]}


def test_votes_are_shares_and_unknown_without_any():
    truth = read_labels(table(**VOTES), None)
    assert_allclose(truth.sources["votes"][0], [0.8, 0.2, 0, 0])
    assert np.isnan(truth.sources["votes"][1]).all()
    assert not truth.complete
    assert_array_equal(truth.sources["x"], [3, 7.5])


@pytest.mark.parametrize("form", ["votes_{}", "p_{}", "F_{}"])
def test_names_of_votes(form):
    votes = {form.format(name): values for name, values in VOTES.items()}
    assert read_labels(table(**votes), None).sources["votes"][0][0] == 0.8


def test_classes_by_name():
    truth = read_labels(table(**{"class": ["Point source", "disk"]}), None)
    assert_array_equal(truth.sources["votes"], [[0, 0, 0, 1], [0, 1, 0, 0]])
    named = read_labels(table(kind=["PS", "spheroid"]), None, columns={"class": "kind"})
    assert_array_equal(named.sources["votes"], [[0, 0, 0, 1], [1, 0, 0, 0]])


def test_votes_in_percent():
    percent = dict(zip(VOTES, ([95, 0], [5, 120], [0, 3], [0, 0]), strict=True))
    shares = read_labels(table(**percent), None).sources["votes"]
    assert_allclose(shares, [[0.95, 0.05, 0, 0], [0, 120 / 123, 3 / 123, 0]])


def test_classes_of_another_kind_count_in_detection_only():
    with pytest.warns(MosaicWarning, match="'galaxy'"):
        truth = read_labels(table(**{"class": ["GALAXY", "STAR"]}), None)
    assert np.isnan(truth.sources["votes"]).all()


def test_sizes_have_units_and_can_be_unknown():
    truth = read_labels(table(r_e=[1 / 3600, -1.0] * u.deg), None)
    assert_allclose(truth.sources["r_e"], [1.0, np.nan])
    # SExtractor's FLUX_RADIUS is in pixels, and so is not taken for it.
    assert np.isnan(read_labels(table(FLUX_RADIUS=[3.0, 4.0]), None).sources["r_e"]).all()


def test_positions_of_photutils():
    labels = Table({"label": [1], "x_centroid": [4.5], "y_centroid": [2.0]})
    assert read_labels(labels, None).sources["x"][0] == 4.5


def test_a_reference_catalogue_has_magnitudes_and_sizes():
    truth = read_labels(
        table(MAG_AUTO=[22.0, 99.0] * u.mag, r=[0.5, 1.0]), None, columns={"r_e": "R"}
    )
    assert_allclose(truth.sources["mag"], [22, np.nan])
    # Half of the light within pi r^2.
    expected = 22 + 2.5 * np.log10(2 * np.pi * 0.25)
    assert_allclose(truth.sources["surface_brightness"], [expected, np.nan])


def test_sky_positions(wcs):
    sky = wcs.pixel_to_world_values([10.25, 30], [20.5, 40])
    labels = Table({"id": [1, 2], "ra": sky[0], "dec": sky[1]})
    truth = read_labels(labels, wcs)
    assert_allclose(truth.sources["x"], [10.25, 30], atol=1e-5)
    assert_allclose(truth.sources["y"], [20.5, 40], atol=1e-5)


@pytest.mark.parametrize(
    ("labels", "columns", "message"),
    [
        (Table({"ra": [53.1], "dec": [-27.8]}), None, "no WCS"),
        (table(r_e=[[1, 2], [3, 4]]), None, "holds arrays"),
        (table(r_e=[1, 2] * u.pix), None, "which is no arcsec"),
        (Table({"disk": [1.0]}), None, "ra and dec, or x and y"),
        (table(disk=[1, 0]), None, "no column for spheroid"),
        (table(**{**VOTES, "disk": [-1, 0]}), None, "negative"),
        (table(**{**VOTES, "disk": ["a", "b"]}), None, "not numbers"),
        (table(), {"mag": "F160W"}, "no column F160W"),
        (table(), {"magnitude": "F160W"}, "known are mag, r_e, class"),
    ],
)
def test_labels_that_cannot_be_used(labels, columns, message):
    with pytest.raises(OptionError, match=message):
        read_labels(labels, None, columns=columns)


def test_the_truth_of_a_field():
    catalog = Table(
        {
            "id": [1, 2],
            "x": [1.0, 2.0],
            "y": [3.0, 4.0],
            "mag_vis": [22.0, 20.0] * u.mag,
            "r_e": [0.4, 0.0] * u.arcsec,
            "axis_ratio": [0.5, 1.0],
            **{f"votes_{name}": [0.25, 0.25] for name in VOTES},
        }
    )
    truth = truth_of_field(catalog, "VIS")
    assert truth.complete
    expected = 22 + 2.5 * np.log10(2 * np.pi * 0.5 * 0.16)
    assert_allclose(truth.sources["surface_brightness"], [expected, np.nan])
    assert_array_equal(truth.sources["mag"], [22, 20])


def test_detections_are_measured_on_the_image():
    labels = np.zeros((40, 50), int)
    labels[10:14, 20:24] = 7
    labels[30:32, 5:9] = 3
    image = np.full(labels.shape, 5.0, np.float32)  # a sky of 5
    image[labels == 7] += 2.0
    image[12, 22] += 10.0
    image[labels == 3] -= 1.0
    found = measure_detections(labels, image, zero_point=25.0)
    assert found.labels.max() == 2  # numbers without gaps, in their order
    assert_array_equal(found.area, [8, 16])
    assert np.isnan(found.mag[0])
    assert_allclose(found.mag[1], 25 - 2.5 * np.log10(42), rtol=1e-6)
    assert_allclose(found.x[0], 6.5)  # without light: the middle of the pixels
    assert_allclose(found.x[1], (21.5 * 32 + 22 * 10) / 42)
    assert np.isnan(measure_detections(labels, image).mag).all()


def test_maps_of_other_programs():
    image = np.ones((4, 5), np.float32)
    assert len(measure_detections(np.ones((4, 5), ">f4"), image)) == 1
    with pytest.raises(OptionError, match="integers"):
        measure_detections(np.full((4, 5), 0.5), image)
    with pytest.raises(OptionError, match="integers"):
        measure_detections(np.full((4, 5), -1), image)
    with pytest.raises(OptionError, match="2\\^63"):
        measure_detections(np.full((4, 5), 2**64 - 1, np.uint64), image)
    with pytest.raises(GridMismatchError, match="shape"):
        measure_detections(np.ones((5, 4), int), image)
