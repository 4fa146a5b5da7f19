"""The filter that the header names against the band that the user names."""

import pytest
from astropy.io import fits

from morpheus.errors import GridMismatchError
from morpheus.mosaic import read_mosaic


@pytest.fixture
def read(pixels):
    """Read images that have these keywords in the header."""

    def read_with(bands, *keywords, **options):
        images = [(p, fits.Header(k)) for p, k in zip(pixels, keywords, strict=False)]
        return read_mosaic(images, bands=bands, **options)

    return read_with


@pytest.mark.parametrize(
    ("band", "keywords"),
    [
        ("F160W", {"FILTER": "f160w   "}),
        ("f160w", {"FILTER": "F160W"}),
        ("F606W", {"FILTER1": "F606W", "FILTER2": "CLEAR2L"}),
        ("F814W", {"FILTER1": "CLEAR1S", "FILTER2": "F814W"}),
        ("F162M", {"TELESCOP": "JWST", "FILTER": "F150W2", "PUPIL": "F162M"}),
        ("F115W", {"TELESCOP": "JWST", "FILTER": "CLEAR", "PUPIL": "F115W"}),
        ("F200W", {"TELESCOP": "JWST", "FILTER": "F200W", "PUPIL": "CLEAR"}),
        ("F160W", {}),
        ("F160W", {"FILTER": ""}),
        ("F160W", {"FILTER": "N/A"}),
        ("F160W", {"FILTER1": "CLEAR1L", "FILTER2": "CLEAR2L"}),
        ("F160W", {"PUPIL": "F606W"}),
    ],
)
def test_accepted(read, band, keywords):
    assert read([band], keywords).n_bands == 1


@pytest.mark.parametrize(
    ("keywords", "said"),
    [
        ({"FILTER": "F140W"}, "F140W"),
        ({"FILTER": 2}, "2"),
        ({"FILTER1": "F606W", "FILTER2": "CLEAR2L"}, "F606W"),
        ({"FILTER1": "F814W", "FILTER2": "POL0V"}, "F814W/POL0V"),
        ({"TELESCOP": "JWST", "FILTER": "CLEAR", "PUPIL": "F115W"}, "F115W"),
    ],
)
def test_refused(read, keywords, said):
    with pytest.raises(GridMismatchError) as error:
        read(["F160W"], keywords)
    message = str(error.value)
    assert f"was given as F160W but its header says {said};" in message
    assert "check_filters=False" in message
    assert "--no-check-filters" in message
    assert "swapped" not in message
    assert read(["F160W"], keywords, check_filters=False).n_bands == 1


def test_swapped_files(files, bands):
    swapped = {**files, "F160W": files["F606W"], "F606W": files["F160W"]}
    with pytest.raises(GridMismatchError) as error:
        read_mosaic(swapped, bands=bands)
    message = str(error.value)
    assert "the files look swapped" in message
    assert f"{files['F606W']} was given as F160W but its header says F606W" in message
    assert "give them as --band F160W=... or in the order F160W F125W F606W F850LP" in message
    assert read_mosaic(swapped, bands=bands, check_filters=False).n_bands == 4


def test_the_same_file_twice_is_not_swapped(files, bands):
    with pytest.raises(GridMismatchError, match="F125W but its header says F160W; give the F125W"):
        read_mosaic({**files, "F125W": files["F160W"]}, bands=bands)


def test_the_header_of_the_hdu_comes_before_the_primary_one(tmp_path, pixels):
    path = tmp_path / "multi.fits"
    primary = fits.PrimaryHDU(header=fits.Header({"FILTER": "F606W"}))
    hdus = fits.HDUList([primary, fits.ImageHDU(pixels[0], name="SCI")])
    hdus.writeto(path)
    with pytest.raises(GridMismatchError, match="its header says F606W"):
        read_mosaic([path], bands=["F160W"])
    hdus["SCI"].header["FILTER"] = "F160W"
    hdus.writeto(path, overwrite=True)
    assert read_mosaic([path], bands=["F160W"]).n_bands == 1
