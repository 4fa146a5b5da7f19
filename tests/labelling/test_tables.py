"""Votes as the table that training and evaluation read."""

import numpy as np
import pytest
from astropy.table import Table

from morpheus.dataset import read_votes
from morpheus.errors import OptionError
from morpheus.labelling import VoteStore, vote_table
from morpheus.labelling.store import SHARES

VOTES = {
    2: ["disk", "disk", "spheroid"],
    5: ["unknown", "no_source", "irregular", "irregular"],
    9: ["no_source"],
}


@pytest.fixture
def voted(store):
    for source, answers in VOTES.items():
        for i, answer in enumerate(answers):
            store.vote(f"voter {i}", source, answer, f"{source}-{i}")
    return store


def test_votes_are_counted(voted, sources):
    table = vote_table(voted)
    assert list(table["id"]) == [2, 5, 9]
    assert list(table["disk"]) == [2, 0, 0]
    assert list(table["spheroid"]) == [1, 0, 0]
    assert list(table["unknown"]) == [0, 2, 1]
    assert list(table["no_source"]) == [0, 1, 1]
    assert list(table["n_experts"]) == [3, 4, 1]
    assert np.array_equal(table["ra"], sources["ra"][[1, 4, 8]])
    assert table["ra"].unit == "deg"


@pytest.mark.parametrize("suffix", ["csv", "ecsv", "fits", "vot"])
def test_they_are_read_as_labels(voted, tmp_path, suffix):
    path = tmp_path / f"votes.{suffix}"
    formats = {"csv": "ascii.csv", "ecsv": "ascii.ecsv", "fits": "fits", "vot": "votable"}
    vote_table(voted).write(path, format=formats[suffix])
    read = read_votes(path)
    assert list(read["id"]) == [2, 5, 9]
    assert read["disk"][0] == pytest.approx(2 / 3)
    assert list(read["unknown"]) == pytest.approx([0, 0.5, 1])
    assert list(read["n_experts"]) == [3, 4, 1]
    assert read["irregular"][1] == pytest.approx(1)
    assert np.isnan(read["disk"][2])  # nobody named a class


def test_imported_votes_are_added_by_how_many_gave_them(voted):
    shares = Table({name: [0.0, 0.0] for name in SHARES})
    shares["disk"], shares["unknown"] = [0.8, 0.0], [0.2, 1.0]
    shares["n_experts"] = [5, 0]
    voted.add_panel("K15", [2, 7], shares)
    table = vote_table(voted)
    assert list(table["id"]) == [2, 5, 7, 9]
    assert list(table["disk"]) == [6, 0, 0, 0]
    assert list(table["unknown"]) == [1, 2, 1, 1]
    assert list(table["n_experts"]) == [8, 4, 1, 1]
    assert list(vote_table(voted, imported=False)["id"]) == [2, 5, 9]
    voted.add_panel("K15", [2], shares[:1])  # replaced
    assert len(voted.panels()) == 1


def test_without_positions_on_the_sky(tmp_path, sources):
    sources["ra"] = np.nan
    store = VoteStore.of_field(tmp_path / "v.sqlite", sources, "digest")
    store.vote("Ann", 1, "disk", "a")
    assert "ra" not in vote_table(store).colnames


def test_no_votes(store):
    with pytest.raises(OptionError, match="holds no votes yet"):
        vote_table(store)
