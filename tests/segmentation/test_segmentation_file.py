"""The file: round trips, what goes with it, and files that are damaged or foreign."""

import gc
import json

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import MaskedColumn, Table

from morpheus.errors import ProductError
from morpheus.mosaic.report import add_file
from morpheus.segmentation import GUIDED_FILE, SEGMENTATION_FILE, Segmentation, segment

PROVENANCE = {
    "started": "2026-01-02T03:04:05",
    "creator": "morpheus 0.1",
    "model": "m",
    "weights_sha256": "f" * 64,
    "method": "probability",
    "statistic": "mean",
    "detection_band": "F160W",
}


def make(wcs=None, ids=None, n=3, shape=(12, 9), provenance=PROVENANCE):
    labels = np.zeros(shape, np.int32)
    for i in range(n):
        labels[3 * i : 3 * i + 2, 2:7] = i + 1
    sources = Table({"label": np.arange(1, n + 1, dtype=np.int32)})
    sources["parent"] = np.arange(n, dtype=np.int32) // 2 + 1
    sources["flags"] = np.array([0, 129, 5, 64][:n], np.int32)
    mask, positions = np.zeros(shape, bool), None
    mask[-1] = True
    if ids is not None:
        ids = np.asarray(ids)
        names = np.ma.masked_all(n, ids.dtype)
        names[:2] = ids[:2]
        sources["position_id"] = MaskedColumn(names)
        positions = Table({"id": ids, "x": [0.1, 1e6, np.nan], "y": [-0.5, 3, np.nan]})
        positions["label"] = np.array([1, 2, 0], np.int32)
    return Segmentation(labels, sources, mask, positions, wcs, provenance)


def same_table(one, other):
    assert one.colnames == other.colnames
    for name in one.colnames:
        assert one[name].dtype.isnative
        if one[name].dtype.kind != "U":
            assert one[name].dtype == other[name].dtype
        masks = [np.ma.getmaskarray(np.ma.asarray(table[name])) for table in (one, other)]
        np.testing.assert_array_equal(*masks)
        np.testing.assert_array_equal(
            np.asarray(one[name])[~masks[0]], np.asarray(other[name])[~masks[0]]
        )


@pytest.mark.parametrize("with_wcs", [True, False])
@pytest.mark.parametrize(
    "ids",
    [None, [5, -3, 8], [999999, 0, 1], [2**62, 1, 2], ["a", "bbb", "c c"], ["1", "2", "3"]],
    ids=str,
)
def test_round_trip(tmp_path, wcs, ids, with_wcs):
    segmentation = make(wcs if with_wcs else None, ids)
    path = segmentation.write(tmp_path / "new/out")
    assert path.name == (SEGMENTATION_FILE if ids is None else GUIDED_FILE)
    assert {p.name for p in path.parent.iterdir()} == {path.name, "report.json"}
    back = Segmentation.read(path)
    np.testing.assert_array_equal(back.labels, segmentation.labels)
    np.testing.assert_array_equal(back.mask, segmentation.mask)
    assert back.labels.dtype == np.int32
    assert back.mask.dtype == bool
    same_table(back.sources, segmentation.sources)
    assert (back.positions is None) == (ids is None)
    if ids is not None:
        same_table(back.positions, segmentation.positions)
    assert back.provenance == PROVENANCE
    assert (back.wcs is None) != with_wcs
    if with_wcs:
        np.testing.assert_allclose(
            back.wcs.pixel_to_world_values(3.2, 4.5),
            wcs.pixel_to_world_values(3.2, 4.5),
            rtol=1e-13,
        )


@pytest.mark.parametrize("ids", [None, [1, 2, 3]])
def test_no_source(tmp_path, ids):
    segmentation = make()
    positions = None if ids is None else Table({"id": ids, "x": [1.0] * 3, "y": [1.0] * 3})
    sources = segmentation.sources[:0]
    if ids is not None:
        sources["position_id"] = MaskedColumn(np.ma.masked_all(0, int))
    empty = Segmentation(0 * segmentation.labels, sources, segmentation.mask, positions)
    back = Segmentation.read(empty.write(tmp_path))
    assert back.n_sources == 0
    assert back.sources.colnames == sources.colnames
    assert not back.labels.any()
    assert back.shape == (12, 9)


def test_what_segment_made(tmp_path, classified_as, wcs):
    source = np.zeros((30, 30))
    source[5:10, 5:10] = source[20:25, 20:25] = 1
    result = classified_as(source, wcs=wcs)
    for positions in (
        None,
        [(7, 7), (100, 0)],
        Table({"id": ["é", "b"], "x": [7, 0], "y": [7, 0]}),
    ):
        found = segment(result, source, positions=positions, detection_band="Å")
        back = Segmentation.read(found.write(tmp_path, overwrite=True))
        np.testing.assert_array_equal(back.labels, found.labels)
        assert back.provenance["detection_band"] == r"\xc5"  # FITS is ASCII
    assert back.sources["position_id"].tolist() == [r"\xe9", None]
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["files"]["guided_segmap.fits"]["undetected_positions"] == ["b"]
    assert report["files"]["segmap.fits"]["detection_band"] == "Å"
    assert report["files"]["segmap.fits"]["options"]["deblending"]["prominence"] == 0.3


def test_header(tmp_path, wcs):
    with fits.open(make(wcs, [1, 2, 3]).write(tmp_path), checksum=True) as hdus:
        assert [hdu.name for hdu in hdus] == ["SEGMAP", "MASK", "SOURCES", "POSITIONS"]
        assert all("CHECKSUM" in hdu.header for hdu in hdus)
        for hdu in hdus[:2]:
            assert hdu.header["CTYPE1"] == "RA---TAN"
            assert hdu.header["MODELSHA"] == "f" * 64
        assert hdus[0].data.dtype == ">i4"
        assert hdus["MASK"].data.dtype == np.uint8


def test_overwriting_is_asked_for(tmp_path):
    first = make(n=2)
    path = first.write(tmp_path)
    before = path.read_bytes()
    with pytest.raises(ProductError, match=r"segmap.fits would be overwritten"):
        make(n=3).write(tmp_path)
    assert path.read_bytes() == before
    make(n=3).write(tmp_path, overwrite=True)
    assert Segmentation.read(tmp_path).n_sources == 3


def test_a_guided_segmentation_stands_beside_the_other(tmp_path):
    make(n=2).write(tmp_path)
    make(n=3, ids=[1, 2, 3]).write(tmp_path)
    assert Segmentation.read(tmp_path).n_sources == 2
    assert Segmentation.read(tmp_path / GUIDED_FILE).n_sources == 3
    report = json.loads((tmp_path / "report.json").read_text())
    assert set(report["files"]) == {SEGMENTATION_FILE, GUIDED_FILE}
    assert {entry["stage"] for entry in report["files"].values()} == {"segmentation"}


def test_what_was_made_from_the_segmentation_goes_with_it(tmp_path):
    make().write(tmp_path)
    catalog, other = tmp_path / "catalog.ecsv", tmp_path / "mine.csv"
    catalog.write_text("x")
    other.write_text("y")
    add_file(catalog, "catalog", {"n": 3}, made_from=[SEGMENTATION_FILE])
    make(n=3, ids=[1, 2, 3]).write(tmp_path)  # of a guided one, it is not
    assert catalog.exists()
    with pytest.raises(ProductError):
        make().write(tmp_path)
    assert catalog.exists()
    make().write(tmp_path, overwrite=True)
    assert not catalog.exists()
    assert other.exists()
    assert set(json.loads((tmp_path / "report.json").read_text())["files"]) == {
        SEGMENTATION_FILE,
        GUIDED_FILE,
    }


def test_a_failure_leaves_no_half(tmp_path, monkeypatch):
    def fail(*args, **kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(fits.HDUList, "writeto", fail)
    with pytest.raises(ProductError, match="No space left"):
        make().write(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_missing(tmp_path):
    for path in (tmp_path, tmp_path / "none.fits"):
        with pytest.raises(ProductError, match="is not there; morpheus segment makes it"):
            Segmentation.read(path)


@pytest.mark.parametrize("fraction", [0.0, 0.1, 0.5, 0.7, 0.99])
@pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning")
def test_cut_files(tmp_path, fraction):
    path = make(ids=[1, 2, 3]).write(tmp_path)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(fraction * len(whole))])
    with pytest.raises(ProductError, match=r"guided_segmap\.fits"):
        Segmentation.read(path)
    gc.collect()  # astropy does not close a table that ends early


@pytest.mark.parametrize("extension", ["SEGMAP", "MASK", "SOURCES", "POSITIONS"])
def test_changed_pixels_and_rows(tmp_path, extension):
    path = make(ids=[1, 2, 3]).write(tmp_path)
    with fits.open(path) as hdus:
        place = hdus[extension].fileinfo()["datLoc"]
    content = bytearray(path.read_bytes())
    content[place + 3] ^= 1
    path.write_bytes(content)
    with pytest.raises(ProductError, match=r"damaged \(.*(Checksum|Datasum) verification failed"):
        Segmentation.read(path)


@pytest.mark.parametrize(
    "hdus",
    [
        [fits.PrimaryHDU(np.zeros((4, 4), np.int32))],
        [fits.PrimaryHDU(), fits.BinTableHDU(Table({"label": [1]}), name="SOURCES")],
        [
            fits.PrimaryHDU(),
            *(fits.BinTableHDU(Table({"a": [1.5]}), name=n) for n in ("SEGMAP", "MASK", "SOURCES")),
        ],
        [
            fits.PrimaryHDU(),
            *(fits.ImageHDU(np.zeros((4, 4)), name=n) for n in ("SEGMAP", "MASK", "SOURCES")),
        ],
        [fits.PrimaryHDU(), *(fits.ImageHDU(name=n) for n in ("SEGMAP", "MASK", "SOURCES"))],
    ],
    ids=["image", "table", "tables", "images", "empty"],
)
def test_foreign_files(tmp_path, hdus):
    path = tmp_path / SEGMENTATION_FILE
    fits.HDUList(hdus).writeto(path)
    with pytest.raises(ProductError, match=r"segmentation"):
        Segmentation.read(tmp_path)


def test_text_is_no_segmentation(tmp_path):
    path = tmp_path / "labels.txt"
    path.write_text("1 2 3")
    with pytest.raises(ProductError, match=r"labels\.txt is no FITS file"):
        Segmentation.read(path)
