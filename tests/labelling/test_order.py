"""Who is asked what: numbers by hand, and what must always hold."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from morpheus.errors import OptionError
from morpheus.labelling import Panel, active_scores

SURE, UNSURE = [1.0, 0, 0, 0], [0.25, 0.25, 0.25, 0.25]


def test_scores_by_hand():
    none = np.zeros((1, 4))
    assert active_scores(np.array([SURE]), none) == pytest.approx([0])
    assert active_scores(np.array([UNSURE]), none) == pytest.approx([1])
    # One vote against a sure model: q = (2/3, 1/3), and the divergence is the largest there is.
    entropy = -(2 / 3 * np.log(2 / 3) + 1 / 3 * np.log(1 / 3)) / np.log(4)
    other = active_scores(np.array([SURE]), np.array([[0, 1.0, 0, 0]]))
    assert other == pytest.approx([(entropy + 1) / np.sqrt(2)])
    # Three votes with it: nothing is to be learnt.
    assert active_scores(np.array([SURE]), np.array([[3.0, 0, 0, 0]])) == pytest.approx([0])


def test_what_the_model_does_not_know_is_even():
    unknown = np.array([[np.nan] * 4, [0.0] * 4])
    assert active_scores(unknown, np.zeros((2, 4))) == pytest.approx([1, 1])


@given(
    arrays(float, (5, 4), elements=st.floats(0, 1)),
    arrays(float, (5, 4), elements=st.floats(0, 20)),
)
def test_scores_are_finite_and_bounded(shares, votes):
    scores = active_scores(shares, votes)
    assert np.isfinite(scores).all()
    assert ((scores >= 0) & (scores <= 2)).all()


def test_disagreement_comes_first(panel, store, sources):
    for name in ("spheroid", "irregular", "point_source"):
        sources[f"p_{name}"] = 0.0
    sources["p_disk"] = 1.0
    store.vote("Ben", 7, "spheroid", "a")  # against the model
    store.vote("Ben", 8, "disk", "b")
    assert panel.next("Ann")["source"]["id"] == 7


def test_an_answer_that_names_no_class_counts_too(panel, store, sources):
    for name in ("spheroid", "disk", "irregular", "point_source"):
        sources[f"p_{name}"] = 0.25
    store.vote("Ben", 1, "no_source", "a")
    store.vote("Ben", 2, "unknown", "b")
    assert panel.next("Ann")["source"]["id"] == 3  # as many doubts, and no vote yet
    sources["p_disk"], sources["p_spheroid"] = 1.0, 0.0
    sources["p_irregular"] = sources["p_point_source"] = 0.0
    sure = Panel(store, ("Ann",), sources)
    assert sure.next("Ann")["source"]["id"] == 1  # the model was sure of a disk


@pytest.mark.parametrize("order", ["active", "random"])
def test_everybody_is_asked_everything_once(store, sources, order):
    panel = Panel(store, ("Ann", "Ben"), sources, order)
    seen = {"Ann": [], "Ben": []}
    for turn in range(len(sources)):
        for voter, found in seen.items():
            asked = panel.next(voter)
            assert asked["progress"] == {"voted": turn, "total": len(sources)}
            found.append(asked["source"]["id"])
            panel.vote(voter, found[-1], "disk", f"{voter}{turn}")
    for voter, found in seen.items():
        assert sorted(found) == list(sources["id"])
        assert panel.next(voter)["source"] is None
    if order == "random":
        assert seen["Ann"] != seen["Ben"]
        again = Panel(store, ("Ann",), sources, order, seed=1)
        assert again.next("Ann")["source"] is None


def test_nothing_of_others_or_the_model_is_told(panel):
    panel.vote("Ben", 5, "irregular", "a")
    asked = panel.next("Ann")
    assert set(asked) == {"source", "answer", "progress"}
    assert set(asked["source"]) == {"id", "x", "y", "x_min", "x_max", "y_min", "y_max"}
    assert asked["answer"] is None


def test_back_gives_the_own_last_vote(panel):
    assert panel.back("Ann") == panel.next("Ann")
    panel.vote("Ann", 5, "irregular", "a")
    panel.vote("Ben", 6, "disk", "b")
    back = panel.back("Ann")
    assert (back["source"]["id"], back["answer"]) == (5, "irregular")


def test_back_stays_within_the_panel_s_sources(store, sources):
    whole, few = Panel(store, ("Ann",), sources), Panel(store, ("Ann",), sources[:6])
    for number, (source, answer) in enumerate(((2, "disk"), (5, "irregular"), (2, "unknown"))):
        whole.vote("Ann", source, answer, f"a{number}")
    whole.vote("Ann", 9, "spheroid", "b")  # not one of the few
    assert whole.back("Ann")["source"]["id"] == 9
    back = few.back("Ann")
    assert (back["source"]["id"], back["answer"]) == (2, "unknown")
    assert back["progress"] == {"voted": 2, "total": 6}


def test_what_a_panel_refuses(store, sources):
    for voters in ((), ("",), ("  ",), ("x" * 101,), ("A\nB",), ("\udcff",)):
        with pytest.raises(OptionError, match="who votes"):
            Panel(store, voters, sources)
    with pytest.raises(OptionError, match="named twice"):
        Panel(store, ("Ann", "Ann"), sources)
    with pytest.raises(OptionError, match="no sources"):
        Panel(store, ("Ann",), sources[:0])
    with pytest.raises(OptionError, match="it can be active, random"):
        Panel(store, ("Ann",), sources, "other")
    with pytest.raises(OptionError, match="'Cleo' is not of the panel: Ann"):
        Panel(store, ("Ann",), sources).next("Cleo")


def test_only_what_is_asked_is_answered(store, sources):
    panel = Panel(store, (" Ann ",), sources[:3])
    assert panel.voters == ("Ann",)  # a page's query has no space at its ends
    with pytest.raises(OptionError, match="not asked about a source 9"):
        panel.vote("Ann", 9, "disk", "a")
    assert store.votes() == []
