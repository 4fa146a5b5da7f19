"""Sheets of sources."""

import astropy.units as u
import numpy as np
import pytest
from astropy.table import MaskedColumn, QTable, Table

from morpheus.errors import OptionError
from morpheus.visual import choose_sources, stamp_sheet, write_picture
from morpheus.visual.sources import source_entry
from morpheus.visual.stamps import outlines

NAMES = ("spheroid", "disk", "irregular", "point_source")


@pytest.fixture
def labels():
    """A source at the corner, one of a single pixel, and two that touch; 40 x 50."""
    labels = np.zeros((40, 50), np.int32)
    labels[0:4, 0:3] = 1
    labels[20, 30] = 2
    labels[30:36, 10:20] = 3
    labels[30:36, 20:28] = 4
    return labels


@pytest.fixture
def table(labels):
    rows = []
    for number in range(1, 5):
        y, x = np.nonzero(labels == number)
        row = {"id": number, "x": x.mean(), "y": y.mean()}
        row |= {"x_min": x.min(), "x_max": x.max(), "y_min": y.min(), "y_max": y.max()}
        row |= {f"p_{name}": 0.1 + 0.2 * i for i, name in enumerate(NAMES)}
        row |= {f"p_{name}_err": 0.05 for name in NAMES}
        row |= {"class": "point_source", "flags": 5, "f160w_mag_kron": 20.0 + number}
        rows.append(row)
    return Table(rows)


@pytest.fixture
def images(labels):
    rng = np.random.default_rng(0)
    image = (rng.normal(0, 1, labels.shape) + 20 * (labels > 0)).astype(np.float32)
    return {"F160W": image, "F606W": image.astype(">f4")}


@pytest.fixture
def colors(labels):
    return np.random.default_rng(1).random((*labels.shape, 3), np.float32)


def texts(figure):
    return [t.get_text() for t in figure.texts] + [
        t.get_text() for axes in figure.axes for t in axes.texts
    ]


def test_a_sheet(tmp_path, table, images, labels, colors):
    figure = stamp_sheet(table, images, labels, colors, pixel_scale=0.06, title="A $field_")
    assert len(figure.axes) == 4 * (2 + 1 + 1)
    found = texts(figure)
    for text in ("A $field_", "F160W", "F606W", "Classes", "4", "f160w = 21.00", "edge"):
        assert text in found
    assert found.count("0.70 ± 0.05") == 4
    assert found.count("0.5″") == 4
    renderer = figure.canvas.get_renderer()
    width, height = figure.canvas.get_width_height()
    for text in [*figure.texts, *(t for axes in figure.axes for t in axes.texts)]:
        box = text.get_window_extent(renderer)
        assert box.x0 >= 0 and box.y0 >= 0 and box.x1 <= width and box.y1 <= height, text  # noqa: PT018
    assert write_picture(tmp_path / "a.png", figure).stat().st_size


def test_text_beside_the_stamps_does_not_reach_into_them(table, images, labels, colors):
    table["flags"] = 255
    figure = stamp_sheet(table, images, labels, colors)
    renderer = figure.canvas.get_renderer()
    first = min(axes.get_window_extent(renderer).x0 for axes in figure.axes)
    description = [t for t in figure.texts if "deblended" in t.get_text()]
    assert [t.get_text() for t in description] == ["deblended + 5 more"] * 4
    assert all(t.get_window_extent(renderer).x1 < first for t in description)
    stamp = figure.axes[2].get_window_extent(renderer)
    labels_of_bars = [t for t in figure.axes[3].texts if t.get_text() == "Point source"]
    assert all(t.get_window_extent(renderer).x0 > stamp.x1 for t in labels_of_bars)


def test_values_that_are_absent(tmp_path, table, images, labels, colors):
    table["p_disk"][0] = np.nan
    table["p_disk_err"][1] = np.nan
    table["class"] = MaskedColumn(table["class"], mask=[True, False, False, False])
    table["flags"] = MaskedColumn(table["flags"], mask=[False, True, False, False])
    table["f160w_mag_kron"][2] = np.nan
    images["F160W"][:5, :5] = np.nan
    figure = stamp_sheet(table, images, labels, colors)
    found = texts(figure)
    assert found.count("no value") == 1
    assert found.count("0.30") == 1
    assert "no class" in found
    assert not any("″" in text for text in found)
    assert not any("nan" in text for text in found)
    write_picture(tmp_path / "a.png", figure)


def test_a_table_with_little_in_it(images, labels, colors):
    table = Table({"id": [2], "x": [30.0], "y": [20.0]})
    for name in ("x_min", "x_max"):
        table[name] = 30
    with pytest.raises(OptionError, match="no column y_min, y_max"):
        stamp_sheet(table, images, labels, colors)
    table["y_min"] = table["y_max"] = 20
    assert texts(stamp_sheet(table, images, labels, colors)).count("no value") == 4


def test_units_and_a_class_that_is_another(table):
    table["class"] = "nebula"
    table["f160w_mag_kron"].unit = u.ABmag
    table["x"].unit = u.pix
    entry = source_entry(QTable(table)[2])
    assert entry.name == "nebula"
    assert entry.magnitude == ("f160w", 23.0)
    assert entry.x == 14.5
    assert entry.size == 10
    assert entry.flags == ("edge", "deblended")


def test_stamps_are_centred_and_reach_beyond_the_image(table, images, labels, colors):
    figure = stamp_sheet(table[:2], images, labels, colors)
    corner, middle = (np.asarray(figure.axes[i].images[0].get_array()) for i in (2, 2 + 4))
    assert corner.shape == middle.shape == (24, 24, 3)
    # x = 1, y = 1.5: the stamp starts 10 pixels left of it, rounded.
    np.testing.assert_array_equal(corner[10:, 10:], colors[:14, :14])
    assert np.ptp(corner[:10].reshape(-1, 3), axis=0).max() == 0
    np.testing.assert_array_equal(middle, colors[8:32, 18:42])


def test_outlines_are_the_edges_of_pixels():
    labels = np.zeros((3, 4), int)
    labels[1, 1:3] = 7
    edges = outlines(labels, labels == 7)
    assert len(edges) == 6
    assert np.abs(edges[:, 1] - edges[:, 0]).sum(axis=1).tolist() == [1] * 6
    assert edges[..., 0].min() == 0.5
    assert edges[..., 0].max() == 2.5
    assert (edges[..., 1].min(), edges[..., 1].max()) == (0.5, 1.5)
    assert outlines(labels, labels == 8).shape == (0, 2, 2)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"images": {}}, "no image"),
        ({"detection": "K"}, "'K' is no band; the bands are F160W, F606W"),
        ({"labels": np.zeros((3, 3), int)}, "F160W image has the shape"),
        ({"class_colors": np.zeros((3, 3, 3))}, "class colours has the shape"),
        ({"pixel_scale": 0.0}, "above 0"),
    ],
)
def test_inputs_that_do_not_fit(table, images, labels, colors, change, message):
    inputs = {"images": images, "labels": labels, "class_colors": colors} | change
    with pytest.raises(OptionError, match=message):
        stamp_sheet(table, **inputs)


def test_no_source_and_too_many(table, images, labels, colors):
    for rows in (table[:0], table[[0] * 101]):
        with pytest.raises(OptionError, match="1 to 100"):
            stamp_sheet(rows, images, labels, colors)


def test_chosen_sources(table):
    assert choose_sources(table, [3, 1, 3])["id"].tolist() == [3, 1]
    assert choose_sources(table)["id"].tolist() == [1, 2, 3, 4]
    some = choose_sources(table, n=2, seed=7)["id"].tolist()
    assert some == choose_sources(table, n=2, seed=7)["id"].tolist()
    assert some == sorted(some)
    assert len({tuple(choose_sources(table, n=2, seed=s)["id"]) for s in range(20)}) > 1


@pytest.mark.parametrize(
    ("ids", "n", "message"),
    [
        ([1, 9], 12, "no source 9 in the catalogue; its ids are 1 to 4"),
        (range(5, 15), 12, "no source 5, 6, 7, 8, 9 and 5 more"),
        ([], 12, "1 to 100 sources, not 0"),
        (None, 0, "1 to 100 sources, not 0"),
    ],
)
def test_sources_that_cannot_be_chosen(table, ids, n, message):
    with pytest.raises(OptionError, match=message):
        choose_sources(table, ids, n=n)


def test_an_empty_catalogue(table):
    with pytest.raises(OptionError, match="holds no source"):
        choose_sources(table[:0])
