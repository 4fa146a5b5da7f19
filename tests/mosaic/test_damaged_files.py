"""Everything that can be wrong with a file."""

import gzip
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from morpheus.errors import ImageError
from morpheus.mosaic import read_mosaic


def read(path):
    return read_mosaic([path], bands=["F160W"])


def test_a_missing_file(tmp_path):
    with pytest.raises(ImageError, match=r"h.fits: no such file; check the path") as error:
        read("h.fits")
    assert str(Path.cwd()) in str(error.value)
    with pytest.raises(ImageError, match="no such file"):
        read(tmp_path / "no" / "h.fits[SCI]")


def test_a_folder(tmp_path):
    with pytest.raises(ImageError, match="is a folder; give the FITS file in it"):
        read(tmp_path)


def test_a_file_that_may_not_be_read(write, pixels, monkeypatch):
    path = write(pixels[0])

    def refuse(*_args, **_options):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(fits, "open", refuse)  # chmod does not stop root
    with pytest.raises(ImageError, match=r"image.fits: permission denied; make it readable"):
        read(path)


def test_an_empty_file(tmp_path):
    path = tmp_path / "h.fits"
    path.touch()
    with pytest.raises(ImageError, match=r"h.fits is empty \(0 bytes\)"):
        read(path)


@pytest.mark.parametrize("content", [b"hello", b"\x89PNG\r\n" * 1000, b"\0" * 5000])
def test_a_file_that_is_not_fits(tmp_path, content):
    path = tmp_path / "h.fits"
    path.write_bytes(content)
    with pytest.raises(ImageError, match=r"h.fits is no FITS file, or a damaged one"):
        read(path)


@pytest.mark.parametrize("length", [1000, 2880, 2900, 5000, 8640 + 2880 - 1])
def test_a_truncated_file(write, tmp_path, length):
    whole = write(np.arange(40.0 * 40).reshape(40, 40)).read_bytes()
    path = tmp_path / "cut.fits"
    path.write_bytes(whole[:length])
    with pytest.raises(ImageError, match=r"cut.fits is (truncated|no FITS file)"):
        read(path)


@pytest.mark.parametrize("missing", [2000, 4000])  # in the header of the last HDU, before it
def test_a_file_cut_off_in_an_extension_that_is_not_read(multi, missing):
    multi.write_bytes(multi.read_bytes()[:-missing])
    with pytest.raises(ImageError, match=r"multi.fits is truncated or damaged"):
        read(f"{multi}[SCI]")


@pytest.mark.parametrize("part", [0.3, 0.9])
def test_a_truncated_gzip_file(tmp_path, write, part):
    packed = gzip.compress(write(np.random.default_rng(0).normal(size=(200, 200))).read_bytes())
    path = tmp_path / "cut.fits.gz"
    path.write_bytes(packed[: int(part * len(packed))])
    with pytest.raises(ImageError, match=r"cut.fits.gz"):
        read(path)


def test_a_truncated_tile_compressed_file(tmp_path):
    path = tmp_path / "cut.fits.fz"
    data = np.random.default_rng(0).integers(0, 1000, size=(200, 200), dtype=np.int32)
    fits.HDUList([fits.PrimaryHDU(), fits.CompImageHDU(data)]).writeto(path)
    path.write_bytes(path.read_bytes()[:20000])
    with pytest.raises(ImageError, match=r"cut.fits.fz is truncated"):
        read(path)
