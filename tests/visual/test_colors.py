"""The colours of the classes: against the original program, and by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from morpheus.classes import BACKGROUND, CLASS_NAMES, CLASSES
from morpheus.errors import OptionError
from morpheus.visual import UNCLASSIFIED, class_colors, colorize
from morpheus.visual.colors import row_blocks

SOURCES = [c for c in CLASSES if c.hue is not None]


def one_pixel(**values):
    """The colour of a pixel with these probabilities; 0 for the others."""
    maps = {name: np.full((1, 1), values.get(name, 0.0), np.float32) for name in CLASS_NAMES}
    return class_colors(maps)[0, 0]


@pytest.mark.parametrize("name", ["dev5crop", "exp3", "exp9"])
@pytest.mark.parametrize(("kind", "suffix"), [("rv", ""), ("mv", "_mean")])
def test_the_original_s_pictures(shared, name, kind, suffix):
    # The original's rows are in the order of the maps', and its picture is float32: 1e-6 is a
    # few roundings.
    with np.load(shared / f"reference/hausen2020/{name}.npz") as z:
        maps = {c: z[c + suffix] for c in CLASS_NAMES}
        np.testing.assert_allclose(class_colors(maps), z[f"rgb_{kind}_show"], atol=1e-6, rtol=0)
        hidden = class_colors(maps, hidden=z["n"] == 0)
        np.testing.assert_allclose(hidden, z[f"rgb_{kind}_hide"], atol=1e-6, rtol=0)


@pytest.mark.parametrize("source", SOURCES, ids=lambda c: c.name)
def test_a_certain_class_has_its_pure_colour(source):
    np.testing.assert_allclose(one_pixel(**{source.name: 1}), source.rgb, atol=1e-6)


def test_by_hand():
    np.testing.assert_allclose(one_pixel(spheroid=0.5, disk=0.5), [1, 1, 1])
    np.testing.assert_allclose(one_pixel(background=1), [0, 0, 0])
    # Lead 0.5 - 0.25, value 1 - 0.2: red 0.8, the others 0.8 (1 - 0.25).
    color = one_pixel(spheroid=0.5, disk=0.25, irregular=0.05, background=0.2)
    np.testing.assert_allclose(color, [0.8, 0.6, 0.6], atol=1e-6)
    # The order of the classes does not matter to which is second.
    color = one_pixel(disk=0.1, irregular=0.2, point_source=0.6, background=0.1)
    lead, pure = 0.4, np.array(CLASSES[3].rgb)
    np.testing.assert_allclose(color, 0.9 * (1 - lead * (1 - pure)), atol=1e-6)


def test_the_classes_have_the_original_s_hues():
    assert [c.hue for c in CLASSES] == [0.0, 0.7, 0.3, 0.18, None]
    assert [c.color for c in CLASSES] == ["#ff0000", "#3300ff", "#33ff00", "#ebff00", "#000000"]


@pytest.mark.parametrize("name", UNCLASSIFIED)
def test_pixels_that_were_not_classified(make_classification, name):
    p = np.full((5, 2, 3), 0.2)
    p[:, 0, 1] = np.nan
    n = np.full((2, 3), 9, np.uint32)
    n[0, 1] = n[1, 2] = 0
    rgb = colorize(make_classification(p, n=n), unclassified=name)
    assert rgb.dtype == np.float32
    for at in ((0, 1), (1, 2)):
        np.testing.assert_array_equal(rgb[at], np.float32(UNCLASSIFIED[name]))
    np.testing.assert_allclose(rgb[0, 0], 0.8)  # a tie, and the background at 0.2


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("name", CLASS_NAMES)
def test_a_map_that_is_not_finite_is_not_classified(name, value):
    maps = {c: np.full((1, 2), 0.2, np.float32) for c in CLASS_NAMES}
    maps[name][0, 1] = value
    rgb = class_colors(maps, unclassified="white")
    np.testing.assert_array_equal(rgb[0, 1], 1)
    np.testing.assert_allclose(rgb[0, 0], 0.8)


def test_votes_and_means(classification):
    np.testing.assert_array_equal(
        colorize(classification, statistic="votes"), colorize(classification)
    )


maps_of_pixels = arrays(
    np.float32,
    st.tuples(st.just(5), st.integers(1, 6), st.integers(1, 6)),
    elements=st.floats(-0.5, 1.5, width=32) | st.just(np.float32(np.nan)),
)


@given(maps_of_pixels)
def test_values_are_colours(array):
    rgb = class_colors(dict(zip(CLASS_NAMES, array, strict=True)))
    assert rgb.shape == (*array.shape[1:], 3)
    assert (rgb >= 0).all()
    assert (rgb <= 1).all()


@given(maps_of_pixels, st.randoms(use_true_random=False))
def test_each_pixel_is_on_its_own(array, random):
    order = list(range(array.shape[1] * array.shape[2]))
    random.shuffle(order)
    flat = array.reshape(5, 1, -1)
    moved = class_colors(dict(zip(CLASS_NAMES, flat[:, :, order], strict=True)))
    still = class_colors(dict(zip(CLASS_NAMES, flat, strict=True)))
    np.testing.assert_array_equal(moved, still[:, order])


def test_blocks_of_rows_change_nothing(monkeypatch, classification):
    whole = colorize(classification)
    monkeypatch.setattr("morpheus.visual.colors._BLOCK_PIXELS", 130)
    assert [rows.stop - rows.start for rows in row_blocks((7, 60))] == [2, 2, 2, 1]
    assert [rows.start for rows in row_blocks((7, 60), multiple=3)] == [0, 3, 6]
    np.testing.assert_array_equal(colorize(classification), whole)


def test_fewer_classes_in_another_order_and_type():
    maps = {"background": [[0.25, 0.0]], "disk": np.array([[0.5, 1.0]])}
    blue = np.array(CLASSES[1].rgb)
    expected = [[0.75 * (1 - 0.5 * (1 - blue)), blue]]
    np.testing.assert_allclose(class_colors(maps), expected, atol=1e-6)


@pytest.mark.parametrize(
    ("maps", "message"),
    [
        ({"spheroid": np.zeros((2, 2))}, "takes background and one or more of spheroid"),
        ({"background": np.zeros((2, 2))}, "takes background and one or more of spheroid"),
        ({"background": np.zeros((2, 2)), "star": np.zeros((2, 2))}, "star: no such class"),
        ({"background": np.zeros((2, 2)), "disk": np.zeros((2, 3))}, "must share one"),
        ({"background": np.zeros(2), "disk": np.zeros(2)}, "must share one"),
    ],
)
def test_maps_that_cannot_be_drawn(maps, message):
    with pytest.raises(OptionError, match=message):
        class_colors(maps)


def test_options_that_do_not_exist(classification):
    with pytest.raises(OptionError, match="black, white, grey"):
        colorize(classification, unclassified="pink")
    with pytest.raises(OptionError, match="no statistic"):
        colorize(classification, statistic="median")
    with pytest.raises(OptionError, match="hidden has the shape"):
        class_colors(classification.mean, hidden=np.zeros((2, 2), bool))


def test_the_background_is_last():
    assert CLASSES[BACKGROUND].rgb == (0, 0, 0)
