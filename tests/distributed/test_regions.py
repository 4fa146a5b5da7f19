"""What hangs together across chunks: against labelling the whole field."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from morpheus.distributed.chunks import ChunkGrid
from morpheus.distributed.regions import Regions, join_regions, label_chunk
from morpheus.distributed.store import FieldStore
from morpheus.segmentation.detect import probability_regions

SEED, GROW = 0.7, 0.5


class Held:
    """A map in memory, in the place of a store."""

    def __init__(self, grid):
        self.grid, self.labels = grid, np.full(grid.shape, -1, np.int32)

    def write(self, name, chunk, labels):
        self.labels[chunk.section] = labels

    def read(self, name, section, plane):
        return self.labels[section]


def by_chunks(store, source, valid, min_area):
    """Label every chunk, and join."""
    records = {}
    for chunk in store.grid:
        here, known = source[chunk.section], valid[chunk.section]
        labels, record = label_chunk(
            known & (here > GROW), known & (here >= SEED), chunk, store.grid.shape[1]
        )
        store.write("regions", chunk, labels)
        records[chunk.row, chunk.column] = record
    return join_regions(store.grid, records, min_area)


def check(grid, source, valid, min_area):
    whole = probability_regions(source, valid, seed=SEED, grow=GROW, min_area=min_area)
    store = Held(grid)
    regions = by_chunks(store, source, valid, min_area)
    everything = tuple(slice(0, n) for n in grid.shape)
    assert np.array_equal(regions.read(store, everything), whole)
    boxes = [
        (rows.start, rows.stop - 1, columns.start, columns.stop - 1)
        for rows, columns in ndimage.find_objects(whole)
    ]
    assert regions.box[1:].tolist() == [list(box) for box in boxes]
    return store, regions, whole


@st.composite
def cases(draw):
    shape = draw(st.integers(1, 14)), draw(st.integers(1, 14))
    size = draw(st.integers(1, 8)), draw(st.integers(1, 8))
    offset = draw(st.integers(0, size[0] - 1)), draw(st.integers(0, size[1] - 1))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    source = rng.random(shape).astype(np.float32)
    smoothing = draw(st.sampled_from([0, 0.6, 1.2]))  # larger regions
    if smoothing:
        source = ndimage.gaussian_filter(source, smoothing)
        source = (source - source.min()) / max(float(np.ptp(source)), 1e-9)
    source += draw(st.sampled_from([-0.15, 0, 0.15]))  # few, or nearly everything
    valid = rng.random(shape) < draw(st.sampled_from([1, 0.9, 0.3, 0]))
    return ChunkGrid(shape, size, offset), np.where(valid, source, np.nan), valid


@settings(deadline=None, max_examples=150)
@given(cases(), st.integers(1, 9), st.data())
def test_regions_are_those_of_the_whole(case, min_area, data):
    grid, source, valid = case
    store, regions, whole = check(grid, source, valid, min_area)
    section = []
    for n in grid.shape:
        start = data.draw(st.integers(0, n - 1))
        section.append(slice(start, data.draw(st.integers(start + 1, n))))
    assert np.array_equal(regions.read(store, tuple(section)), whole[tuple(section)])


def test_regions_that_meet_at_the_corners_of_four_chunks():
    grid = ChunkGrid((12, 12), (4, 4))
    source = np.zeros((12, 12), np.float32)
    for y, x in ((3, 3), (4, 4), (7, 8), (8, 7)):  # along both diagonals
        source[y, x] = 0.8
    _, regions, whole = check(grid, source, np.ones((12, 12), bool), 2)
    assert whole.max() == 2
    assert len(regions.box) == 3


def test_a_spiral_through_all_chunks_is_one_region():
    shape = (29, 31)
    source, valid = np.zeros(shape, np.float32), np.ones(shape, bool)
    source[1:28:2] = 0.6  # rows, joined at alternating ends
    source[2:27:4, -1] = source[4:27:4, 0] = 0.6
    source[27, 30] = 0.9  # the only seed, in the last chunk
    for size in ((1, 1), (5, 7), (40, 40)):
        _, regions, whole = check(ChunkGrid(shape, size), source, valid, 20)
        assert whole.max() == 1
        assert regions.box[1].tolist() == [1, 27, 0, 30]
    # without its seed it is none, and neither is any part of it
    source[27, 30] = 0.6
    assert check(ChunkGrid(shape, (5, 7)), source, valid, 20)[2].max() == 0


def test_the_smallest_area_counts_for_the_whole_region():
    grid = ChunkGrid((6, 6), (3, 3))
    source = np.zeros((6, 6), np.float32)
    source[2:4, 2:4] = 0.9  # a pixel in each chunk
    valid = np.ones((6, 6), bool)
    assert check(grid, source, valid, 4)[2].max() == 1
    assert check(grid, source, valid, 5)[2].max() == 0


def test_regions_are_kept_in_a_store(tmp_path):
    grid = ChunkGrid((20, 30), (8, 7), (3, 2))
    source = np.random.default_rng(1).random((20, 30)) - 0.15
    valid = np.ones((20, 30), bool)
    store = FieldStore.create(tmp_path / "store", grid, {"regions": ("int32", 1, -1)})
    by_chunks(store, source, valid, 2).save(store)
    found = Regions.load(FieldStore(tmp_path / "store", grid))
    whole = probability_regions(source, valid, seed=SEED, grow=GROW, min_area=2)
    assert whole.max() > 2
    assert np.array_equal(found.read(store, (slice(0, 20), slice(3, 30))), whole[:, 3:])
