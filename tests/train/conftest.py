"""Small datasets and networks, and the command."""

import signal
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import pytest

from morpheus.cli import main

NEEDED = "galsim", "lightning", "tensorboard", "tomli_w", "torch", "zarr"
collect_ignore_glob = [] if all(map(find_spec, NEEDED)) else ["test_*.py"]


class Done(NamedTuple):
    """How a command ended."""

    returncode: int
    stdout: str
    stderr: str


@pytest.fixture(scope="session", autouse=True)
def _one_thread():
    """Sums do not depend on the number of threads, and small networks are quicker."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def deep(tmp_path_factory):
    """32 pieces of two simulated fields of CANDELS."""
    from morpheus.simulate import DatasetOptions, make_dataset

    path = tmp_path_factory.mktemp("deep") / "deep.zarr"
    make_dataset(path, DatasetOptions(survey="candels-deep", n=32, seed=3, defects=False))
    return path


@pytest.fixture(scope="session")
def stamps(tmp_path_factory):
    """32 stamps of two simulated fields with defects."""
    from morpheus.simulate import DatasetOptions, make_dataset

    path = tmp_path_factory.mktemp("stamps") / "stamps.zarr"
    make_dataset(path, DatasetOptions("stamps", "candels-deep", n=32, seed=4, density=60))
    return path


def small(path: Path, **changes):
    """Options of a training of three seconds."""
    from morpheus.model.config import DenseConfig, WindowRecipe
    from morpheus.train import (
        DataOptions,
        ModelOptions,
        OptimiserOptions,
        TrainOptions,
        ValidationOptions,
    )

    chosen = {
        "name": "small",
        "data": (DataOptions(str(path)),),
        # It decides which field validates: the other has a galaxy that fills whole crops, as
        # nothing in this one does, and no network learns such a thing from what it does not see.
        "seed": 4,
        "model": ModelOptions(network=DenseConfig(widths=(8, 16)), window=WindowRecipe(64, 16, 32)),
        "optimiser": OptimiserOptions(
            epochs=3, steps=20, batch=4, crop=64, learning_rate=6e-3, warmup=5
        ),
        "validation": ValidationOptions(share=0.5, examples=16),
    }
    return TrainOptions(**(chosen | changes))


@pytest.fixture
def command(monkeypatch, capfd):
    """Runs morpheus in this process; warnings and logs of libraries are caught with the rest."""
    terminate = signal.getsignal(signal.SIGTERM)

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["morpheus", *map(str, arguments)])
        capfd.readouterr()
        with pytest.raises(SystemExit) as end:
            main()
        code = end.value.code
        return Done(0 if code is None else code, *capfd.readouterr())

    yield run
    signal.signal(signal.SIGTERM, terminate)


@pytest.fixture(scope="session")
def published(make_model, tmp_path_factory):
    """A model with the published architecture, with two bands in an order of its own."""
    from morpheus.model import ModelConfig, save_model
    from morpheus.model.config import UNetConfig, WindowRecipe

    config = ModelConfig(
        name="published",
        bands=("F850LP", "F160W"),
        pixel_scale=0.06,
        unit="electron / s",
        window=WindowRecipe(40, 5, 1),
        normaliser="joint-window",
        network=UNetConfig(
            down_filters=(4, 4, 4), down_convolutions=1, middle_filters=4, up_filters=(4, 4, 4)
        ),
    )
    folder = tmp_path_factory.mktemp("teacher") / "published"
    save_model(make_model(config), folder, "")
    return folder
