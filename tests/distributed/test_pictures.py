"""What pictures show of a field in chunks is what they would show of the whole."""

from types import SimpleNamespace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from morpheus.distributed.chunks import ChunkGrid
from morpheus.distributed.pictures import _whole_squares, coarse_field, coarseness
from morpheus.visual import block_means


def plain_means(values, step):
    """Average over squares, one after the other."""
    size = tuple(-(-n // step) for n in values.shape)
    means = np.full(size, np.nan)
    for y, x in np.ndindex(size):
        square = values[y * step : (y + 1) * step, x * step : (x + 1) * step]
        if np.isfinite(square).any():
            means[y, x] = np.nanmean(square)
    return means


@settings(deadline=None, max_examples=150)
@given(
    st.tuples(st.integers(1, 30), st.integers(1, 30)),
    st.integers(1, 12),
    st.integers(0, 11),
    st.integers(1, 7),
    st.integers(0, 2**32 - 1),
)
def test_squares_of_any_size_in_chunks_of_any_size(shape, size, offset, step, seed):
    """Also where the last chunk is narrower than a square, or no square begins in it."""
    rng = np.random.default_rng(seed)
    image = rng.normal(size=shape).astype(np.float32)
    image[rng.random(shape) < 0.3] = np.nan
    grid = ChunkGrid(shape, (size, size), (offset % size, offset // 2 % size))
    records = {}
    for chunk in grid:
        section = _whole_squares(chunk.section, step, shape)
        part = image[section]
        size_of = tuple(-(-n // step) for n in part.shape)
        means = block_means(part, step) if part.size else np.zeros(size_of, np.float32)
        records[chunk.row, chunk.column] = {"classes": means[None], "band_H": means}
    found = coarse_field(SimpleNamespace(shape=shape, grid=grid), records, step, ("H",))
    expected = plain_means(image, step)
    np.testing.assert_allclose(found.classes[0], expected, atol=1e-6)
    np.testing.assert_allclose(found.images["H"], expected, atol=1e-6)


def test_small_fields_are_shown_whole_and_large_ones_in_a_screenful():
    assert coarseness((2048, 100)) == 1
    assert coarseness((100, 2049)) == 2
    assert all(-(-n // coarseness((n, n))) <= 2048 for n in (2049, 8192, 30_001))
