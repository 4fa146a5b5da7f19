"""Agreement, against published examples."""

import math
from itertools import pairwise

import numpy as np
import pytest
from astropy.table import Table

from morpheus.labelling import agreement, krippendorff_alpha
from morpheus.labelling.store import SHARES

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


# Artstein & Poesio (2008), Inter-Coder Agreement for Computational Linguistics, table 1: two
# coders, 100 items, two values; observed agreement 0.7, kappa 0.348.
CODERS = (
    [("disk", "disk")] * 20
    + [("disk", "irregular")] * 20
    + [("irregular", "disk")] * 10
    + [("irregular", "irregular")] * 50
)
VOTES = [
    (name, source, answer)
    for source, pair in enumerate(CODERS)
    for name, answer in zip(("Ann", "Ben"), pair, strict=True)
]


def imported(panel, shares):
    """What `VoteStore.panels` gives: shares of the answers by source."""
    return Table(
        rows=[(panel, source, *(one.get(n, 0.0) for n in SHARES), 1) for source, one in shares],
        names=("panel", "source", *SHARES, "n_experts"),
    )


def test_kappa_of_the_published_example():
    (pair,) = agreement([*VOTES, ("Ann", 999, "disk")]).pairs
    assert (pair.first, pair.second, pair.n) == ("Ann", "Ben", 100)
    assert pair.share == pytest.approx(0.7)
    assert pair.kappa == pytest.approx(0.348, abs=5e-4)


def test_a_table_with_one_answer_for_each_source_is_as_a_voter():
    tables = imported("K15", [(source, {b: 1.0}) for source, (_, b) in enumerate(CODERS)])
    ann, ben = agreement(VOTES, tables).with_tables
    assert (ann.first, ann.second, ann.n) == ("Ann", "K15", 100)
    assert ann.share == pytest.approx(0.7)
    assert ann.kappa == pytest.approx(0.348, abs=5e-4)
    assert (ben.share, ben.kappa) == (1, pytest.approx(1))


def test_shares_of_a_table_count_by_how_large_they_are():
    # Of Ann's answers the table has 0.6, 0.6 and 0.5; it cannot say that there is no source. Of
    # hers 2/3 are disk and 1/3 unknown, of the table's 0.5 and 1.4 / 3.
    tables = imported(
        "K15",
        [
            (1, {"disk": 0.6, "spheroid": 0.1, "unknown": 0.3}),
            (2, {"disk": 0.4, "unknown": 0.6}),
            (3, {"disk": 0.5, "unknown": 0.5}),
            (8, {"disk": 1.0}),
        ],
    )
    votes = [("Ann", 1, "disk"), ("Ann", 2, "no_source"), ("Ann", 3, "disk"), ("Ann", 9, "disk")]
    (pair,) = agreement(votes, tables).with_tables
    share, chance = 1.7 / 3, 2 / 3 * 0.5 + 1 / 3 * 1.4 / 3
    assert pair.n == 3
    assert pair.share == pytest.approx(share)
    assert pair.kappa == pytest.approx((share - chance) / (1 - chance))


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
