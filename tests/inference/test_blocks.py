"""Blocks of windows: each window once, in batches that are full."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from morpheus.inference.blocks import Block, batches, blocks_of
from morpheus.inference.windows import WindowPlan
from morpheus.model import WindowRecipe


def windows_in(blocks):
    return Counter(
        (y, x)
        for block in blocks
        for y in range(block.y, block.y + block.rows * block.row_step, block.row_step)
        for x in range(block.x, block.x + block.columns * block.step, block.step)
    )


@settings(deadline=None)
@given(
    st.integers(8, 90),
    st.integers(8, 300),
    st.sampled_from([(1, False), (2, False), (3, False), (4, False), (2, True)]),
    st.integers(1, 5000),
)
def test_every_window_is_in_one_block(height, width, spacing, size):
    for tile in WindowPlan(height, width, WindowRecipe(8, 2, 1), *spacing).tiles():
        expected = Counter(
            (run.y, run.x + i * run.step) for run in tile.runs for i in range(run.count)
        )
        blocks = blocks_of(tile)
        assert windows_in(blocks) == expected
        parts = list(batches(blocks, size))
        assert windows_in([block for batch in parts for block in batch]) == expected
        assert all(0 < sum(block.n_windows for block in batch) <= size for batch in parts)


def test_blocks_are_few_and_batches_are_full():
    plans = [
        (WindowPlan(103, 295, WindowRecipe(40, 5, 1)), 1),
        (WindowPlan(103, 295, WindowRecipe(40, 5, 1), 3, lattice=True), 9 + 4),
    ]
    for plan, most in plans:
        (tile,) = plan.tiles()
        assert len(blocks_of(tile)) <= most
    sizes = [
        sum(b.n_windows for b in batch) for batch in batches([Block(0, 0, 1, 1, 64, 256)], 5000)
    ]
    assert sizes == [19 * 256] * 3 + [7 * 256]
    assert len(list(batches([Block(0, 0, 1, 1, 3, 10)], 4))) == 3 + 3 + 2


@pytest.mark.parametrize("block", [Block(2, 3, 2, 3, 3, 4), Block(0, 0, 1, 1, 9, 9)])
def test_windows_are_counted(block):
    n = np.zeros(block.reach(5), int)
    for y, x in windows_in([block]):
        n[y - block.y :, x - block.x :][:5, :5] += 1
    assert np.array_equal(block.count(5), n)
