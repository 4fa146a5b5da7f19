"""Window positions: every pixel that stride 1 covers is covered, each window exactly once."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from morpheus.errors import OptionError
from morpheus.inference.options import LATTICE_SHEAR, InferenceOptions, preset
from morpheus.inference.windows import Run, WindowPlan
from morpheus.model import WindowRecipe


def positions(plan):
    return [
        (run.y, run.x + i * run.step)
        for tile in plan.tiles()
        for run in tile.runs
        for i in range(run.count)
    ]


def coverage(plan, places):
    covered = np.zeros((plan.height, plan.width), int)
    margin, inner = plan.recipe.margin, plan.recipe.inner
    for y, x in places:
        covered[y + margin : y + margin + inner, x + margin : x + margin + inner] += 1
    return covered


@st.composite
def plans(draw):
    margin = draw(st.integers(0, 6))
    recipe = WindowRecipe(2 * margin + draw(st.integers(1, 30)), margin, 1)
    height = recipe.size + draw(st.integers(0, 150))
    width = recipe.size + draw(st.integers(0, 400))
    lattice = draw(st.booleans())
    if lattice:
        allowed = [s for s in LATTICE_SHEAR if s**2 <= recipe.inner]
        lattice = bool(allowed)
    stride = draw(st.sampled_from(allowed) if lattice else st.integers(1, recipe.inner))
    return WindowPlan(height, width, recipe, stride, lattice)


@settings(deadline=None, max_examples=150)
@given(plans())
def test_every_pixel_that_can_be_covered_is_and_no_window_comes_twice(plan):
    places = positions(plan)
    assert len(set(places)) == len(places) == plan.n_windows()
    assert all(0 <= y < plan.n_rows and 0 <= x < plan.n_columns for y, x in places)
    margin = plan.recipe.margin
    expected = np.zeros((plan.height, plan.width), bool)
    expected[margin : plan.height - margin, margin : plan.width - margin] = True
    assert np.array_equal(coverage(plan, places) > 0, expected)


@settings(deadline=None)
@given(plans())
def test_tiles_hold_the_windows_that_start_in_them(plan):
    for tile in plan.tiles():
        size = plan.recipe.size
        for run in tile.runs:
            assert tile.y <= run.y
            assert run.y + size <= tile.y + tile.height <= plan.height
            assert tile.x <= run.x
            assert run.x + (run.count - 1) * run.step + size <= tile.x + tile.width <= plan.width
        assert tile.n_windows == sum(run.count for run in tile.runs) > 0


def test_stride_one_is_every_position():
    plan = WindowPlan(60, 50, WindowRecipe(40, 5, 1))
    assert sorted(positions(plan)) == [(y, x) for y in range(21) for x in range(11)]


@pytest.mark.parametrize("stride", LATTICE_SHEAR)
def test_lattice_has_one_window_per_stride_squared(stride):
    plan = WindowPlan(340, 640, WindowRecipe(40, 5, 1), stride, lattice=True)
    places = positions(plan)
    a = LATTICE_SHEAR[stride]
    regular = [(y, x) for y, x in places if (x - a * y) % stride**2 == 0]
    assert len(regular) == pytest.approx(301 * 601 / stride**2, rel=0.01)
    assert len(places) - len(regular) < 0.02 * len(regular)
    # each stride**2 columns hold one window of a row, and every row has some
    assert {y for y, _ in regular} == set(range(301))


def test_interior_of_a_lattice_is_seen_equally_often():
    plan = WindowPlan(160, 160, WindowRecipe(40, 5, 1), 3, lattice=True)
    inner = coverage(plan, positions(plan))[50:110, 50:110]
    assert inner.mean() == pytest.approx(900 / 9, rel=0.01)
    assert inner.min() >= 90
    assert inner.max() <= 110


def test_gaps_are_refused():
    with pytest.raises(OptionError, match="gaps"):
        WindowPlan(100, 100, WindowRecipe(40, 5, 1), 31)
    with pytest.raises(OptionError, match="gaps"):
        WindowPlan(100, 100, WindowRecipe(16, 4, 1), 3, lattice=True)
    with pytest.raises(OptionError, match="smaller than a window"):
        WindowPlan(39, 100, WindowRecipe(40, 5, 1))


@given(st.integers(1, 50), st.integers(1, 60))
def test_a_run_divides_into_itself(count, first):
    run = Run(3, 7, 4, count)
    pieces, rest = [], run
    while rest is not None:
        piece, rest = rest.divide(first)
        pieces.append(piece)
    columns = [p.x + i * p.step for p in pieces for i in range(p.count)]
    assert columns == [7 + 4 * i for i in range(count)]
    assert all(p.count <= first for p in pieces)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"stride": 0}, "stride is 0"),
        ({"stride": 2.5}, "stride is 2.5; it is a whole number"),
        ({"threads": "2"}, "threads is '2'"),
        ({"stride": 5, "lattice": True}, "2, 3, 4"),
        ({"edges": "mirror"}, "skip, pad"),
        ({"precision": "float16"}, "float32, bfloat16, auto"),
        ({"threads": 0}, "threads is 0"),
        ({"batch_size": -1}, "batch size is -1"),
        ({"batch_size": 10**9}, "1 to 65536"),
    ],
)
def test_options_are_checked(options, message):
    with pytest.raises(OptionError, match=message):
        InferenceOptions(**options)


def test_the_lattices_and_presets_are_those_that_were_measured():
    assert LATTICE_SHEAR == {2: 1, 3: 2, 4: 3}
    assert preset("exact") == InferenceOptions(stride=1, lattice=False, precision="float32")
    assert preset("fast") == InferenceOptions(stride=3, lattice=True, precision="auto")


def test_unknown_preset():
    with pytest.raises(OptionError, match="exact, fast"):
        preset("slow")
