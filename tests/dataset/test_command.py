"""`morpheus dataset`."""

import json
import re
import signal
import subprocess
import sys

import numpy as np
import pytest
import zarr

from morpheus.cli import main
from morpheus.dataset import Dataset
from morpheus.dataset.store import Partial


@pytest.fixture
def command(monkeypatch, capsys, files):
    """Runs `morpheus dataset`; returns its exit code, standard output and standard error."""
    terminate = signal.getsignal(signal.SIGTERM)
    monkeypatch.chdir(files)

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["morpheus", "dataset", *map(str, arguments)])
        with pytest.raises(SystemExit) as end:
            main()
        return end.value.code or 0, *capsys.readouterr()

    yield run
    signal.signal(signal.SIGTERM, terminate)


LABELS = "--segmap", "segmap.fits", "--labels", "votes.csv", "--size", 32
IMAGES = "--images", "f160w.fits", "f125w.fits"


def test_build_join_and_info(command, files):
    code, output, error = command("build", *IMAGES, *LABELS, "-o", "a.zarr")
    assert (code, error) == (0, "")
    assert output == "3 examples in a.zarr; votes for 3 of 3 rows of the labels count\n"
    bands = "--band", "f125w=f125w.fits", "--band", "f160w=f160w.fits"
    assert command("build", *bands, *LABELS, "-o", "b.zarr", "-q") == (0, "", "")
    assert Dataset.open("b.zarr").card["bands"] == ["f125w", "f160w"]
    more = "--column", "disk=spheroid", "--column", "spheroid=disk"
    more = *more, "--survey-name", "made up", "--reference", "a paper"
    assert command("build", *IMAGES, *LABELS, *more, "-o", "c.zarr")[0] == 0
    first, second = Dataset.open("a.zarr"), Dataset.open("c.zarr")
    np.testing.assert_array_equal(first.classes[:, 0], second.classes[:, 1])
    code, output, error = command("join", "a.zarr", "c.zarr", "-o", "all.zarr")
    assert (code, output, error) == (0, "6 examples in all.zarr\n", "")
    code, output, error = command("info", "all.zarr", "--verify")
    assert (code, error) == (0, "")
    assert re.search(r"^examples +6 of 32 x 32 pixels$", output, re.MULTILINE)
    assert re.search(r"^bands +F160W F125W$", output, re.MULTILINE)
    assert re.search(r"^part +c.zarr: 3 examples, labelled made up$", output, re.MULTILINE)
    assert re.search(r"^verified ", output, re.MULTILINE)
    assert "a paper" in command("info", "c.zarr")[1]
    assert json.loads(command("info", "c.zarr", "--json")[1]) == second.card


def test_a_changed_dataset_is_found_out(command):
    assert command("build", *IMAGES, *LABELS, "-o", "a.zarr")[0] == 0
    ids = zarr.open_group("a.zarr", mode="r+")["sources/source_id"]
    ids.attrs["values"] = [name + "0" for name in ids.attrs["values"]]
    assert command("info", "a.zarr")[0] == 0
    code, output, error = command("info", "a.zarr", "--verify")
    assert (code, output) == (2, "")
    assert "does not have the checksum" in error


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--labels", "none.csv"), "none.csv: no such file"),
        (("--segmap", "none.fits"), "none.fits: no such file"),
        (("--segmap", "votes.csv"), "no FITS file"),
        (("--column", "disk=bulge"), "no column bulge; they have id, x, y, spheroid"),
        (("--column", "disk"), "expected WHAT=NAME"),
        (("--votes", "galaxy-zoo"), "no column of the answer smooth"),
        (("--band", "F160W=f160w.fits"), "either"),
        (("--size", 4), "the size is 4"),
        (("--known", "none.fits"), "none.fits: no such file"),
        (("--weight", "F160W=f125w.fits"), "for every band"),
    ],
)
def test_mistakes_are_one_line_and_leave_nothing(command, files, arguments, said):
    before = sorted(files.iterdir())
    code, output, error = command("build", *IMAGES, *LABELS, *arguments, "-o", "a.zarr")
    assert (code, output) == (2, "")
    assert said in error
    assert error.count("\n") == 1
    assert sorted(files.iterdir()) == before


def test_an_interruption_says_how_to_go_on(command, files, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(Partial, "write", interrupted)
    code, _, error = command("build", *IMAGES, *LABELS, "-o", "a.zarr")
    assert code == 130
    assert error == "morpheus: interrupted; the same command goes on from there\n"
    assert not (files / "a.zarr").exists()


def test_a_missing_package_is_one_line(files):
    program = (
        "import sys; sys.modules['zarr'] = None\n"
        "sys.argv = ['morpheus', 'dataset', 'info', 'a.zarr']\n"
        "from morpheus.cli import main\n"
        "main()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], check=False, capture_output=True, text=True
    )
    assert done.returncode == 2
    assert "pip install 'morpheus-sky[simulate]'" in done.stderr
    assert done.stderr.count("\n") == 1
