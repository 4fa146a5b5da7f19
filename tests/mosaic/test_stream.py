"""Streams of rows: the same bytes as a file written at once, and all or nothing."""

import errno
import subprocess
import sys
import time
import tracemalloc
from unittest import mock

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table
from hypothesis import given, settings
from hypothesis import strategies as st

from morpheus.errors import ProductError
from morpheus.mosaic import stream
from morpheus.mosaic.products import Plane, write_hdus, write_planes
from morpheus.mosaic.stream import StreamedPlane, write_stream
from morpheus.segmentation import Segmentation

DTYPES = ("uint8", "int16", "int32", "float32", "float64")
SHAPES = ((1, 1), (1, 5), (7, 1), (5, 7), (36, 20), (61, 103))
TIME = "2026-01-02T03:04:05"
NOW = stream._now


@pytest.fixture(autouse=True, scope="module")
def _one_time():
    """Give all comments the same time, which is summed too."""
    with (
        mock.patch.object(stream, "_now", return_value=TIME),
        mock.patch.object(fits.PrimaryHDU, "_get_timestamp", return_value=TIME),
        mock.patch.object(fits.ImageHDU, "_get_timestamp", return_value=TIME),
        mock.patch.object(fits.BinTableHDU, "_get_timestamp", return_value=TIME),
    ):
        yield


def pixels(shape, dtype, seed=0):
    raw = np.random.default_rng(seed).bytes(shape[0] * shape[1] * np.dtype(dtype).itemsize)
    return np.frombuffer(raw, dtype).reshape(shape)


def header(**cards):
    made = fits.Header({"CTYPE1": "RA---TAN", "CRVAL1": 53.1, "BUNIT": "", **cards})
    made["CREATOR"] = ("morpheus", "program")
    return made


def streamed(name, data, *cuts, head=None):
    return StreamedPlane(
        name,
        data.shape,
        data.dtype,
        header() if head is None else head,
        lambda: iter(np.split(data, sorted(cuts))),
    )


def both(folder, data, *cuts, name="DISK_MEAN", head=None):
    """Write the plane in both ways."""
    head = header() if head is None else head
    write_planes(folder / "at_once.fits", [Plane(name, data, head)], overwrite=True)
    write_stream(folder / "stream.fits", [streamed(name, data, *cuts, head=head)], overwrite=True)
    check(folder / "stream.fits")
    return (folder / "at_once.fits").read_bytes(), (folder / "stream.fits").read_bytes()


def check(path):
    with fits.open(path, checksum=True) as hdus:  # warnings are errors
        hdus.verify("exception")
        for hdu in hdus:
            assert hdu.verify_datasum() == hdu.verify_checksum() == 1


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", SHAPES)
def test_one_plane(tmp_path, dtype, shape):
    data = pixels(shape, dtype)
    expected, found = both(tmp_path, data, *range(1, shape[0], 3))
    assert found == expected
    assert (
        fits.getdata(tmp_path / "stream.fits").tobytes()
        == data.astype(data.dtype.newbyteorder(">")).tobytes()
    )
    assert sorted(p.name for p in tmp_path.iterdir()) == ["at_once.fits", "stream.fits"]


@pytest.mark.parametrize("value", [0, 255])
def test_sums_at_their_ends(tmp_path, value):
    """All bits 0 and all bits 1 are the two zeros of ones' complement."""
    expected, found = both(tmp_path, np.full((9, 13), value, np.uint8), 4)
    assert found == expected
    assert (b"DATASUM = '0       '" in found) == (value == 0)


@settings(deadline=None, max_examples=60)
@given(drawn=st.data())
def test_any_bands(tmp_path_factory, drawn):
    height = drawn.draw(st.integers(1, 40))
    width = drawn.draw(st.integers(1, 40))
    cuts = drawn.draw(st.lists(st.integers(0, height)))  # repeated ones make empty bands
    piece = drawn.draw(st.sampled_from([1, 50, stream._PIECE]))
    data = pixels((height, width), drawn.draw(st.sampled_from(DTYPES)), drawn.draw(st.integers(0)))
    with mock.patch.object(stream, "_PIECE", piece):
        expected, found = both(tmp_path_factory.getbasetemp(), data, *cuts)
    assert found == expected


def test_the_order_of_bytes_and_of_axes_does_not_matter(tmp_path):
    data = pixels((31, 45), "float32")
    expected, found = both(tmp_path, data)
    assert found == expected
    for other in data.astype(">f4"), np.asfortranarray(data):
        plane = StreamedPlane("DISK_MEAN", data.shape, other.dtype, header(), lambda o=other: [o])
        write_stream(tmp_path / "other.fits", [plane])
        assert (tmp_path / "other.fits").read_bytes() == expected
        (tmp_path / "other.fits").unlink()


def test_long_headers_and_those_of_files(tmp_path):
    head = header(**{f"KEY{i}": "x" * (i % 90) for i in range(120)})
    expected, found = both(tmp_path, pixels((5, 7), "float32"), head=head)
    assert found == expected
    # A header that was read has checksums and a structure of its own.
    head = fits.getheader(tmp_path / "at_once.fits")
    expected, found = both(tmp_path, pixels((8, 3), "int16"), head=head)
    assert found == expected
    assert "CHECKSUM" in head
    assert head["BITPIX"] == -32  # the caller's is as it was


def test_several_planes(tmp_path):
    data = {f"P_{dtype}".upper(): pixels((11, 13), dtype) for dtype in DTYPES}
    write_planes(tmp_path / "a.fits", [Plane(k, v, header()) for k, v in data.items()])
    write_stream(tmp_path / "b.fits", [streamed(k, v, 3, 4) for k, v in data.items()])
    check(tmp_path / "b.fits")
    assert (tmp_path / "b.fits").read_bytes() == (tmp_path / "a.fits").read_bytes()
    with fits.open(tmp_path / "b.fits") as hdus:
        assert [hdu.name for hdu in hdus] == ["PRIMARY", *data]


def test_planes_and_tables(tmp_path):
    """As a segmentation is written."""
    labels = pixels((33, 21), "int32")
    sources = Table({"label": [1, 2, 3], "x": [0.5, np.nan, 2], "name": ["a", "", "cd"]})
    segmentation = Segmentation(labels, sources, labels > 0, positions=sources[:2])
    write_hdus(tmp_path / "a.fits", segmentation.hdus())
    hdus = segmentation.hdus()
    parts = [
        streamed("SEGMAP", labels, 10, 30, head=hdus[0].header),
        streamed("MASK", (labels > 0).astype(np.uint8), 1, head=fits.Header()),
        *hdus[2:],
    ]
    write_stream(tmp_path / "b.fits", parts, first_is_primary=True)
    check(tmp_path / "b.fits")
    assert (tmp_path / "b.fits").read_bytes() == (tmp_path / "a.fits").read_bytes()
    back = Segmentation.read(tmp_path / "b.fits")
    assert np.array_equal(back.labels, labels)
    assert len(back.sources) == 3


def test_a_table_alone(tmp_path):
    table = fits.BinTableHDU(Table({"label": [1, 2, 3]}), name="SOURCES")
    write_hdus(tmp_path / "a.fits", fits.HDUList([fits.PrimaryHDU(), table.copy()]))
    write_stream(tmp_path / "b.fits", [table])
    assert (tmp_path / "b.fits").read_bytes() == (tmp_path / "a.fits").read_bytes()
    for parts in [table], []:
        with pytest.raises(ValueError, match="primary HDU must be a plane"):
            write_stream(tmp_path / "c.fits", parts, first_is_primary=True)
    assert not (tmp_path / "c.fits").exists()


def test_the_time_is_local():
    assert abs(time.mktime(time.strptime(NOW(), "%Y-%m-%dT%H:%M:%S")) - time.time()) < 60


@pytest.mark.parametrize(
    ("bands", "message"),
    [
        ([], "only 0 rows in an image of 6"),
        ([np.zeros((5, 4), "f4")], "only 5 rows in an image of 6"),
        ([np.zeros((3, 4), "f4")] * 3, "9 rows or more in an image of 6"),
        ([np.zeros((6, 4), "f4"), np.zeros((1, 4), "f4")], "7 rows or more in an image of 6"),
        ([np.zeros((3, 4), "f4"), np.zeros((3, 5), "f4")], r"shape \(3, 5\) in .* width 4"),
        ([np.zeros(24, "f4")], r"shape \(24,\) in .* width 4"),
        ([np.zeros((6, 4), "f8")], "rows of float64 in an image of float32"),
        ([np.zeros((6, 4), "i4")], "rows of int32 in an image of float32"),
    ],
)
def test_rows_that_are_not_what_was_said(tmp_path, bands, message):
    good = streamed("GOOD", pixels((8, 9), "int16"))
    bad = StreamedPlane("BAD", (6, 4), np.dtype("f4"), header(), lambda: iter(bands))
    with pytest.raises(ValueError, match=f"BAD: .*{message}"):
        write_stream(tmp_path / "new/x.fits", [good, bad])
    assert list((tmp_path / "new").iterdir()) == []


@pytest.mark.parametrize("dtype", ["uint16", "int64", "bool", "float16", "complex64"])
def test_other_types(tmp_path, dtype):
    with pytest.raises(ValueError, match=f"{dtype} is none of uint8, int16"):
        write_stream(tmp_path / "x.fits", [streamed("X", np.zeros((3, 3), dtype))])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("error", "raised", "message"),
    [
        (RuntimeError("mine"), RuntimeError, "mine"),
        (KeyboardInterrupt("stop"), KeyboardInterrupt, "stop"),
        (OSError(errno.ENOSPC, "No space left on device"), ProductError, "cannot write .*No space"),
    ],
)
def test_errors_among_the_rows(tmp_path, error, raised, message):
    def rows():
        yield np.zeros((1000, 500), np.float32)
        raise error

    plane = StreamedPlane("X", (2000, 500), np.dtype("f4"), header(), rows)
    with pytest.raises(raised, match=message):
        write_stream(tmp_path / "x.fits", [plane])
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "x.fits").write_text("old")
    with pytest.raises(raised, match=message):
        write_stream(tmp_path / "x.fits", [plane], overwrite=True)
    assert [p.read_text() for p in tmp_path.iterdir()] == ["old"]


FULL = """
import resource, signal, sys
from pathlib import Path
import numpy as np
from astropy.io import fits
from morpheus.errors import ProductError
from morpheus.mosaic.stream import StreamedPlane, write_stream
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), int(sys.argv[2])))
rows = lambda: iter([np.ones((100, 300), np.float32)] * 3)
try:
    write_stream(
        Path(sys.argv[1]),
        [StreamedPlane("X", (300, 300), np.dtype("f4"), fits.Header(), rows)],
    )
except ProductError as error:
    print(error)
"""


@pytest.mark.parametrize("room", [0, 2000, 100_000, 362_879])
def test_a_full_disk(tmp_path, room):
    """Wherever in the file it is; the whole file has 362 880 bytes."""
    path = tmp_path / "x.fits"
    done = subprocess.run(
        [sys.executable, "-c", FULL, str(path), str(room)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == f"cannot write {path}: File too large\n"
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_overwritten_unasked(tmp_path):
    (tmp_path / "x.fits").write_text("mine")
    plane = streamed("X", pixels((3, 4), "int16"))
    with pytest.raises(ProductError, match="exists"):
        write_stream(tmp_path / "x.fits", [plane])
    assert (tmp_path / "x.fits").read_text() == "mine"
    write_stream(tmp_path / "x.fits", [plane], overwrite=True)
    check(tmp_path / "x.fits")


def test_memory_holds_one_band(tmp_path):
    band = 400 * 5000 * 4

    def rows():
        for i in range(3):
            yield np.full((400, 5000), i, np.float32)

    plane = StreamedPlane("X", (1200, 5000), np.dtype("f4"), header(), rows)
    write_stream(tmp_path / "x.fits", [plane])  # what is made once
    tracemalloc.start()
    try:
        write_stream(tmp_path / "x.fits", [plane], overwrite=True)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    # A piece is held as it comes, swapped and as bytes.
    assert peak < band + 3 * stream._PIECE
