"""FITS files: which HDU, which encoding, what is read of them."""

import bz2
import gzip
import hashlib
import threading
import warnings

import numpy as np
import pytest
from astropy.io import fits

import morpheus.mosaic.files as module
from morpheus.errors import ImageError
from morpheus.mosaic import read_mosaic
from morpheus.mosaic.files import FitsFiles
from morpheus.mosaic.images import open_image
from morpheus.mosaic.plain import plain_reader

BAND = ["F160W"]


def read(path, **options):
    return read_mosaic([path], bands=BAND, **options)


@pytest.fixture
def plane(pixels):
    return pixels[0]


@pytest.mark.parametrize(
    ("suffix", "plane_index", "label"),
    [
        ("", 2, "SCI,1"),
        ("[SCI]", 0, "SCI"),
        ("[sci,1]", 2, "SCI,1"),
        ("[SCI,2]", 0, "SCI"),
        ("[ERR,1]", 3, "ERR,1"),
        ("[2]", 1, "ERR"),
        ("[ 4 ]", 3, "ERR,1"),
    ],
)
def test_the_choice_of_the_hdu(multi, pixels, suffix, plane_index, label):
    mosaic = read(f"{multi}{suffix}")
    np.testing.assert_array_equal(mosaic.data[0], pixels[plane_index])
    assert mosaic.inputs[0].hdu == label
    assert mosaic.inputs[0].path == str(multi)
    again = read(f"{multi}[{label}]")
    np.testing.assert_array_equal(again.data, mosaic.data)


def test_hdus_without_a_name_are_recorded_by_number(tmp_path, plane):
    path = tmp_path / "nameless.fits"
    fits.HDUList([fits.PrimaryHDU(), fits.ImageHDU(plane)]).writeto(path)
    assert read(path).inputs[0].hdu == "1"


def test_several_images_and_none_called_sci(tmp_path, plane):
    path = tmp_path / "two.fits"
    hdus = [fits.ImageHDU(plane, name="A"), fits.ImageHDU(plane, name="B")]
    fits.HDUList([fits.PrimaryHDU(), *hdus]).writeto(path)
    with pytest.raises(ImageError) as error:
        read(path)
    assert "[PRIMARY] no data, [A] 16x12, [B] 16x12" in str(error.value)
    assert f"{path}[A]" in str(error.value)


def test_maps_are_taken_from_the_extension_of_their_name(tmp_path, pixels, plane):
    path = tmp_path / "drz.fits"
    hdus = [
        fits.ImageHDU(abs(p), name=n) for p, n in zip(pixels, ("SCI", "WHT", "ERR"), strict=False)
    ]
    hdus.append(fits.ImageHDU((plane > 1).astype(np.int16), name="DQ"))
    fits.HDUList([fits.PrimaryHDU(), *hdus]).writeto(path)
    mosaic = read(path, weights=path, dq={"F160W": path})
    valid = ~mosaic.mask
    np.testing.assert_array_equal(mosaic.mask, plane > 1)
    np.testing.assert_array_equal(mosaic.weight[0][valid], abs(pixels[1])[valid])
    assert [record.hdu for record in mosaic.inputs] == ["SCI", "WHT", "DQ"]
    assert read(path, rms=path).inputs[1].hdu == "ERR"


@pytest.mark.parametrize("suffix", ["[WHT]", "[9]", "[SCI,7]"])
def test_an_hdu_that_is_not_there(multi, suffix):
    with pytest.raises(ImageError, match=r"there is no such HDU; the file holds .*SCI") as error:
        read(f"{multi}{suffix}")
    assert f"multi.fits{suffix}" in str(error.value)


@pytest.mark.parametrize("suffix", ["[CAT]", "[0]"])
def test_an_hdu_that_is_no_image(multi, suffix):
    with pytest.raises(ImageError, match=r"is no image; the file holds .*\[CAT\] table"):
        read(f"{multi}{suffix}")


@pytest.mark.parametrize("suffix", ["[SCI,x]", "[1,2]"])
def test_brackets_that_name_no_hdu(multi, suffix):
    with pytest.raises(ImageError, match=r"an HDU is given as \[NAME\]"):
        read(f"{multi}{suffix}")


def test_a_file_whose_name_has_brackets(write, plane):
    np.testing.assert_array_equal(read(write(plane, "field[1].fits")).data[0], plane)


def test_a_file_without_images(tmp_path):
    path = tmp_path / "table.fits"
    fits.HDUList([fits.PrimaryHDU(), fits.BinTableHDU(name="CAT")]).writeto(path)
    with pytest.raises(ImageError, match=r"holds no image: \[PRIMARY\] no data, \[CAT\] table"):
        read(path)


@pytest.mark.parametrize("shape", [(5,), (1, 12, 16), (3, 12, 16)])
def test_a_file_whose_image_has_the_wrong_number_of_axes(write, shape):
    with pytest.raises(ImageError, match=r"image.fits has shape \(") as error:
        read(write(np.ones(shape)))
    assert str(shape) in str(error.value)


@pytest.mark.parametrize(
    ("name", "pack"), [("a.fits.gz", gzip), ("b.gz", gzip), ("c.fits.bz2", bz2)]
)
def test_compressed_files(write, tmp_path, plane, wcs, name, pack):
    plain = write(plane, wcs=wcs)
    path = tmp_path / name
    path.write_bytes(pack.compress(plain.read_bytes()))
    np.testing.assert_array_equal(read(path).data[0], plane)
    part = read(path, region="53.12,-27.8,5pix,3pix")
    np.testing.assert_array_equal(part.data, read(plain, region="53.12,-27.8,5pix,3pix").data)


@pytest.mark.parametrize("dtype", [np.float32, np.int16, np.int32, np.uint8])
def test_tile_compressed_files(tmp_path, wcs, dtype):
    data = np.random.default_rng(0).integers(0, 200, size=(120, 150)).astype(dtype)
    lossless = {"compression_type": "GZIP_1", "quantize_level": 0}
    hdu = fits.CompImageHDU(data, wcs.to_header(), tile_shape=(32, 32), **lossless)
    path = tmp_path / "image.fits.fz"
    fits.HDUList([fits.PrimaryHDU(), hdu]).writeto(path)
    np.testing.assert_array_equal(read(path).data[0], data)
    part = read(path, region="53.12,-27.8,9pix")
    np.testing.assert_array_equal(part.data[0], data[1:10, 3:12])


def scaled(path, stored, wcs, *, bzero, bscale, blank, tiled):
    """Write integers as they stand, with the keywords that say what they mean."""
    hdu = (fits.CompImageHDU if tiled else fits.ImageHDU)(stored, wcs.to_header())
    hdu.header.update(BZERO=bzero, BSCALE=bscale)
    if blank is not None:
        hdu.header["BLANK"] = blank
    fits.HDUList([fits.PrimaryHDU(), hdu]).writeto(path)
    with fits.open(path, do_not_scale_image_data=True) as hdus:  # what the file really holds
        kept = stored != blank  # which astropy 6.1 turns into NaN in tile-compressed files
        np.testing.assert_array_equal(hdus[1].data[kept], stored[kept])
        header = hdus[1].header
        assert header.get("BZERO", 0) == bzero
        assert header.get("BSCALE", 1) == bscale
        assert header.get("BLANK") == blank
    return path


@pytest.mark.parametrize("tiled", [False, True])
@pytest.mark.parametrize("dtype", [np.int16, np.int32])
@pytest.mark.parametrize(
    ("bzero", "bscale", "blank"),
    [
        (0, 1, 7),
        (0, 1, 0),
        (10, 0.5, 7),
        (10, 0.5, 0),
        (10, 0.5, None),
        (32768, 1, 7),
        (32768, 1, 0),
    ],
)
@pytest.mark.parametrize("region", [None, "53.12,-27.8,5pix,3pix"])
def test_scaled_integers_and_blank(tmp_path, dtype, bzero, bscale, blank, tiled, region, wcs):
    # BLANK = 0, and BLANK with unsigned integers, are what astropy 8.0 leaves as numbers.
    stored = np.arange(12 * 16, dtype=dtype).reshape(12, 16) - 100
    path = tmp_path / "i.fits"
    scaled(path, stored, wcs, bzero=bzero, bscale=bscale, blank=blank, tiled=tiled)
    mosaic = read(path, region=region)
    section = (slice(None), slice(None)) if region is None else (slice(4, 7), slice(5, 10))
    expected = (stored.astype(float) * bscale + bzero)[section]
    bad = np.zeros_like(expected, bool) if blank is None else (stored == blank)[section]
    np.testing.assert_array_equal(mosaic.mask, bad)
    np.testing.assert_array_equal(mosaic.data[0], np.where(bad, 0, expected))


def test_unsigned_integers(write):
    data = np.array([[0, 1], [40000, 65535]], np.uint16)
    np.testing.assert_array_equal(read(write(data)).data[0], data)


def test_only_the_section_of_scaled_images_is_read(wcs, tmp_path, monkeypatch):
    path, stored = tmp_path / "scaled.fits", np.arange(200 * 16, dtype=np.int16).reshape(200, 16)
    scaled(path, stored, wcs, bzero=3, bscale=2, blank=None, tiled=False)
    asked = []
    original = fits.hdu.image.Section.__getitem__
    monkeypatch.setattr(
        fits.hdu.image.Section,
        "__getitem__",
        lambda self, key: asked.append(key) or original(self, key),
    )
    read(path, region="53.12,-27.8,4pix")
    assert asked[0] == (slice(3, 7), slice(5, 9))


@pytest.mark.parametrize("dtype", [">f4", ">f8"])
def test_only_the_section_of_plain_images_is_read(write, wcs, dtype):
    data = np.arange(200.0 * 16).reshape(200, 16).astype(dtype)
    path = write(data, wcs=wcs)
    with FitsFiles() as files:
        image = open_image(path, label="x", kind="image", files=files)
        # What lies around the section is not there any more.
        with path.open("r+b") as file:
            start = files.open(path)[0].fileinfo()["datLoc"]
            file.seek(start + 7 * 16 * data.itemsize)
            file.truncate()
        section = (slice(3, 7), slice(5, 9))
        np.testing.assert_array_equal(image.read(section), data[section])
        np.testing.assert_array_equal(image.read((slice(0, 7), slice(0, 16))), data[:7])
        with pytest.raises(ImageError, match="ends early"):
            image.read((slice(3, 8), slice(5, 9)))


@pytest.mark.parametrize("how", ["gz", "scaled", "tiled", "whole numbers"])
def test_images_that_are_not_plain_are_left_to_astropy(tmp_path, how):
    path = tmp_path / ("a.fits.gz" if how == "gz" else "a.fits")
    if how == "tiled":
        fits.CompImageHDU(np.ones((8, 8), np.float32)).writeto(path)
    elif how == "whole numbers":
        fits.writeto(path, np.ones((8, 8), np.int32))
    else:
        hdu = fits.PrimaryHDU(np.ones((8, 8), np.float32))
        if how == "scaled":
            hdu.header["BSCALE"] = 2.0
        hdu.writeto(path)
    with fits.open(path) as hdus:
        assert plain_reader(path, hdus[-1]) is None


def test_files_are_closed(files, bands, monkeypatch):
    opened = []
    original = fits.open
    monkeypatch.setattr(
        fits, "open", lambda *a, **k: opened.append(original(*a, **k)) or opened[-1]
    )
    mosaic = read_mosaic(files, bands=bands)
    assert len(opened) == 4
    assert all(hdus._file.closed for hdus in opened)
    assert np.isfinite(mosaic.data).all()
    opened.clear()
    with pytest.raises(ImageError):
        read_mosaic({**files, "F850LP": "nothing.fits"}, bands=bands)
    assert len(opened) == 3
    assert all(hdus._file.closed for hdus in opened)


def test_junk_in_headers_is_no_concern_of_the_users(tmp_path, plane, wcs):
    header = wcs.to_header()
    header.update(RADECSYS="FK5", EQUINOX=2000.0, DATE="2013-03-22T012:00:00")
    header["DATE-OBS"] = "22/03/13"
    header["MJD-OBS"] = 1.0
    del header["RADESYS"]
    path = tmp_path / "junk.fits"
    fits.PrimaryHDU(plane, header).writeto(path)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        mosaic = read(path)
        read(fits.PrimaryHDU(plane, header))
    assert caught == []
    assert mosaic.wcs is not None


def test_a_home_folder(write, plane, tmp_path, monkeypatch):
    write(plane)
    monkeypatch.setenv("HOME", str(tmp_path))
    np.testing.assert_array_equal(read("~/image.fits").data[0], plane)


# ---- digests


def test_digests_of_files_of_any_size(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "_BLOCK", 1000)
    paths = [tmp_path / f"{n}" for n in (0, 1, 999, 1000, 1001, 34_567)]
    for path in paths:
        path.write_bytes(np.random.default_rng(1).bytes(int(path.name)))
    with FitsFiles() as files:
        found = files.digest([*paths, paths[0]])
        assert found == {p: hashlib.sha256(p.read_bytes()).hexdigest() for p in paths}
        assert files.digest([]) == {}


def test_an_interruption_is_not_waited_for(tmp_path, monkeypatch):
    """What is being read is left; nothing that was cut short is taken for a digest."""
    begun, paths = threading.Event(), [tmp_path / "a", tmp_path / "b"]
    for path in paths:
        path.write_bytes(bytes(10))
    digest = module._sha256

    def slow(path, stopped):
        if path == paths[0]:
            begun.wait(30)
            raise KeyboardInterrupt
        begun.set()
        assert stopped.wait(30)
        return digest(path, stopped)

    monkeypatch.setattr(module, "_sha256", slow)
    with FitsFiles() as files:
        with pytest.raises(KeyboardInterrupt):
            files.digest(paths)
        monkeypatch.setattr(module, "_sha256", digest)
        assert set(files.digest(paths).values()) == {hashlib.sha256(bytes(10)).hexdigest()}


def test_a_file_that_is_gone_ends_the_others(tmp_path):
    with FitsFiles() as files, pytest.raises(FileNotFoundError):
        files.digest([tmp_path / "gone"])
