"""External positions: how they are read, and what they claim."""

import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.table import MaskedColumn, QTable, Table

from morpheus.errors import OptionError
from morpheus.segmentation import SegmentationOptions, SourceFlag, segment
from morpheus.segmentation.guided import read_positions

SHAPE = (50, 60)
SOURCES = ((12, 10), (20, 10), (45, 30), (15, 40))  # the first two touch


@pytest.fixture
def blobs(classified_as, gaussians, wcs):
    flux = gaussians(SHAPE, *((x, y, 1, 2) for x, y in SOURCES))
    result = classified_as(np.where(flux > 0.1, 1.0, 0.0), wcs=wcs)
    return result, flux


def table(**columns):
    return Table({"x": [x for x, _ in SOURCES], "y": [y for _, y in SOURCES], **columns})


@pytest.mark.parametrize(
    ("ids", "kept"),
    [
        ([7, 3, 999999, 2], [7, 3, 999999, 2]),
        (["b", "aa", "ccc", "Ω"], ["b", "aa", "ccc", "Ω"]),
        (np.array([1, 2, 3, 250], np.uint8), [1, 2, 3, 250]),
        (np.array([1, 2, 3, 2**64 - 1], np.uint64), ["1", "2", "3", str(2**64 - 1)]),
        ([1.5, 2.5, 3.5, 4.5], ["1.5", "2.5", "3.5", "4.5"]),
    ],
)
def test_identifiers_are_kept(blobs, ids, kept):
    found = segment(*blobs, positions=table(id=ids))
    assert found.positions["id"].tolist() == kept
    for (x, y), name, label in zip(SOURCES, kept, found.positions["label"], strict=True):
        assert found.labels[y, x] == label
        assert found.sources["position_id"][label - 1] == name
    assert found.n_sources == 4
    assert found.sources["flags"].tolist() == [SourceFlag.DEBLENDED] * 2 + [0, 0]
    record = found.provenance
    assert (record["positions"], record["undetected_positions"]) == (4, [])
    assert record["shared_positions"] == 0


def test_blanks_around_identifiers_do_not_count():
    ids = [" a ", "b\n", "007", "c d"]
    assert read_positions(table(id=ids), None)["id"].tolist() == ["a", "b", "007", "c d"]


def test_without_identifiers_positions_are_counted(blobs):
    assert segment(*blobs, positions=np.array(SOURCES)).positions["id"].tolist() == [1, 2, 3, 4]


def test_what_is_not_detected_is_reported(blobs):
    x = [12, 40, 30, np.nan, -3, 60, 59.4, 1e300, -np.inf, 45]
    y = [10, 5, np.nan, 10, 10, 10, 49.4, 1e300, 10, 30]
    ids = list("abcdefghij")
    found = segment(*blobs, positions=Table({"id": ids, "x": x, "y": y}))
    detected = found.positions["label"] > 0
    assert found.positions["id"][detected].tolist() == ["a", "j"]
    assert found.provenance["undetected_positions"] == list("bcdefghi")
    np.testing.assert_array_equal(found.positions["x"], x)


def test_half_a_pixel_belongs_to_the_frame(classified_as):
    flux = np.ones((6, 8))
    positions = [[-0.49, -0.49], [7.49, 5.49], [-0.51, 3], [7.51, 3], [3, 5.51]]
    found = segment(classified_as(flux), flux, positions=positions)
    assert (found.positions["label"] > 0).tolist() == [True, True, False, False, False]


def test_two_positions_in_one_pixel(blobs):
    found = segment(*blobs, positions=[(11.8, 10.2), (45, 30), (12.3, 9.9), (12, 10)])
    label = found.labels[10, 12]
    assert found.positions["label"].tolist() == [label, found.labels[30, 45], label, label]
    assert found.sources["position_id"][label - 1] == 1
    assert found.provenance["shared_positions"] == 2


def test_positions_share_a_region_where_the_flux_has_its_gap(blobs):
    result, flux = blobs
    found = segment(result, flux, positions=[(9, 10), (20, 10)])  # not where they are nearest to
    first, second = found.labels[10, 12], found.labels[10, 20]
    assert first != second
    # the gap is at x = 16, halfway
    assert (found.labels[5:16, :16] != second).all()
    assert (found.labels[5:16, 17:] != first).all()
    assert found.sources["parent"][first - 1] == found.sources["parent"][second - 1]


def test_labels_are_in_reading_order_whatever_that_of_the_positions(blobs):
    found = segment(*blobs, positions=SOURCES[::-1])
    _, first = np.unique(found.labels, return_index=True)
    assert (np.diff(first) > 0).all()
    assert found.sources["position_id"].tolist() == [4, 3, 2, 1]


def test_one_position_claims_the_whole_region(blobs):
    found = segment(*blobs, positions=SOURCES[:1])
    assert found.labels[10, 12] == found.labels[10, 20]
    assert found.n_sources == 3


@pytest.mark.parametrize("deblend", [True, False])
def test_what_no_position_lies_in_is_kept_or_dropped(blobs, deblend):
    result, flux = blobs
    options = SegmentationOptions(deblend=deblend)
    kept = segment(result, flux, options=options, positions=[(45, 30)])
    assert kept.n_sources == (4 if deblend else 3)
    label = kept.labels[30, 45]
    unmatched = np.asarray(kept.sources["flags"] & SourceFlag.UNMATCHED) > 0
    assert (unmatched == (kept.sources["label"] != label)).all()
    np.testing.assert_array_equal(kept.sources["position_id"].mask, unmatched)
    np.testing.assert_array_equal(kept.labels > 0, result["background"] < 0.5)

    options = SegmentationOptions(unmatched="drop")
    dropped = segment(result, flux, options=options, positions=[(45, 30)])
    np.testing.assert_array_equal(dropped.labels > 0, kept.labels == label)
    assert dropped.sources["flags"].tolist() == [0]


@pytest.mark.parametrize(("unmatched", "n"), [("keep", 4), ("drop", 0)])
def test_nothing_detected_at_any_position(blobs, unmatched, n):
    options = SegmentationOptions(unmatched=unmatched)
    found = segment(*blobs, options=options, positions=[(40, 5), (-10, 4)])
    assert found.n_sources == n
    assert found.sources["position_id"].mask.all()
    assert found.provenance["undetected_positions"] == [1, 2]


def test_no_source_at_all(classified_as):
    found = segment(classified_as(np.zeros((9, 9))), np.zeros((9, 9)), positions=[(4, 4)])
    assert found.n_sources == 0
    assert found.positions["label"].tolist() == [0]


def sky(wcs):
    return wcs.pixel_to_world([x for x, _ in SOURCES], [y for _, y in SOURCES]).icrs


@pytest.mark.parametrize(
    "make",
    [
        lambda c: c,
        lambda c: c.galactic,
        lambda c: Table({"ra": c.ra.deg, "dec": c.dec.deg}),
        lambda c: Table({"RA": c.ra.deg, "Dec": c.dec.deg, "x": [0.0] * 4, "y": [0.0] * 4}),
        lambda c: Table({"RAJ2000": c.ra.deg, "DEJ2000": c.dec.deg}),
        lambda c: Table({"ALPHA_J2000": c.ra.deg, "DELTA_J2000": c.dec.deg}),
        lambda c: Table({"RA_ICRS": c.ra, "DE_ICRS": c.dec}),
        lambda c: QTable({"ra": c.ra.to(u.hourangle), "dec": c.dec.to(u.rad)}),
        lambda c: Table({"ra": c.ra.to(u.hourangle), "dec": c.dec.to(u.arcsec)}),
        lambda c: Table({"ra": c.ra.deg - 360, "dec": c.dec.deg}),
        lambda c: Table({"ra": MaskedColumn(c.ra.deg), "dec": MaskedColumn(c.dec.deg)}),
    ],
)
def test_sky_positions(wcs, make):
    found = read_positions(make(sky(wcs)), wcs)
    np.testing.assert_allclose(found["x"], [x for x, _ in SOURCES], atol=1e-6)
    np.testing.assert_allclose(found["y"], [y for _, y in SOURCES], atol=1e-6)


def test_sky_and_pixels_give_the_same(blobs, wcs):
    from_sky = segment(*blobs, positions=sky(wcs))
    from_pixels = segment(*blobs, positions=table())
    np.testing.assert_array_equal(from_sky.labels, from_pixels.labels)
    assert from_sky.sources["position_id"].tolist() == from_pixels.sources["position_id"].tolist()


def test_one_coordinate_and_the_other_side_of_the_sky(wcs):
    assert read_positions(sky(wcs)[0], wcs)["x"] == pytest.approx(12)
    both = read_positions(SkyCoord([53.1, 233.1], [-27.8, 27.8], unit="deg"), wcs)
    np.testing.assert_allclose(both["x"], [10, np.nan], atol=1e-6)


def test_without_wcs_pixels_are_used():
    found = read_positions(
        Table({"ra": [50.0], "dec": [0.0], "X_centroid": [3.5], "y_centroid": [4]}), None
    )
    assert (found["x"][0], found["y"][0]) == (3.5, 4)


def test_masked_coordinates_are_no_position():
    x = MaskedColumn([1.0, 2.0], mask=[False, True])
    np.testing.assert_array_equal(
        read_positions(Table({"x": x, "y": [1, 2]}), None)["x"], [1, np.nan]
    )


@pytest.mark.parametrize(
    "name", ["p.fits", "p.ecsv", "p.csv", "p.vot", "p.txt", "folder with spaces/p.dat"]
)
@pytest.mark.parametrize("ids", [[5, 6, 7, 8], ["a1", "b2", "c3", "d4"]])
def test_files(tmp_path, name, ids):
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    formats = {".vot": "votable", ".txt": "ascii", ".dat": "ascii.commented_header"}
    table(ID=ids).write(path, format=formats.get(path.suffix))
    for given in (path, str(path)):
        found = read_positions(given, None)
        assert found["id"].tolist() == ids
        assert found["x"].tolist() == [x for x, _ in SOURCES]


@pytest.mark.parametrize(
    ("positions", "message"),
    [
        (Table({"x": [1], "z": [2]}), r"columns x, z; needed are ra and dec, or x and y"),
        (Table({"ra": [1.0], "dec": [2]}), "needed are x and y in pixels"),
        (SkyCoord(1, 2, unit="deg"), "no WCS"),
        (Table({"id": [3, 4, 3], "x": [1, 2, 3], "y": [1, 2, 3]}), "identifier 3 twice"),
        (
            Table({"id": MaskedColumn([1, 2], mask=[0, 1]), "x": [1, 2], "y": [1, 2]}),
            "no identifier in the column id",
        ),
        (Table({"id": ["a", ""], "x": [1, 2], "y": [1, 2]}), "no identifier in the column id"),
        (Table({"id": ["a", "  "], "x": [1, 2], "y": [1, 2]}), "no identifier in the column id"),
        (Table({"id": ["a", "a "], "x": [1, 2], "y": [1, 2]}), "identifier a twice"),
        (Table({"id": ["a\nb"], "x": [1], "y": [1]}), "control character"),
        (Table({"id": ["a\tb"], "x": [1], "y": [1]}), "control character"),
        (Table({"x": ["a"], "y": [1]}), "column x of the positions is not numbers"),
        (Table({"x": [[1, 2]], "y": [1]}), "column x of the positions holds arrays"),
        (Table({"x": [np.nan], "y": [1]}), "none is finite"),
        (Table({"x": np.zeros(0), "y": np.zeros(0)}), "there are no positions"),
        (np.zeros((0, 2)), "there are no positions"),
        (np.zeros((3, 3)), r"shape \(3, 3\); give a table"),
        (5, r"shape \(\); give a table"),
        ([[1, 2], [3]], "no .x, y. pairs"),
        ([["a", "b"]], "not numbers"),
    ],
)
def test_bad_positions(positions, message):
    with pytest.raises(OptionError, match=message):
        read_positions(positions, None)


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"ra": ["03:32:30"], "dec": ["-27:48:00"]}, "column ra of the positions is not numbers"),
        ({"ra": [1.0], "dec": [-91.0]}, "no ICRS coordinates"),
        ({"ra": [1.0] * u.mag, "dec": [1.0] * u.deg}, "no ICRS coordinates"),
        ({"a": [1], "b": [2]}, "needed are ra and dec, or x and y"),
    ],
)
def test_bad_sky_positions(wcs, columns, message):
    with pytest.raises(OptionError, match=message):
        read_positions(Table(columns), wcs)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("p.fits", b"no FITS"),
        ("p.csv", b""),
        ("p.dat", b"\0\1\2" * 40),
        ("p.vot", b"<html></html>"),
    ],
)
def test_files_that_are_no_tables(tmp_path, name, content):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(OptionError, match=f"{name}: not a table that can be read"):
        read_positions(path, None)


def test_missing_file_and_folder(tmp_path):
    for path in (tmp_path / "none.fits", tmp_path):
        with pytest.raises(OptionError, match="no such file; --positions takes a table"):
            read_positions(path, None)
