"""`morpheus simulate field`."""

import signal
import sys

import pytest
from astropy.table import Table

pytest.importorskip("galsim")

from morpheus.cli import main


@pytest.fixture
def command(monkeypatch, capsys):
    """Runs the command; returns its exit code and standard error."""
    terminate = signal.getsignal(signal.SIGTERM)

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["morpheus", "simulate", "field", *map(str, arguments)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as end:
            main()
        return end.value.code or 0, capsys.readouterr().err

    yield run
    signal.signal(signal.SIGTERM, terminate)


def test_a_field_and_no_second_one(command, tmp_path):
    arguments = "--size", 64, "--seed", 7, "-o", tmp_path, "-q"
    assert command(*arguments) == (0, "")
    assert (tmp_path / "f160w_wht.fits").exists()
    code, error = command(*arguments)
    assert code == 2
    assert "--overwrite" in error
    assert error.count("\n") == 1
    assert command(*arguments, "--overwrite") == (0, "")


def test_an_empty_sky(command, tmp_path):
    assert command("--size", 64, "--density", 0, "-o", tmp_path, "-q")[0] == 0
    assert len(Table.read(tmp_path / "truth.fits", hdu="TRUTH")) == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--survey", "dss"), "candels-deep"),
        (("--size", 3), "size"),
        (("--density", "1e9"), "density"),
        (("--jobs", 0), "jobs"),
    ],
)
def test_bad_options_are_one_line(command, tmp_path, arguments, message):
    code, error = command(*arguments, "-o", tmp_path / "new")
    assert code == 2
    assert message in error
    assert error.count("\n") == 1
    assert not (tmp_path / "new").exists()
