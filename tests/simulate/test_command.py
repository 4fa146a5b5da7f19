"""`morpheus simulate`."""

import signal
import subprocess
import sys

import pytest
from astropy.table import Table

pytest.importorskip("galsim")

from morpheus.cli import main
from morpheus.dataset import Dataset
from morpheus.simulate import SURVEYS


def names(folder):
    return sorted(item.name for item in folder.iterdir())


@pytest.fixture
def simulate(monkeypatch, capsys):
    """Runs a command; returns its exit code, standard output and standard error."""
    terminate = signal.getsignal(signal.SIGTERM)

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["morpheus", "simulate", *map(str, arguments)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as end:
            main()
        return end.value.code or 0, *capsys.readouterr()

    yield run
    signal.signal(signal.SIGTERM, terminate)


@pytest.fixture
def command(simulate):
    """Runs `morpheus simulate field`; returns its exit code and standard error."""

    def run(*arguments):
        code, _, error = simulate("field", *arguments)
        return code, error

    return run


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


SMALL = "--survey", "euclid-vis", "--size", 256, "--density", 0


@pytest.mark.parametrize("kind", ["dataset", "stamps"])
def test_a_dataset_and_no_second_one(simulate, tmp_path, kind):
    pytest.importorskip("zarr")
    path = tmp_path / "new/a.zarr"
    arguments = kind, *SMALL, "-n", 3, "--seed", 7, "-o", path
    assert simulate(*arguments) == (0, f"3 examples in {path}\n", "")
    made = Dataset.open(path)
    assert (len(made), made.card["kind"], made.card["seed"]) == (3, kind, 7)
    code, _, error = simulate(*arguments)
    assert code == 2
    assert "--overwrite" in error
    assert error.count("\n") == 1
    assert simulate(*arguments, "--overwrite", "-q") == (0, "", "")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("dataset", "--survey", "dss"), "candels-deep"),
        (("dataset", "--n", 0), "n is 0"),
        (("dataset", "--n", "many"), "integer"),
        (("stamps", "--n", -1), "n is -1"),
        (("stamps", "--size", 10), "size"),
        (("stamps", "--size", 5000), "size"),
        (("dataset", "--density", "1e9"), "density"),
        (("stamps", "--faintest", 3), "faintest"),
        (("stamps", "--shift", 70), "shift"),
        (("dataset", "--jobs", 0), "jobs"),
    ],
)
def test_bad_options_of_datasets_are_one_line(simulate, tmp_path, arguments, message):
    code, _, error = simulate(*arguments, "-o", tmp_path / "new/a.zarr")
    assert code == 2
    assert message in error
    assert error.count("\n") == 1
    assert names(tmp_path) == []


def test_a_file_is_not_replaced_by_a_dataset(simulate, tmp_path):
    (tmp_path / "a.zarr").write_text("precious")
    for overwrite in ((), ("--overwrite",)):
        code, _, error = simulate("dataset", *SMALL, "-o", tmp_path / "a.zarr", *overwrite)
        assert code == 2
        assert error.count("\n") == 1
    assert names(tmp_path) == ["a.zarr"]
    assert (tmp_path / "a.zarr").read_text() == "precious"


INTERRUPTED = """
import os, signal
from morpheus.cli import main
from morpheus.dataset.store import Partial

write = Partial.write

def interrupted(self, *arguments):
    if self.done == 1:
        os.kill(os.getpid(), signal.{name})
    write(self, *arguments)

if __name__ == "__main__":
    # Where the tests run in the background, SIGINT is ignored, which children inherit.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    Partial.write = interrupted
    main()
"""


@pytest.mark.parametrize(("name", "jobs"), [("SIGINT", 1), ("SIGTERM", 2)])
def test_an_interrupted_dataset_goes_on(simulate, tmp_path, name, jobs):
    """The signal comes when four examples are on disk, and four more are made."""
    (tmp_path / "program.py").write_text(INTERRUPTED.format(name=name))
    path = tmp_path / "a.zarr"
    arguments = "dataset", *SMALL, "-n", 10, "-o", path
    command = [tmp_path / "program.py", "simulate", *arguments, "--jobs", jobs]
    done = subprocess.run(
        [sys.executable, *map(str, command)], check=False, capture_output=True, text=True
    )
    assert done.returncode == 130
    assert done.stderr == (
        "morpheus: interrupted after 4 of 10 examples; the same command goes on from there\n"
    )
    assert not path.exists()
    assert (tmp_path / "a.zarr.partial").exists()
    code, _, error = simulate(*arguments, "--seed", 1)
    assert code == 2
    assert "seed" in error
    assert error.count("\n") == 1
    assert simulate(*arguments, "-q") == (0, "", "")
    Dataset.open(path).verify()
    assert names(tmp_path) == ["a.zarr", "program.py"]


def test_surveys_are_listed(simulate):
    code, output, error = simulate("surveys")
    assert (code, error) == (0, "")
    for name, survey in SURVEYS.items():
        assert name in output
        assert all(band.name in output for band in survey.bands)


@pytest.mark.parametrize("package", ["galsim", "zarr"])
@pytest.mark.parametrize("kind", ["field", "dataset", "stamps", "surveys"])
def test_a_missing_package_is_one_line(tmp_path, package, kind):
    program = (
        f"import sys; sys.modules['{package}'] = None\n"
        f"sys.argv = ['morpheus', 'simulate', '{kind}']\n"
        f"if '{kind}' != 'surveys': sys.argv += ['-o', {str(tmp_path / 'a')!r}]\n"
        "from morpheus.cli import main\n"
        "main()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], check=False, capture_output=True, text=True
    )
    assert done.returncode == 2
    assert "pip install 'morpheus-sky[simulate]'" in done.stderr
    assert package in done.stderr
    assert done.stderr.count("\n") == 1
    assert names(tmp_path) == []
