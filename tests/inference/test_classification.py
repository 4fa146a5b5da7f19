"""The products: round trips, headers, and all or nothing."""

import errno
import json
from dataclasses import replace

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS

from morpheus.errors import ProductError
from morpheus.inference import STATISTICS, Classification, ClassMaps
from morpheus.inference.product import map_files
from morpheus.mosaic import products

CLASSES = ("spheroid", "disk", "background")


@pytest.fixture
def wcs():
    w = WCS(naxis=2)
    w.wcs.ctype = "RA---TAN", "DEC--TAN"
    w.wcs.crval, w.wcs.crpix, w.wcs.cdelt = (53.1, -27.8), (5, 6), (-1.67e-5, 1.67e-5)
    return w


@pytest.fixture
def result(wcs):
    rng = np.random.default_rng(0)
    n = rng.integers(0, 900, (12, 9)).astype(np.uint32)
    n[2, 3] = 0
    maps = {}
    for statistic in STATISTICS:
        array = rng.random((3, 12, 9)).astype(np.float32)
        array[:, n == 0] = np.nan
        maps[statistic] = ClassMaps(CLASSES, array)
    provenance = {
        "started": "2026-01-02T03:04:05",
        "software": {"morpheus": "0.1"},
        "model": {
            "name": "m",
            "weights_sha256": "0" * 64,
            "classes": list(CLASSES),
            "window": {"size": 40},
        },
        "options": {"stride": 2, "lattice": True, "edges": "skip"},
        "engine": {"name": "OpenVINO", "precision": "float32"},
        "inputs": [
            {"band": "H", "kind": "image", "path": "/d/h.fits", "hdu": "SCI", "sha256": "a" * 64},
            {"band": "J", "kind": "image", "path": None, "hdu": None, "sha256": None},
        ],
    }
    return Classification(**maps, n=n, mask=n == 0, wcs=wcs, provenance=provenance)


@pytest.mark.parametrize("compress", [False, True])
@pytest.mark.parametrize("single_file", [False, True])
def test_round_trip(result, tmp_path, compress, single_file):
    paths = result.write(tmp_path / "out", compress=compress, single_file=single_file)
    assert sorted(paths) == sorted((tmp_path / "out").iterdir())  # and nothing temporary
    assert len(paths) == (2 if single_file else 12)
    found = Classification.read(tmp_path / "out")
    for statistic in STATISTICS:
        maps, expected = getattr(found, statistic), getattr(result, statistic)
        assert maps.array.dtype == np.float32
        assert np.array_equal(maps.array, expected.array, equal_nan=True)
    assert np.array_equal(found.n, result.n)
    assert np.array_equal(found.mask, result.mask)
    names = sorted(p.name for p in paths if p.suffix != ".json")
    assert sorted(found.provenance.pop("products")) == names
    assert found.provenance.pop("statistics") == list(STATISTICS)
    assert found.provenance == result.provenance
    assert found.wcs.wcs.compare(result.wcs.wcs, tolerance=1e-9)


def test_headers_say_what_made_them(result, tmp_path):
    result.write(tmp_path)
    header = fits.getheader(tmp_path / "disk_variance.fits")
    expected = {
        "CLASS": "disk",
        "STAT": "variance",
        "MODEL": "m",
        "MODELSHA": "0" * 64,
        "WINDOW": 40,
        "STRIDE": 2,
        "LATTICE": True,
        "INBAND1": "H image",
        "INFILE1": "h.fits[SCI]",
        "INSHA1": "a" * 64,
        "CTYPE1": "RA---TAN",
        "BUNIT": "",
    }
    assert {k: header[k] for k in expected} == expected
    assert "INFILE2" not in header
    with fits.open(tmp_path / "disk_variance.fits", checksum=True) as hdus:
        hdus.verify("exception")


@pytest.mark.parametrize("compress", [False, True])
@pytest.mark.parametrize(
    ("largest", "bitpix"),
    [(0, 8), (1, 8), (255, 8), (256, 16), (32767, 16), (32768, 32), (2**31 - 1, 32)],
)
def test_n_has_the_smallest_type(result, tmp_path, largest, bitpix, compress):
    n = np.zeros_like(result.n)
    n[3:, 4] = largest
    paths = replace(result, n=n).write(tmp_path, compress=compress)
    path = next(path for path in paths if path.name.startswith("n."))
    with fits.open(path, checksum=True) as hdus:
        assert hdus["N"].header["BITPIX"] == bitpix
        assert not {"BZERO", "BSCALE"} & set(hdus["N"].header)
    back = Classification.read(tmp_path).n
    assert back.dtype == np.uint32
    assert np.array_equal(back, n)


def test_without_wcs_and_provenance(result, tmp_path):
    bare = Classification(result.mean, result.variance, result.votes, result.n, result.mask)
    bare.write(tmp_path)
    assert "CTYPE1" not in fits.getheader(tmp_path / "n.fits")
    with pytest.raises(ProductError, match="no complete classification"):
        Classification.read(tmp_path)


def test_mapping(result):
    assert np.array_equal(result["disk"], result.mean.array[1], equal_nan=True)
    assert list(result.votes) == list(CLASSES)
    assert len(result.votes) == 3
    assert "votes" not in result.votes
    with pytest.raises(KeyError, match="the classes are spheroid, disk, background"):
        result["galaxy"]
    assert "12 x 9 pixels" in repr(result)
    assert "spheroid" in repr(result.mean)


def test_nothing_is_overwritten_unasked(result, tmp_path):
    (tmp_path / "disk_votes.fits").write_text("mine")
    with pytest.raises(ProductError, match=r"disk_votes\.fits would be overwritten.*--overwrite"):
        result.write(tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["disk_votes.fits"]
    result.write(tmp_path, overwrite=True)
    with pytest.raises(ProductError, match="and 11 more would be overwritten"):
        result.write(tmp_path)
    result.write(tmp_path, overwrite=True)


@pytest.mark.parametrize("victim", ["n.fits", "disk_mean.fits", "report.json"])
def test_a_full_disk_leaves_no_half_file(result, tmp_path, monkeypatch, victim):
    """The write fails in the middle: under the final name there is nothing, or what was before."""
    result.write(tmp_path)
    before = (tmp_path / victim).read_bytes()
    real_fsync = products.os.fsync
    written = []

    def fsync(descriptor):
        written.append(descriptor)
        if len(written) == order.index(victim) + 1:
            raise OSError(errno.ENOSPC, "No space left on device")
        real_fsync(descriptor)

    order = [p.name for p in map_files(tmp_path, CLASSES)]
    monkeypatch.setattr(products.os, "fsync", fsync)
    with pytest.raises(ProductError, match=f"cannot write .*{victim}: No space left"):
        result.write(tmp_path, overwrite=True)
    if victim != "report.json":  # the report goes first: what is left is not a classification
        assert (tmp_path / victim).read_bytes() == before
    with pytest.raises(ProductError, match="no complete classification"):
        Classification.read(tmp_path)
    assert not [p for p in tmp_path.iterdir() if ".part" in p.name]


def test_one_folder_holds_one_classification(result, tmp_path):
    """Written in another form, nothing is left of the one before, and nothing is mixed."""
    other = replace(result, n=result.n + 1)
    for compress in (False, True):
        for single_file in (False, True):
            result.write(tmp_path, overwrite=True)
            with pytest.raises(ProductError, match="--overwrite"):
                other.write(tmp_path, compress=compress, single_file=single_file)
            paths = other.write(
                tmp_path, overwrite=True, compress=compress, single_file=single_file
            )
            assert sorted(paths) == sorted(tmp_path.iterdir())
            assert np.array_equal(Classification.read(tmp_path).n, other.n)


def test_a_product_is_replaced_not_rewritten(result, tmp_path):
    """Who has the old file open, or linked, keeps it whole."""
    result.write(tmp_path)
    (tmp_path / "kept").hardlink_to(tmp_path / "n.fits")
    before = (tmp_path / "kept").read_bytes()
    replace(result, n=result.n + 1).write(tmp_path, overwrite=True)
    assert (tmp_path / "kept").read_bytes() == before
    assert (tmp_path / "n.fits").read_bytes() != before


def test_a_flipped_bit_is_noticed(result, tmp_path):
    result.write(tmp_path)
    path = tmp_path / "disk_mean.fits"
    raw = bytearray(path.read_bytes())
    raw[-2880] ^= 1
    path.write_bytes(raw)
    with pytest.raises(ProductError, match="truncated or damaged"):
        Classification.read(tmp_path)


def test_comparison_is_identity(result):
    assert result == result  # noqa: PLR0124
    assert result.mean != ClassMaps(CLASSES, result.mean.array)
    assert len({result, result.mean}) == 2


def test_unwritable_folder(result, tmp_path):
    (tmp_path / "file").write_text("")
    for folder in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(ProductError, match="cannot write to"):
            result.write(folder)


@pytest.mark.parametrize("damage", ["missing", "truncated", "report"])
def test_damaged_products_are_refused(result, tmp_path, damage):
    result.write(tmp_path)
    path = tmp_path / "disk_votes.fits"
    if damage == "missing":
        path.unlink()
    elif damage == "truncated":
        path.write_bytes(path.read_bytes()[:3000])
    else:
        (tmp_path / "report.json").write_text(json.dumps({"model": 3}))
    with pytest.raises(ProductError):
        Classification.read(tmp_path)


def test_permissions_are_those_of_any_new_file(result, tmp_path):
    (tmp_path / "usual").write_text("")
    result.write(tmp_path / "out")
    assert (tmp_path / "out/n.fits").stat().st_mode == (tmp_path / "usual").stat().st_mode
