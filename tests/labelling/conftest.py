"""A few sources, and a store of votes on them."""

import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from astropy.table import Table

from morpheus.cli import main
from morpheus.labelling import Panel, VoteStore
from morpheus.pipeline import run

DEMO = Path(__file__).parents[2] / "demo/field"
BANDS = "F160W", "F125W", "F606W", "F850LP"

N = 12
CLASSES = "spheroid", "disk", "irregular", "point_source"


def make_sources(n=N):
    rng = np.random.default_rng(4)
    x, y = rng.uniform(5, 95, (2, n))
    shares = rng.dirichlet(np.ones(4), n)
    table = Table(
        {
            "id": np.arange(1, n + 1),
            "ra": 53 + x / 1e4,
            "dec": -27 + y / 1e4,
            "x": x,
            "y": y,
            **{
                f"{axis}_{end}": np.full(n, value)
                for axis in "xy"
                for end, value in (("min", 3), ("max", 9))
            },
        }
    )
    for name, share in zip(CLASSES, shares.T, strict=True):
        table[f"p_{name}"] = share
    return table


@pytest.fixture
def sources():
    return make_sources()


@pytest.fixture
def store(tmp_path, sources):
    return VoteStore.of_field(tmp_path / "votes.sqlite", sources, "digest")


@pytest.fixture
def panel(store, sources):
    return Panel(store, ("Ann", "Ben"), sources)


@pytest.fixture(scope="session")
def made_run(tmp_path_factory):
    """The demo's field, classified by the default model, with its sources."""
    folder = tmp_path_factory.mktemp("run") / "out"
    images = {band: DEMO / f"{band.lower()}_sci.fits.fz" for band in BANDS}
    weights = {band: DEMO / f"{band.lower()}_wht.fits.fz" for band in BANDS}
    run(
        {b: str(p) for b, p in images.items()},
        folder,
        weights={b: str(p) for b, p in weights.items()},
    )
    return folder


@pytest.fixture
def out(made_run, tmp_path):
    """A copy of it, to write into."""
    return shutil.copytree(made_run, tmp_path / "out")


class Server:
    """`morpheus label` in a process of its own, on a port that stays the same."""

    def __init__(self, out, *options, port=0):
        self.arguments = ["label", str(out), *options, "--no-browser"]
        self.port, self.process = port, None

    def start(self):
        arguments = [*self.arguments, "--port", str(self.port)]
        self.process = subprocess.Popen(
            [sys.executable, "-m", "morpheus", *arguments], stdout=subprocess.PIPE, text=True
        )
        self.address = self.process.stdout.readline().split(" ")[0]
        self.port = int(self.address.rstrip("/").rpartition(":")[2])
        return self

    def kill(self, number=signal.SIGKILL):
        self.process.send_signal(number)
        self.process.wait()
        self.process.stdout.close()


@pytest.fixture
def serve():
    """Starts servers, and ends them."""
    servers = []

    def start(*arguments, **options):
        servers.append(Server(*arguments, **options).start())
        return servers[-1]

    yield start
    for server in servers:
        if server.process.poll() is None:
            server.kill()


@pytest.fixture
def command(monkeypatch, capsys):
    """Runs morpheus in this process: (exit code, output, errors)."""
    terminate = signal.getsignal(signal.SIGTERM)

    def run_command(*arguments):
        monkeypatch.setattr(sys, "argv", ["morpheus", *map(str, arguments)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as end:
            main()
        return (end.value.code or 0, *capsys.readouterr())

    yield run_command
    signal.signal(signal.SIGTERM, terminate)
