"""How a field is divided."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from morpheus.distributed.chunks import ChunkGrid, memory_needs, plan_chunks
from morpheus.errors import OptionError
from morpheus.model import DenseConfig, ModelConfig, UNetConfig, WindowRecipe

GIGA = 1_000_000_000


@st.composite
def grids(draw, largest=60):
    shape = draw(st.integers(1, largest)), draw(st.integers(1, largest))
    size = draw(st.integers(1, largest + 5)), draw(st.integers(1, largest + 5))
    offset = draw(st.integers(0, size[0] - 1)), draw(st.integers(0, size[1] - 1))
    return ChunkGrid(shape, size, offset)


@settings(deadline=None)
@given(grids())
def test_chunks_tile_the_field_once(grid):
    times = np.zeros(grid.shape, int)
    chunks = list(grid)
    for chunk in chunks:
        assert chunk.n_pixels > 0
        assert times[chunk.section].size == chunk.n_pixels
        times[chunk.section] += 1
        assert grid.chunk(chunk.row, chunk.column) == chunk
    assert (times == 1).all()
    assert len(chunks) == len(grid) == grid.n_rows * grid.n_columns
    assert len({chunk.key for chunk in chunks}) == len(chunks)
    for stored, n, offset in zip(grid.stored_shape, grid.shape, grid.offset, strict=True):
        assert stored >= n + offset
    # all borders are where the first chunk, were it whole, says
    for axis in (0, 1):
        starts = {chunk.section[axis].start for chunk in chunks} - {0}
        assert not [s for s in starts if (s + grid.offset[axis]) % grid.size[axis]]


@settings(deadline=None)
@given(grids(), st.data())
def test_overlapping_chunks_are_those_that_intersect(grid, data):
    section = []
    for n in grid.shape:
        start = data.draw(st.integers(0, n - 1))
        section.append(slice(start, data.draw(st.integers(start + 1, n))))
    inside = np.zeros(grid.shape, bool)
    inside[tuple(section)] = True
    expected = [chunk for chunk in grid if inside[chunk.section].any()]
    assert grid.overlapping(tuple(section)) == expected


def test_a_chunk_says_where_it_is():
    chunk = ChunkGrid((100, 90), (40, 30), (5, 0)).chunk(1, 2)
    assert str(chunk) == "chunk 0001-0002 (x 60 to 89, y 35 to 74)"


def test_bands_of_rows_keep_within_a_budget():
    grid = ChunkGrid((40_000, 40_000), (2048, 2048))
    assert 1 <= grid.rows_at_once(8) <= 64_000_000 // (8 * 40_000)
    assert ChunkGrid((50, 60), (20, 20)).rows_at_once(8) == 20
    assert ChunkGrid((50, 10**9), (20, 20)).rows_at_once(8) == 1


DENSE = ModelConfig(
    name="dense",
    bands=("A", "B"),
    pixel_scale=0.06,
    unit="electron / s",
    window=WindowRecipe(size=320, margin=48, stride=224),
    normaliser="sky-noise",
    network=DenseConfig(widths=(4,)),
)
WINDOWED = ModelConfig(
    name="windowed",
    bands=("A", "B"),
    pixel_scale=0.06,
    unit="electron / s",
    window=WindowRecipe(size=40, margin=5, stride=1),
    network=UNetConfig(),
)

fields_of_any_size = st.tuples(st.integers(1, 60_000), st.integers(1, 60_000))


@settings(deadline=None, max_examples=200)
@given(
    st.sampled_from([DENSE, WINDOWED]),
    fields_of_any_size,
    st.tuples(st.integers(0, 3000), st.integers(0, 3000)),
    st.none() | st.integers(0, 200 * GIGA),
    st.integers(1, 64),
    st.integers(1, 12),
    st.none() | st.integers(1, 5000),
)
def test_a_plan_keeps_within_the_memory(config, shape, origin, memory, workers, n_bands, side):
    needs = memory_needs(config, n_bands)
    smallest = side or (config.window.inner if config.is_dense else 64)
    least = needs.main + needs.of_worker((smallest, smallest))

    def plan():
        return plan_chunks(shape, origin, config, needs, memory=memory, workers=workers, side=side)

    if memory is not None and memory < least:
        with pytest.raises(OptionError) as caught:
            plan()
        assert f"this model takes {least / 1e9:.2g} GB" in str(caught.value)
        assert "\n" not in str(caught.value)
        return
    grid, n = plan()
    assert grid.shape == shape
    assert 1 <= n <= min(workers, len(grid))
    if memory is not None:
        assert needs.main + n * needs.of_worker(grid.size) <= memory
    if side is not None:
        assert all(one == side or one >= n for one, n in zip(grid.size, shape, strict=True))
    elif config.is_dense:
        for axis in (0, 1):
            borders = {chunk.section[axis].start for chunk in corners(grid)} - {0}
            assert not [b for b in borders if (b + origin[axis]) % config.window.inner]


def corners(grid):
    """The first two chunks of the first two rows; there may be millions."""
    rows, columns = range(min(2, grid.n_rows)), range(min(2, grid.n_columns))
    return [grid.chunk(row, column) for row in rows for column in columns]


def test_more_memory_is_never_for_fewer_workers():
    needs = memory_needs(DENSE, 4)
    plans = [
        plan_chunks((30_000, 30_000), (0, 0), DENSE, needs, memory=n * GIGA, workers=8)
        for n in (2, 4, 8, 16, 64)
    ]
    workers = [n for _, n in plans]
    assert workers == sorted(workers)
    assert workers[0] < workers[-1] == 8
    free, n = plan_chunks((30_000, 30_000), (0, 0), DENSE, needs, memory=None, workers=8)
    assert (free, n) == plans[-1]


def test_a_small_field_is_shared_out_among_the_workers():
    needs = memory_needs(WINDOWED, 4)
    grid, n = plan_chunks((1000, 1000), (0, 0), WINDOWED, needs, memory=None, workers=4)
    assert n == 4
    assert len(grid) >= 8
    one, n = plan_chunks((1000, 1000), (0, 0), WINDOWED, needs, memory=None, workers=1)
    assert (len(one), n) == (1, 1)


@pytest.mark.parametrize(
    "shape", [(8192, 8192), (2048, 2048), (1792, 6000), (300, 20_000), (500, 400)]
)
def test_there_are_two_chunks_a_worker_by_area(shape):
    """The largest that there is memory for, or else the largest of which that is true."""
    needs, step = memory_needs(DENSE, 4), DENSE.window.inner

    def share(side):
        return math.prod(min(side, n) for n in shape) / math.prod(shape)

    grid, n = plan_chunks(shape, (0, 0), DENSE, needs, memory=None, workers=2)
    assert n == 2
    side = max(grid.size)
    assert side % step == 0
    assert share(side) <= 1 / 4 or side == step
    assert side + step > 2048 or share(side + step) > 1 / 4


def test_too_little_memory_is_said_in_a_line():
    needs = memory_needs(DENSE, 4)
    with pytest.raises(OptionError, match=r"^--memory 0.1 GB is not enough: this model takes 1\."):
        plan_chunks((3000, 3000), (0, 0), DENSE, needs, memory=GIGA // 10, workers=8)
