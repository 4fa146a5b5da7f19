"""Tables of votes."""

import numpy as np
import pytest
from astropy.table import Table
from hypothesis import given
from hypothesis import strategies as st

from morpheus.dataset.layout import SOURCE_CLASSES
from morpheus.dataset.votes import GALAXY_ZOO_SHARES, read_votes
from morpheus.errors import OptionError

NAMES = (*SOURCE_CLASSES, "unknown")


def table(*rows, names=NAMES, **columns):
    made = Table(rows=[tuple(map(float, row)) for row in rows], names=names)
    for name, values in columns.items():
        made[name] = values
    return made


def shares(votes):
    return np.array([votes[name] for name in SOURCE_CLASSES]).T


@given(
    st.lists(
        st.lists(st.floats(0, 1e6, allow_subnormal=False), min_size=5, max_size=5),
        min_size=1,
        max_size=5,
    )
)
def test_shares_of_those_who_named_a_class_add_up_to_one(rows):
    if not any(map(any, rows)):
        return
    votes = read_votes(table(*rows))
    assert len(votes) + votes.meta["no_answer"] == len(rows)
    total = shares(votes).sum(axis=1)
    named = np.isfinite(total)
    np.testing.assert_allclose(total[named], 1)
    assert (np.asarray(votes["unknown"])[~named] == 1).all()


@pytest.mark.parametrize("factor", [1, 5, 100])
def test_counts_and_per_cent_are_the_same(factor):
    votes = read_votes(table([factor * v for v in (0.2, 0.4, 0, 0.2, 0.2)]))
    np.testing.assert_allclose(shares(votes), [[0.25, 0.5, 0, 0.25]])
    assert votes["unknown"][0] == pytest.approx(0.2)


def test_rows_without_an_answer_are_dropped_and_counted():
    votes = read_votes(table((1, 0, 0, 0, 0), (0,) * 5, (np.nan,) * 5, id=["a", "b", "c"]))
    assert list(votes["id"]) == ["a"]
    assert votes.meta["no_answer"] == 2


@pytest.mark.parametrize(("value", "said"), [(-1, "-1"), (np.nan, "no number"), (np.inf, "inf")])
def test_wrong_votes_are_refused_with_their_row(value, said):
    with pytest.raises(OptionError, match=f"row 2 of the labels has {said} in the column disk"):
        read_votes(table((1, 0, 0, 0, 0), (1, value, 0, 0, 0)))


@pytest.mark.parametrize("suffix", ["csv", "fits", "ecsv", "vot"])
def test_files_and_named_columns(tmp_path, suffix):
    names = "a", "b", "c", "d"
    made = table((1, 2, 1, 0), names=names, n=[4], ALPHA=[53.0], DELTA=[-27.0], who=["s1"])
    path = tmp_path / f"votes.{suffix}"
    made.write(path, **({"format": "votable"} if suffix == "vot" else {}))
    columns = dict(zip(SOURCE_CLASSES, names, strict=True))
    columns |= {"n_experts": "n", "ra": "ALPHA", "dec": "DELTA", "id": "who"}
    votes = read_votes(path, columns)
    np.testing.assert_allclose(shares(votes), [[0.25, 0.5, 0.25, 0]])
    assert (str(votes["id"][0]), votes["n_experts"][0]) == ("s1", 4)
    assert (votes["ra"][0], votes["dec"][0]) == (53, -27)


def test_short_names_and_classes():
    names = "f_Sph", "f_Disk", "f_Irr", "f_PS", "f_Unc"
    votes = read_votes(table((0.5, 1, 0.5, 0, 2), names=names))
    np.testing.assert_allclose(shares(votes), [[0.25, 0.5, 0.25, 0]])
    assert votes["unknown"][0] == 0.5
    votes = read_votes(Table({"class": ["Point source", "galaxy", "disk"]}))
    np.testing.assert_array_equal(shares(votes), [[0, 0, 0, 1], [0, 1, 0, 0]])
    assert list(votes["id"]) == [1, 3]


@pytest.mark.parametrize(
    ("made", "columns", "message"),
    [
        (Table({"a": [1.0]}), {}, "the labels have no votes: .* there are a"),
        (Table({"disk": [1.0]}), {}, "no column for spheroid, irregular, point_source"),
        (table((1, 0, 0, 0, 0)), {"disk": "f"}, "no column f; they have spheroid, disk"),
        (table((1, 0, 0, 0, 0)), {"bulge": "f"}, "bulge is no column .* known are spheroid"),
        (table((1, 0, 0, 0, 0)), {"ra": "disk"}, "one of ra and dec"),
        (table((0, 0, 0, 0, 0)), {}, "none of the 1 rows of the labels has votes"),
        (
            Table({"gz_smooth": [1.0], "gz_feat": [0.0], "gz_star": [0.0]}),
            {},
            "read with --votes galaxy-zoo",
        ),
    ],
)
def test_unusable_tables_are_refused(made, columns, message):
    with pytest.raises(OptionError, match=message):
        read_votes(made, columns)


@pytest.mark.parametrize("weighted", ["", "_weighted"])
def test_galaxy_zoo_answers_become_shares(weighted):
    names = [
        f"t00_smooth_or_featured_{one}{weighted}_frac"
        for one in ("a0_smooth", "a1_features", "a2_artifact")
    ]
    votes = read_votes(table((1, 0, 0), (0, 0.5, 0.5), names=names), kind="galaxy-zoo")
    rule = np.array(list(GALAXY_ZOO_SHARES.values()))
    np.testing.assert_allclose(rule.sum(axis=1), 1)
    np.testing.assert_allclose(shares(votes), [rule[0], (rule[1] + rule[2]) / 2])


def test_the_votes_of_goods_south(shared):
    votes = read_votes(shared / "real/goodss_votes.csv", {"id": "kartaltepe_id"})
    assert len(votes) == 7628
    named = np.isfinite(votes["disk"])
    assert named.sum() == 7628 - 82
    majority = np.bincount(shares(votes)[named].argmax(axis=1), minlength=4)
    np.testing.assert_allclose(majority / len(votes), [0.26, 0.56, 0.12, 0.05], atol=0.02)


def test_the_rule_for_galaxy_zoo_is_the_one_that_fits(shared):
    """What docs/datasets.md says of it; benchmarks/votes.py prints the whole table."""
    path = shared / "real/goodss_votes.csv"
    experts = read_votes(path, {"id": "kartaltepe_id"})
    experts = experts[(experts["unknown"] <= 0.5) & np.isfinite(experts["disk"])]
    zoo = read_votes(path, {"id": "kartaltepe_id"}, kind="galaxy-zoo")
    _, here, there = np.intersect1d(experts["id"], zoo["id"], return_indices=True)
    votes, found = shares(experts)[here], shares(zoo)[there]
    assert len(votes) == 7424
    chosen = votes[np.arange(len(votes)), found.argmax(axis=1)]
    assert (chosen == votes.max(axis=1)).mean() == pytest.approx(0.630, abs=0.001)
    entropy = -(votes * np.log(np.maximum(found, 1e-3))).sum(axis=1).mean()
    assert entropy == pytest.approx(1.115, abs=0.001)
