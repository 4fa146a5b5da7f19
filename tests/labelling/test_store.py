"""Votes: each once, the last counts, none is lost, and no file is taken for another."""

import sqlite3
import subprocess
import sys

import numpy as np
import pytest

from morpheus.errors import OptionError, ProductError
from morpheus.labelling import VoteStore


def test_the_last_vote_of_a_voter_counts_and_the_first_is_kept(store):
    store.vote("Ann", 3, "disk", "a")
    store.vote("Ben", 3, "spheroid", "b")
    store.vote("Ann", 3, "irregular", "c")
    assert store.votes() == [("Ben", 3, "spheroid"), ("Ann", 3, "irregular")]
    rows = sqlite3.connect(store.path).execute("SELECT answer FROM votes").fetchall()
    assert rows == [("disk",), ("spheroid",), ("irregular",)]


def test_the_same_token_is_the_same_vote(store):
    for _ in range(3):
        store.vote("Ann", 3, "disk", "token")
    for voter, source, answer in (("Ann", 4, "disk"), ("Ben", 3, "disk"), ("Ann", 3, "unknown")):
        with pytest.raises(OptionError, match="another vote had this token"):
            store.vote(voter, source, answer, "token")
    assert store.votes() == [("Ann", 3, "disk")]


def test_sources_and_answers_are_known_ones(store):
    with pytest.raises(OptionError, match="'star' is no answer; there are spheroid"):
        store.vote("Ann", 3, "star", "a")
    with pytest.raises(OptionError, match="no source 99"):
        store.vote("Ann", 99, "disk", "b")
    assert store.votes() == []


def test_text_is_only_text(store):
    name = "Robert'); DROP TABLE votes;--"
    store.vote(name, 1, "disk", "a'b")
    assert store.votes() == [(name, 1, "disk")]


def test_sources_come_back_without_positions_too(tmp_path, sources):
    sources["ra"][2] = np.nan
    store = VoteStore.of_field(tmp_path / "other.sqlite", sources, "digest")
    found = store.sources()
    assert np.array_equal(found["id"], sources["id"])
    for name in ("ra", "dec", "x", "y"):
        assert np.array_equal(found[name], sources[name], equal_nan=True)


def test_a_file_is_of_one_segmentation_map(store, sources):
    VoteStore.of_field(store.path, sources, "digest")
    with pytest.raises(ProductError, match="another segmentation map"):
        VoteStore.of_field(store.path, sources, "other")


def test_no_other_file_is_touched(tmp_path, sources):
    text = tmp_path / "notes.txt"
    text.write_text("not votes\n" * 200)
    with pytest.raises(ProductError, match=r"cannot write votes to .*notes\.txt"):
        VoteStore.of_field(text, sources, "digest")
    assert text.read_text() == "not votes\n" * 200
    other = tmp_path / "other.db"
    with sqlite3.connect(other) as database:
        database.execute("CREATE TABLE mine (a)")
    database.close()
    before = other.read_bytes()
    with pytest.raises(ProductError, match="holds no votes of this version"):
        VoteStore.of_field(other, sources, "digest")
    assert other.read_bytes() == before


def test_a_folder_that_is_not_there(tmp_path, sources):
    with pytest.raises(ProductError, match="cannot write votes"):
        VoteStore.of_field(tmp_path / "none" / "votes.sqlite", sources, "digest")


def test_a_file_that_has_gone_is_not_begun_again(store):
    store.path.unlink()
    with pytest.raises(ProductError, match="cannot use the votes in"):
        store.vote("Ann", 1, "disk", "a")
    assert not store.path.exists()


def test_votes_are_read_while_another_writes(store, sources, monkeypatch):
    store.vote("Ann", 3, "disk", "a")
    monkeypatch.setattr("morpheus.labelling.store._WAIT", 0.0)
    writer = sqlite3.connect(store.path)
    writer.execute("BEGIN IMMEDIATE")
    assert VoteStore.of_field(store.path, sources, "digest").votes() == [("Ann", 3, "disk")]
    writer.close()


def test_a_write_that_failed_says_so(store):
    with sqlite3.connect(store.path) as database:
        database.execute("DROP TABLE votes")
    database.close()
    with pytest.raises(ProductError, match="cannot use the votes in"):
        store.vote("Ann", 1, "disk", "a")


MANY = """
import sys, uuid
from pathlib import Path
from morpheus.labelling import VoteStore
store = VoteStore(Path(sys.argv[1]))
for number in range(40):
    store.vote(sys.argv[2], 1 + number % 12, "disk", str(uuid.uuid4()))
"""


def test_several_processes_write_and_nothing_is_lost(store):
    processes = [
        subprocess.Popen([sys.executable, "-c", MANY, str(store.path), f"voter {i}"])
        for i in range(3)
    ]
    assert [process.wait() for process in processes] == [0, 0, 0]
    with sqlite3.connect(store.path) as database:
        assert database.execute("SELECT COUNT(*) FROM votes").fetchone() == (120,)
    database.close()
    assert len(store.votes()) == 36
