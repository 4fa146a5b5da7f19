"""Agreement, against published examples."""

import math
from itertools import pairwise

import numpy as np
import pytest

from morpheus.labelling import agreement, krippendorff_alpha

# Krippendorff (2011), Computing Krippendorff's Alpha-Reliability, section C: four observers, twelve
# units, five nominal values, with missing data; alpha = 0.743.
UNITS = [
    ("1", "1", "*", "1"),
    ("2", "2", "3", "2"),
    ("3", "3", "3", "3"),
    ("3", "3", "3", "3"),
    ("2", "2", "2", "2"),
    ("1", "2", "3", "4"),
    ("4", "4", "4", "4"),
    ("1", "1", "2", "1"),
    ("2", "2", "2", "2"),
    ("*", "5", "5", "5"),
    ("*", "*", "1", "1"),
    ("*", "*", "3", "*"),
]


def test_alpha_of_the_published_example():
    answers = [[value for value in unit if value != "*"] for unit in UNITS]
    assert krippendorff_alpha(answers) == pytest.approx(0.743, abs=5e-4)


def test_alpha_of_extremes():
    assert krippendorff_alpha([["disk"] * 3, ["spheroid"] * 2]) == 1
    assert math.isnan(krippendorff_alpha([["disk"], ["spheroid"]]))  # nothing to compare
    assert math.isnan(krippendorff_alpha([["disk"] * 3]))  # nothing to expect
    assert math.isnan(krippendorff_alpha([]))


def test_alpha_of_chance_is_nothing():
    rng = np.random.default_rng(2)
    answers = rng.choice(["a", "b", "c"], (20_000, 3), p=[0.6, 0.3, 0.1]).tolist()
    assert krippendorff_alpha(answers) == pytest.approx(0, abs=0.02)


def test_kappa_of_the_textbook_table():
    # 50 cases: both yes 20, only the first 5, only the second 10, both no 15; observed 0.7,
    # expected 0.5 * 0.6 + 0.5 * 0.4 = 0.5, kappa 0.4.
    table = [("disk", "disk")] * 20 + [("disk", "irregular")] * 5
    table += [("irregular", "disk")] * 10 + [("irregular", "irregular")] * 15
    votes = [
        vote
        for source, (a, b) in enumerate(table)
        for vote in (("Ann", source, a), ("Ben", source, b))
    ]
    (pair,) = agreement([*votes, ("Ann", 99, "disk")]).pairs
    assert (pair.first, pair.second, pair.n) == ("Ann", "Ben", 50)
    assert pair.share == pytest.approx(0.7)
    assert pair.kappa == pytest.approx(0.4)


def test_sources_and_voters():
    votes = [("Ann", 1, "disk"), ("Ben", 1, "spheroid"), ("Cleo", 2, "disk"), ("Ann", 2, "disk")]
    found = agreement(votes)
    assert list(found.sources["id"]) == [1, 2]
    assert list(found.sources["entropy"]) == pytest.approx([math.log(2), 0])
    assert list(found.sources["majority"]) == ["", "disk"]
    assert found.n_votes == {"Ann": 2, "Ben": 1, "Cleo": 1}
    assert [pair.n for pair in found.pairs] == [1, 1, 0]
    assert math.isnan(found.pairs[2].share)
    assert [p.first <= q.first for p, q in pairwise(found.pairs)]
    empty = agreement([])
    assert len(empty.sources) == 0
    assert empty.pairs == ()
