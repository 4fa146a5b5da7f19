"""What labels say of pixels."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from morpheus.classes import BACKGROUND
from morpheus.dataset.split import split_examples
from morpheus.dataset.stamps import corner_of
from morpheus.dataset.targets import UNSEEN, compact_labels, make_classes, match_segments, rim
from morpheus.errors import OptionError

SEGMAPS = arrays(np.int32, (9, 11), elements=st.sampled_from([-3, 0, 0, 0, 5, 9, 1000]))


@given(SEGMAPS, st.floats(0, 3), st.sets(st.integers(1, 3)))
def test_shares_add_up_to_one_or_are_zero(segmap, grow, with_votes):
    if not (segmap > 0).any():
        return
    labels, numbers = compact_labels(segmap)
    np.testing.assert_array_equal(numbers[labels.clip(0)], segmap.clip(0))
    np.testing.assert_array_equal(labels == UNSEEN, segmap < 0)
    near = rim(labels, grow)
    assert not near[labels != 0].any()
    shares = {k: np.array([0.5, 0.25, 0.25, 0]) for k in with_votes}
    classes = make_classes(labels, shares, near | (labels == UNSEEN))
    total = classes.sum(axis=0)
    assert set(np.unique(total)) <= {0.0, 1.0}
    np.testing.assert_array_equal(classes[BACKGROUND] == 1, (labels == 0) & ~near)
    np.testing.assert_array_equal(total > 0, (labels == 0) & ~near | np.isin(labels, [*with_votes]))


@given(SEGMAPS, st.permutations([5, 9, 1000]))
def test_the_numbers_of_segments_mean_nothing(segmap, numbers):
    if not (segmap > 0).any():
        return
    other = segmap.copy()
    for before, after in zip((5, 9, 1000), numbers, strict=True):
        other[segmap == before] = after
    x, y = np.array([3.0, 8.0]), np.array([4.0, 2.0])
    (a, names), (b, others) = compact_labels(segmap), compact_labels(other)
    found, ambiguous = match_segments(x, y, a, 0)
    again, same = match_segments(x, y, b, 0)
    to = dict(zip((0, 5, 9, 1000), (0, *numbers), strict=True))
    assert [to[int(n)] for n in names[found]] == others[again].tolist()
    np.testing.assert_array_equal(ambiguous, same)


def test_maps_in_other_types():
    segmap = np.array([[0, 4], [2, -1]])
    for dtype in (np.int64, np.float32, np.float64, ">i2"):
        labels, numbers = compact_labels(segmap.astype(dtype))
        assert labels.tolist() == [[0, 2], [1, -1]]
        assert numbers.tolist() == [0, 2, 4]
    assert compact_labels(np.array([[0, np.nan, 3.0]]))[0].tolist() == [[0, -1, 1]]
    with pytest.raises(OptionError, match="whole numbers"):
        compact_labels(np.array([[0, 0.5]]))
    with pytest.raises(OptionError, match="no source"):
        compact_labels(np.array([[0, -1]]))


def test_positions_find_their_segments():
    labels = np.zeros((20, 30), np.int32)
    labels[2:6, 2:6], labels[2:6, 15:20], labels[12:16, 20:25] = 1, 2, 3
    #    inside 1,  near 2, inside 3 twice, far from all, near 1 (taken), not in the image
    x = np.array([3.0, 13.0, 22, 23, 5, 7, np.nan, -40])
    y = np.array([3.0, 4.0, 13, 14, 18, 4, 3, 3])
    segments, ambiguous = match_segments(x, y, labels, 3)
    assert segments.tolist() == [1, 2, 0, 0, 0, 0, 0, 0]
    assert np.flatnonzero(ambiguous).tolist() == [2, 3]
    assert match_segments(x, y, labels, 1.5)[0].tolist() == [1, 0, 0, 0, 0, 0, 0, 0]


@given(st.floats(0, 99), st.integers(1, 100), st.integers(1, 64))
def test_examples_hold_their_source(x, length, size):
    x = min(x, length - 1)
    _, column = corner_of(x, 0.0, size, (1, length))
    assert column <= round(x) < column + size
    if length >= size:
        assert 0 <= column <= length - size
    else:
        assert column == (length - size) // 2


@settings(max_examples=200)
@given(
    st.lists(st.integers(-5, 2**62), min_size=1, max_size=60),
    st.floats(0, 1),
    st.integers(0, 5),
)
def test_a_split_never_splits_a_cell(cells, share, seed):
    cells = np.array(cells)
    train, validation = split_examples(cells, share, seed)
    assert sorted([*train, *validation]) == list(range(len(cells)))
    assert not set(cells[train]) & set(cells[validation])
    names, counts = np.unique(cells, return_counts=True)
    if 0 < share < 1 and len(names) > 1:
        assert len(train)
        assert len(validation)
        most = max(counts) if len(validation) > share * len(cells) else len(cells)
        assert len(validation) - share * len(cells) <= most
    order = np.random.default_rng(seed).permutation(len(cells))
    again = split_examples(cells[order], share, seed)[1]
    assert set(cells[order][again]) == set(cells[validation])


def test_a_split_has_about_the_share():
    cells = np.repeat(np.arange(200), 5)
    for seed in range(5):
        validation = split_examples(cells, 0.1, seed)[1]
        assert len(validation) == 100
    assert set(split_examples(cells, 0.1, 0)[1]) != set(split_examples(cells, 0.1, 1)[1])
    for share in (-0.1, 1.1, np.nan):
        with pytest.raises(OptionError, match="share"):
            split_examples(cells, share)
    with pytest.raises(OptionError, match="list of integers"):
        split_examples(cells / 2, 0.1)
