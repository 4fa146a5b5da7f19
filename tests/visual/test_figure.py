"""The figure of the classes and its legend."""

import subprocess
import sys

import matplotlib as mpl
import matplotlib.image
import numpy as np
import pytest

from morpheus.errors import OptionError, ProductError
from morpheus.visual import class_figure, colorize, write_classes, write_picture
from morpheus.visual.figure import averaged_by
from morpheus.visual.files import to_bytes
from morpheus.visual.scale import bar_length
from morpheus.visual.style import CHART_COLORS


def read(path):
    """Pixels of a PNG, its first row at the bottom."""
    return np.rint(matplotlib.image.imread(path)[::-1, :, :3] * 255).astype(np.uint8)


def texts(figure):
    return [text.get_text() for text in figure.texts]


def inside(figure):
    """Every text lies within the figure, and no two overlap."""
    renderer = figure.canvas.get_renderer()
    boxes = [text.get_window_extent(renderer) for text in figure.texts]
    width, height = figure.canvas.get_width_height()
    fits = all(b.x0 >= 0 and b.y0 >= 0 and b.x1 <= width and b.y1 <= height for b in boxes)
    return fits and not any(a.overlaps(b) for i, a in enumerate(boxes) for b in boxes[:i])


def test_plain_is_pixel_by_pixel(tmp_path, classification):
    path = write_classes(tmp_path / "a.png", classification, legend=False)
    np.testing.assert_array_equal(read(path), to_bytes(colorize(classification)))


def test_the_figure_holds_the_same_pixels_enlarged(tmp_path, classification):
    figure = class_figure(classification)
    box = figure.axes[0].get_window_extent()
    pixels = read(write_picture(tmp_path / "a.png", figure))
    expected = to_bytes(colorize(classification)).repeat(15, axis=0).repeat(15, axis=1)
    y, x = round(box.y0), round(box.x0)
    found = pixels[y : y + expected.shape[0], x : x + expected.shape[1]]
    # Matplotlib rounds to bytes in its own way.
    assert np.abs(found.astype(int) - expected).max() <= 1


@pytest.mark.parametrize("shape", [(60, 60), (1, 1), (20, 400), (400, 20), (1000, 800)])
@pytest.mark.parametrize("title", [None, "A field with $dollars_ in its name"])
def test_text_is_neither_clipped_nor_overlapping(make_classification, shape, title):
    p = np.full((5, *shape), 0.2)
    p[:, 0, 0] = np.nan
    figure = class_figure(make_classification(p), title=title, unclassified="grey", max_pixels=400)
    assert inside(figure)
    assert {"Spheroid", "Disk", "Irregular", "Point source"} <= set(texts(figure))
    assert any("Not classified: grey" in text for text in texts(figure))
    assert title is None or title in texts(figure)


def test_a_scale_bar_where_the_scale_is_known(classification, make_classification):
    assert "0.5″" in texts(class_figure(classification))
    assert not any(
        "″" in text for text in texts(class_figure(make_classification(np.full((5, 9, 9), 0.2))))
    )


@pytest.mark.parametrize("shape", [(205, 310), (301, 99)])
def test_large_images_are_averaged_and_that_is_said(monkeypatch, make_classification, shape):
    monkeypatch.setattr("morpheus.visual.colors._BLOCK_PIXELS", 5000)
    p = np.random.default_rng(0).dirichlet(np.ones(5), shape).transpose(2, 0, 1)
    classification = make_classification(p)
    figure = class_figure(classification, max_pixels=100)
    block = averaged_by(shape, 100)
    assert any(f"{block} x {block} pixels are averaged" in text for text in texts(figure))
    drawn = np.asarray(figure.axes[0].images[0].get_array())
    rgb = colorize(classification)
    assert drawn.shape[:2] == tuple(-(-side // block) for side in shape)
    for y, x in ((0, 0), (3, 7), (drawn.shape[0] - 1, drawn.shape[1] - 1)):
        part = rgb[y * block : (y + 1) * block, x * block : (x + 1) * block]
        np.testing.assert_allclose(drawn[y, x], part.mean(axis=(0, 1)), atol=1e-5)


def test_how_much_is_averaged():
    assert [averaged_by((n, 10)) for n in (1, 6000, 6001, 12000, 12001)] == [1, 1, 2, 2, 3]
    with pytest.raises(OptionError, match="100 or more"):
        class_figure(None, max_pixels=99)


def test_what_is_there_is_found_before_the_work(tmp_path, classification):
    (tmp_path / "a.png").touch()
    with pytest.raises(ProductError, match="overwrite"):
        write_classes(tmp_path / "a.png", None)
    with pytest.raises(OptionError, match="a picture is a file"):
        write_classes(tmp_path / "a.fits", None)
    assert write_classes(tmp_path / "a.png", classification, overwrite=True).stat().st_size


def test_the_user_s_settings_of_matplotlib_are_neither_used_nor_changed(tmp_path, classification):
    write_picture(tmp_path / "a.png", class_figure(classification))
    with mpl.rc_context({"figure.facecolor": "red", "image.origin": "upper", "font.size": 30}):
        write_picture(tmp_path / "b.png", class_figure(classification))
        assert mpl.rcParams["figure.facecolor"] == "red"
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


def test_pyplot_is_not_imported():
    program = "import sys, morpheus.visual; assert 'matplotlib.pyplot' not in sys.modules"
    subprocess.run([sys.executable, "-c", program], check=True)


@pytest.mark.parametrize(
    ("longest", "expected"),
    [
        (1.0, (1, "1″")),
        (4.9, (2, "2″")),
        (0.3, (0.2, "0.2″")),
        (59, (50, "50″")),
        (61, (60, "1\N{PRIME}")),
        (9000, (7200, "2°")),
        (0.05, (0.05, "0.05″")),
    ],
)
def test_scale_bars_are_round(longest, expected):
    length, label = bar_length(longest)
    assert (pytest.approx(length), label) == expected


def test_charts_can_be_read_on_the_dark_ground():
    def luminance(color):
        parts = np.frombuffer(bytes.fromhex(color[1:]), np.uint8) / 255
        linear = np.where(parts > 0.04045, ((parts + 0.055) / 1.055) ** 2.4, parts / 12.92)
        return linear @ [0.2126, 0.7152, 0.0722]

    ground = luminance("#14171c")
    for color in CHART_COLORS.values():
        assert (luminance(color) + 0.05) / (ground + 0.05) > 4  # contrast, as WCAG defines it
    assert len(set(CHART_COLORS.values())) == 5
