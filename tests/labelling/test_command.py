"""`morpheus label` without its page: import, export, agreement, training on it, and mistakes."""

from dataclasses import replace

import numpy as np
import pytest
from astropy.table import Table

from morpheus.errors import OptionError
from morpheus.labelling import VoteStore, agreement
from morpheus.labelling.store import SHARES
from morpheus.model import load_model
from morpheus.model.config import DenseConfig, WindowRecipe
from morpheus.pipeline import run
from morpheus.pipeline.voting import Chosen, open_votes
from morpheus.train import (
    DataOptions,
    ModelOptions,
    OptimiserOptions,
    TrainOptions,
    ValidationOptions,
)

from .conftest import BANDS, DEMO


@pytest.fixture
def voted(out):
    """A run of which two people have said what they see; they differ on some sources."""
    opened = open_votes(out)
    for i, row in enumerate(opened.catalog.table):
        for name in ("Ann", "Ben"):
            answer = str(row["class"]) if name == "Ann" or i % 5 else "unknown"
            opened.store.vote(name, int(row["id"]), answer, f"{name}{i}")
    return out


def test_votes_train_a_model(voted, command, tmp_path):
    votes = tmp_path / "votes.csv"
    code, text, error = command("label", voted, "--export", votes)
    assert (code, error) == (0, "")
    assert text == f"{votes}: votes on {len(Table.read(votes))} sources\n"
    bands = [
        word for band in BANDS for word in ("--band", f"{band}={DEMO / band.lower()}_sci.fits.fz")
    ]
    code, _, error = command(
        *(
            "dataset",
            "build",
            *bands,
            "--segmap",
            f"{voted / 'segmap.fits'}[SEGMAP]",
            "--labels",
            votes,
        ),
        *("--size", 64, "--cell", 4, "-o", tmp_path / "mine.zarr", "-q"),
    )
    assert (code, error) == (0, "")
    options = TrainOptions(
        name="mine",
        data=(DataOptions(str(tmp_path / "mine.zarr")),),
        model=ModelOptions(network=DenseConfig(widths=(8, 16)), window=WindowRecipe(64, 16, 32)),
        optimiser=OptimiserOptions(epochs=1, steps=4, batch=4, crop=64, warmup=2),
        validation=ValidationOptions(share=0.4, examples=8),
    )
    (tmp_path / "config.toml").write_text(options.to_toml())
    code, _, error = command(
        *("train", tmp_path / "config.toml", "-o", tmp_path / "run", "-q"),
        *("--accelerator", "cpu", "--devices", 1),
    )
    assert (code, error) == (0, "")
    assert load_model(tmp_path / "run/model").config.name == "mine"


def test_agreement(voted, command, tmp_path):
    code, text, _ = command("label", voted, "--agreement")
    assert code == 0
    n = len(Table.read(voted / "catalog.fits", hdu=1))
    assert f"{n} sources; Ann: {n}, Ben: {n}" in text
    assert "Ann, Ben" in text
    assert f"{1 - len(range(0, n, 5)) / n:.2f}" in text
    assert "Most disagreement" in text
    assert "voter, table" not in text
    table = Table.read(voted / "catalog.fits", hdu=1)[["ra", "dec", "class"]]
    table[:7].write(tmp_path / "other.csv", format="ascii.csv")
    command("label", voted, "--import", tmp_path / "other.csv", "--panel", "[b]K15")
    code, text, _ = command("label", voted, "--agreement")
    assert code == 0
    (line,) = [line for line in text.splitlines() if "Ann, [b]K15" in line]
    assert [word.strip() for word in line.split("│")[2:4]] == ["7", "1.00"]


def test_votes_of_others_are_imported_by_position(out, command, tmp_path):
    table = Table.read(out / "catalog.fits", hdu=1)[["ra", "dec"]][:6]
    table["f_sph"], table["f_disk"] = [1.0, 0, 0.5, 0, 0, 0], [0.0, 1, 0.5, 0.5, 0, 0]
    table["f_irr"], table["f_ps"] = 0.0, [0.0, 0, 0, 0, 1, 0]
    table["f_unc"], table["n_experts"] = [0.0, 0, 0, 0.5, 0, 1], 4
    table["ra"][5] += 1  # elsewhere
    table.write(tmp_path / "k15.csv", format="ascii.csv")
    code, text, error = command("label", out, "--import", tmp_path / "k15.csv", "--panel", "K15")
    assert (code, error) == (0, "")
    assert text == "K15: 5 of 6 rows are sources of this field\n"
    command("label", out, "--export", tmp_path / "all.ecsv")
    found = Table.read(tmp_path / "all.ecsv")
    assert list(found["id"]) == [1, 2, 3, 4, 5]
    assert list(found["disk"]) == pytest.approx([0, 4, 2, 2, 0])
    assert list(found["unknown"]) == pytest.approx([0, 0, 0, 2, 0])
    assert list(found["n_experts"]) == [4] * 5
    code, _, error = command("label", out, "--export", tmp_path / "own.csv", "--own")
    assert code == 2
    assert "holds no votes yet" in error


def test_galaxy_zoo_is_reduced_by_the_documented_rule(out, command, tmp_path):
    table = Table.read(out / "catalog.fits", hdu=1)[["ra", "dec"]][:2]
    for name, values in {
        "smooth": [1.0, 0.0],
        "featured": [0.0, 1.0],
        "artifact": [0.0, 0.0],
    }.items():
        answer = {"smooth": "a0_smooth", "featured": "a1_features", "artifact": "a2_artifact"}[name]
        table[f"t00_smooth_or_featured_{answer}_weighted_frac"] = values
    table.write(tmp_path / "gz.csv", format="ascii.csv")
    done = command("label", out, "--import", tmp_path / "gz.csv", "--votes", "galaxy-zoo")
    assert done[:2] == (0, "gz.csv: 2 of 2 rows are sources of this field\n")
    panels = VoteStore(out / "votes.sqlite").panels()
    assert np.allclose(panels["spheroid"], [0.35, 0.0])
    assert np.allclose(panels["disk"], [0.65, 0.6])


def test_some_of_the_sources(out):
    catalog = open_votes(out).catalog
    table = catalog.table
    assert len(Chosen(faintest=24).of(catalog)) == (table["f160w_mag_kron"] <= 24).sum()
    assert len(Chosen(min_snr=20).of(catalog)) == (table["f160w_snr"] >= 20).sum()
    few = Chosen(n=5, seed=3).of(catalog)
    assert len(few) == 5
    assert list(few["id"]) == list(Chosen(n=5, seed=3).of(catalog)["id"])
    assert list(few["id"]) != list(Chosen(n=5, seed=4).of(catalog)["id"])
    with pytest.raises(OptionError, match="no sources to vote on"):
        Chosen().of(replace(catalog, table=catalog.table[:0]))


@pytest.mark.parametrize("file", [None, "other.sqlite"])
def test_who_only_asks_begins_no_votes(out, command, tmp_path, file):
    option = () if file is None else ("--votes-file", tmp_path / file)
    votes = out / "votes.sqlite" if file is None else tmp_path / file
    before = sorted(path.name for path in tmp_path.rglob("*"))
    for arguments in (("--agreement",), ("--export", tmp_path / "new.csv")):
        code, _, error = command("label", out, *arguments, *option)
        assert code == 2
        assert len(error.splitlines()) == 1
        assert f"there are no votes yet: {votes} is not there" in error
        assert "--panel NAME" in error
    assert sorted(path.name for path in tmp_path.rglob("*")) == before


def test_mistakes(out, command, tmp_path):
    votes = tmp_path / "votes.csv"
    votes.write_text("old")
    (tmp_path / "bad.sqlite").write_text("x" * 4000)
    far = tmp_path / "far.csv"
    far.write_text("ra,dec,class\n1,1,disk\n")
    for arguments, text in (
        ((out,), 'who votes? Give a name: --panel "S. Author"'),
        ((out, "--panel", " "), "who votes? Names have 1 to 100 letters"),
        ((out, "--panel", "A", "--order", "any"), "it can be active, random"),
        ((out, "--panel", "A", "--faintest", "3"), "sources is within these limits"),
        ((out, "--panel", "A", "--sources", far), "none of the 1 rows of"),
        ((tmp_path, "--panel", "A"), "holds no catalogue"),
        ((tmp_path / "none", "--panel", "A"), "holds no catalogue"),
        ((out, "--export", votes), "would be overwritten"),
        ((out, "--export", tmp_path / "votes.xls"), ".csv, .ecsv, .fits, .vot"),
        ((out, "--agreement", "--export", tmp_path / "new.csv"), "separate commands"),
        ((out, "--import", tmp_path / "none.csv"), "none.csv"),
        ((out, "--import", far), "none of the 1 rows of the votes is at a source"),
        ((out, "--panel", "A", "--votes-file", tmp_path / "bad.sqlite"), "cannot write votes"),
    ):
        code, _, error = command("label", *arguments)
        assert code == 2, arguments
        assert text in error, arguments
        assert len(error.splitlines()) == 1
    assert votes.read_text() == "old"
    assert not (tmp_path / "new.csv").exists()


def test_real_votes_on_a_real_field(shared, command, tmp_path):
    """Of 7,628 sources in GOODS-S, those of this frame; experts and Galaxy Zoo, side by side."""
    out, votes = tmp_path / "out", shared / "real/goodss_votes.csv"
    images = {band: f"{shared}/real/hlf_1903/{band.lower()}_sci.fits" for band in BANDS}
    run(images, out)
    for name, kind in (("K15", "experts"), ("GZ", "galaxy-zoo")):
        arguments = ("--import", votes, "--votes", kind, "--panel", name, "-q")
        assert command("label", out, *arguments) == (0, "", "")
    store = VoteStore(out / "votes.sqlite")
    panels = store.panels()
    assert set(panels["panel"]) == {"K15", "GZ"}
    answers = list(SHARES)
    for row in panels[panels["panel"] == "K15"]:  # one who says what most experts do
        store.vote(
            "Ann", int(row["source"]), max(answers, key=lambda n: row[n]), str(row["source"])
        )
    pairs = {pair.second: pair for pair in agreement(store.votes(), panels).with_tables}
    assert pairs["K15"].n > 0
    assert 0.3 < pairs["K15"].share <= 1
    assert pairs["GZ"].share < pairs["K15"].share
