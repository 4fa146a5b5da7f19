"""Pictures on disk."""

import matplotlib.image
import numpy as np
import pytest
from PIL import Image

from morpheus.errors import OptionError, ProductError
from morpheus.provenance import morpheus_version
from morpheus.visual import FORMATS, write_picture
from morpheus.visual.files import to_bytes
from morpheus.visual.style import new_figure, style

RGB = np.random.default_rng(0).integers(0, 256, (7, 5, 3), np.uint8)


@pytest.mark.parametrize("suffix", [".png", ".tif", ".TIFF"])
def test_pixels_are_kept_and_the_first_row_is_at_the_bottom(tmp_path, suffix):
    path = write_picture(tmp_path / f"picture{suffix}", RGB)
    with Image.open(path) as image:
        np.testing.assert_array_equal(np.asarray(image)[::-1], RGB)
    write_picture(tmp_path / f"float{suffix}", RGB / np.float32(255))
    with Image.open(tmp_path / f"float{suffix}") as image:
        np.testing.assert_array_equal(np.asarray(image)[::-1], RGB)


def test_matplotlib_reads_the_same_png(tmp_path):
    pixels = matplotlib.image.imread(write_picture(tmp_path / "a.png", RGB))
    np.testing.assert_array_equal(np.rint(pixels[::-1] * 255), RGB)


@pytest.mark.parametrize("suffix", FORMATS)
@pytest.mark.parametrize("kind", ["array", "figure"])
def test_every_format(tmp_path, suffix, kind):
    with style():
        figure = new_figure(2, 1, 64)
        figure.text(0.1, 0.4, "a figure")
    path = tmp_path / f"a{suffix}"
    write_picture(path, RGB if kind == "array" else figure, metadata={"Title": "Größe"})
    if suffix == ".pdf":
        content = path.read_bytes()
        assert content.startswith(b"%PDF")
        assert f"morpheus {morpheus_version()}".encode() in content
        return
    with Image.open(path) as image:
        assert image.format == FORMATS[suffix]
        assert image.size == ((5, 7) if kind == "array" else (128, 64))
        software = image.info.get("Software") or image.getexif()[305]
        assert software == f"morpheus {morpheus_version()}"
        assert suffix != ".png" or image.info["Title"] == "Größe"


def test_nothing_is_overwritten_silently(tmp_path):
    path = write_picture(tmp_path / "new" / "a.png", RGB)
    before = path.read_bytes()
    with pytest.raises(ProductError, match="overwrit"):
        write_picture(path, 255 - RGB)
    assert path.read_bytes() == before
    write_picture(path, 255 - RGB, overwrite=True)
    assert path.read_bytes() != before
    assert [p.name for p in path.parent.iterdir()] == ["a.png"]


@pytest.mark.parametrize("name", ["a.gif", "a", "a.fits"])
def test_a_format_that_is_not_known(tmp_path, name):
    with pytest.raises(OptionError, match=r"\.png, \.jpg"):
        write_picture(tmp_path / name, RGB)
    assert not list(tmp_path.iterdir())


def test_too_large_for_jpeg(tmp_path):
    with pytest.raises(ProductError, match=r"at most 65535 .* write \.png"):
        write_picture(tmp_path / "a.jpg", np.zeros((1, 70_000, 3), np.uint8))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "array", [np.zeros((4, 4)), np.zeros((4, 4, 4)), np.zeros((0, 4, 3)), np.zeros((4, 4, 3), int)]
)
def test_an_array_that_is_no_picture(tmp_path, array):
    with pytest.raises(OptionError, match=r"an array \(y, x, 3\)"):
        write_picture(tmp_path / "a.png", array)


def test_values_beyond_the_range():
    values = np.array([[[-1, 0.5, 2], [np.nan, np.inf, 1 / 255]]])
    np.testing.assert_array_equal(to_bytes(values), [[[0, 128, 255], [0, 255, 1]]])
