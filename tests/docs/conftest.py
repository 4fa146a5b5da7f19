"""A sandbox for the blocks of each page, in which Morpheus runs in this process."""

import contextlib
import shutil
import signal
import sys
from functools import partial
from importlib import import_module
from importlib.util import find_spec

import pytest

NEEDED = (
    "av",
    "galsim",
    "jinja2",
    "lightning",
    "pandas",
    "pyarrow",
    "onnx",
    "sep",
    "tensorboard",
    "torch",
)
collect_ignore = [] if all(map(find_spec, NEEDED)) else ["test_code_blocks.py"]


@pytest.fixture(scope="session")
def made_sandbox(tmp_path_factory):
    from .sandbox import make_sandbox

    folder = tmp_path_factory.mktemp("pages") / "sandbox"
    make_sandbox(folder)
    return folder


@pytest.fixture(scope="session")
def made_models(make_model, tmp_path_factory):
    """A network like hausen2020, smaller and with random weights, under its name."""
    from dataclasses import replace

    from morpheus.model import UNetConfig, save_model
    from morpheus.model.hausen2020 import CONFIG

    folder = tmp_path_factory.mktemp("models")
    network = UNetConfig((2, 2), 1, 2, (2, 2), 1)
    save_model(make_model(replace(CONFIG, network=network)), folder / CONFIG.name, "# stand-in\n")
    return folder


@pytest.fixture
def sandbox(made_sandbox, made_models, tmp_path, monkeypatch):
    """A copy of it, in which the test runs; what a page makes again takes the place of the old."""
    folder = shutil.copytree(made_sandbox, tmp_path / "sandbox", symlinks=True)
    monkeypatch.setenv("MORPHEUS_MODELS", str(shutil.copytree(made_models, tmp_path / "models")))
    monkeypatch.chdir(folder)
    shorten(monkeypatch)
    return folder


def shorten(monkeypatch):
    """Make what takes long short, and let Python replace what an earlier block made."""
    import morpheus
    from morpheus.dataset import build_dataset
    from morpheus.simulate import make_dataset

    from .rules import SHORTER

    for module, name, value, _ in SHORTER:
        home = import_module(module)
        less = partial(getattr(home, name), **value) if isinstance(value, dict) else value
        monkeypatch.setattr(home, name, less)
    for function in (
        morpheus.run,
        morpheus.Classification.write,
        morpheus.Segmentation.write,
        morpheus.Catalog.write,
        build_dataset,
        make_dataset,
    ):
        monkeypatch.setitem(function.__kwdefaults__, "overwrite", True)  # noqa: FBT003


@pytest.fixture
def command(monkeypatch, capfd):
    """Runs Morpheus in this process; gives its exit code and what it wrote to standard error."""
    from morpheus.cli import main

    before = signal.getsignal(signal.SIGTERM)

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["morpheus", *arguments])
        capfd.readouterr()
        with pytest.raises(SystemExit) as end:
            main()
        return end.value.code or 0, capfd.readouterr().err

    yield run
    signal.signal(signal.SIGTERM, before)


@pytest.fixture
def scheduler():
    """Starts a Dask cluster of one worker when its address is asked for."""
    with contextlib.ExitStack() as stack:

        def address():
            from distributed import LocalCluster

            cluster = LocalCluster(
                n_workers=1,
                threads_per_worker=1,
                processes=False,
                protocol="tcp",
                host="127.0.0.1",
                dashboard_address="127.0.0.1:0",
            )
            return stack.enter_context(cluster).scheduler_address

        yield address
