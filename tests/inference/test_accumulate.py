"""Accumulators against sums worked out window by window, in any order and grouping."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from morpheus.errors import ModelError
from morpheus.inference.accumulate import Accumulator

N_CLASSES = 3


def random_probabilities(rng, shape):
    p = rng.random(shape).astype(np.float32) ** 3
    return p / p.sum(axis=1, keepdims=True)


@st.composite
def runs(draw):
    """Runs of windows somewhere in a 20 x 30 image: (probabilities, y, x, step)."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    size = draw(st.integers(1, 6))
    result = []
    for _ in range(draw(st.integers(1, 6))):
        step = draw(st.integers(1, 7))
        count = draw(st.integers(1, min(5, (30 - size) // step + 1)))
        y = draw(st.integers(0, 20 - size))
        x = draw(st.integers(0, 30 - size - (count - 1) * step))
        p = random_probabilities(rng, (count, N_CLASSES, size, size))
        result.append((p, y, x, step))
    return result


def added(pieces):
    accumulator = Accumulator.zeros(N_CLASSES, 20, 30)
    for piece in pieces:
        accumulator.add(*piece)
    return accumulator


def same(a, b):
    return all(np.array_equal(getattr(a, k), getattr(b, k)) for k in vars(a))


@settings(deadline=None)
@given(runs(), st.data())
def test_statistics_are_those_of_the_list_of_windows(pieces, data):
    mask = np.random.default_rng(data.draw(st.integers(0, 99))).random((20, 30)) < 0.2
    found = added(pieces).statistics(mask)
    seen = {}
    for p, y, x, step in pieces:
        for k, window in enumerate(p):
            for i in range(window.shape[1]):
                for j in range(window.shape[2]):
                    seen.setdefault((y + i, x + j + k * step), []).append(window[:, i, j])
    for y in range(20):
        for x in range(30):
            values = np.array(seen.get((y, x), []), np.float64)
            if mask[y, x] or not len(values):
                assert found.n[y, x] == 0
                assert np.isnan(found.mean[:, y, x]).all()
                assert np.isnan(found.variance[:, y, x]).all()
                assert np.isnan(found.votes[:, y, x]).all()
                continue
            assert found.n[y, x] == len(values)
            np.testing.assert_allclose(found.mean[:, y, x], values.mean(axis=0), atol=4e-7)
            np.testing.assert_allclose(found.variance[:, y, x], values.var(axis=0), atol=1e-6)
            votes = np.bincount(values.argmax(axis=1), minlength=N_CLASSES) / len(values)
            np.testing.assert_allclose(found.votes[:, y, x], votes, atol=1e-6)


@settings(deadline=None)
@given(runs(), st.randoms())
def test_order_and_grouping_make_no_difference(pieces, random):
    whole = added(pieces)
    singles = [
        (p[k : k + 1], y, x + k * step, 1) for p, y, x, step in pieces for k in range(len(p))
    ]
    random.shuffle(singles)
    cut = random.randint(0, len(singles))
    merged = added(singles[cut:])
    merged.merge(added(singles[:cut]))
    assert same(whole, merged)


def test_merge_at_an_offset():
    rng = np.random.default_rng(0)
    p = random_probabilities(rng, (2, N_CLASSES, 4, 4))
    whole, part = Accumulator.zeros(N_CLASSES, 20, 30), Accumulator.zeros(N_CLASSES, 4, 6)
    whole.add(p, 7, 11, 2)
    part.add(p, 0, 0, 2)
    moved = Accumulator.zeros(N_CLASSES, 20, 30)
    moved.merge(part, 7, 11)
    assert same(whole, moved)


def test_counts_do_not_wrap():
    # 900 votes and more, where the original's counters would have wrapped at 255
    accumulator = Accumulator.zeros(N_CLASSES, 1, 1)
    p = np.tile(np.array([0.7, 0.2, 0.1], np.float32)[:, None, None], (1, 1, 1))[None]
    for _ in range(70_000):
        accumulator.add(p, 0, 0, 1)
    found = accumulator.statistics()
    assert found.n[0, 0] == 70_000
    np.testing.assert_allclose(found.mean[:, 0, 0], [0.7, 0.2, 0.1], atol=3e-7)
    np.testing.assert_allclose(found.votes[:, 0, 0], [1, 0, 0])
    np.testing.assert_allclose(found.variance[:, 0, 0], 0, atol=1e-12)


def test_small_variances_survive():
    accumulator = Accumulator.zeros(1, 1, 1)
    values = np.float32(0.999) + np.float32(1e-4) * np.array([-1, 1], np.float32)
    for value in values:
        accumulator.add(value.reshape(1, 1, 1, 1), 0, 0, 1)
    assert accumulator.statistics().variance[0, 0, 0] == pytest.approx(1e-8, rel=0.02)


def test_a_tie_is_one_vote_for_the_first_class():
    accumulator = Accumulator.zeros(N_CLASSES, 1, 2)
    p = np.array([[[[0.4, 0.2]], [[0.2, 0.4]], [[0.4, 0.4]]]], np.float32)
    accumulator.add(p, 0, 0, 1)
    assert np.array_equal(accumulator.votes[:, 0], [[1, 0], [0, 1], [0, 0]])


def test_votes_add_up():
    rng = np.random.default_rng(0)
    accumulator = Accumulator.zeros(N_CLASSES, 20, 30)
    accumulator.add(random_probabilities(rng, (9, N_CLASSES, 8, 8)), 3, 4, 2)
    assert np.array_equal(accumulator.votes.sum(axis=0), accumulator.n)


def test_a_network_that_gives_no_number_is_an_error():
    p = np.full((1, N_CLASSES, 2, 2), np.nan, np.float32)
    with pytest.raises(ModelError, match="not a number"):
        Accumulator.zeros(N_CLASSES, 2, 2).add(p, 0, 0, 1)
