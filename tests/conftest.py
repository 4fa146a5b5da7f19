"""What the tests share: small random models, and the reference data where it is at hand."""

import os
import shutil
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from morpheus.model import DenseConfig, Model, ModelConfig, UNetConfig, WindowRecipe

BROWSER_ARGUMENTS = [
    "--no-sandbox",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--force-color-profile=srgb",
]

SHARED = Path(os.environ.get("MORPHEUS_SHARED", Path(__file__).parents[2] / "shared"))


# A file is worked on by one process: those that take minutes come first, so that none of them is
# left at the end while the other processes have nothing to do.
LONGEST = (
    "tutorials/test_tutorials.py",
    "distributed/test_faults.py",
    "docs/test_code_blocks.py",
    "train/test_command.py",
    "train/test_train.py",
    "distributed/test_equal.py",
    "test_real_frames.py",
)


def pytest_collection_modifyitems(items):
    tests = Path(__file__).parent
    order = {tests / name: number for number, name in enumerate(LONGEST)}
    assert all(path.is_file() for path in order)
    items.sort(key=lambda item: order.get(item.path, len(order)))


@pytest.fixture(scope="session")
def shared():
    """Folder with the published network's outputs and real frames; not part of the project."""
    if not SHARED.is_dir():
        pytest.skip(f"no reference data: {SHARED} is absent (set MORPHEUS_SHARED)")
    return SHARED


@pytest.fixture(scope="session")
def hausen2020(shared):
    """The published network, converted from the reference checkpoint."""
    from morpheus.model.hausen2020 import convert_checkpoint, read_checkpoint

    return convert_checkpoint(*read_checkpoint(shared / "reference/hausen2020/checkpoint"))


@pytest.fixture(scope="session")
def classified(shared, hausen2020, tmp_path_factory):
    """Classifies a real frame with the published network, once in a session."""
    import morpheus
    from morpheus.model import save_model

    model = tmp_path_factory.mktemp("models") / "hausen2020"
    save_model(hausen2020, model, "")

    @cache
    def frame(name, edges="pad", region=None):
        bands = hausen2020.config.bands
        images = {band: shared / f"real/{name}/{band.lower()}_sci.fits" for band in bands}
        weights = {band: shared / f"real/{name}/{band.lower()}_wht.fits" for band in bands}
        weights = {band: path for band, path in weights.items() if path.exists()}
        options = morpheus.InferenceOptions(edges=edges)
        return morpheus.classify(
            images, model=model, weights=weights, options=options, region=region
        )

    return frame


def random_model(config: ModelConfig, seed: int = 0) -> Model:
    """A model with random weights whose activations stay of order one."""
    rng = np.random.default_rng(seed)
    weights = {}
    shapes = config.network.parameter_shapes(len(config.bands), len(config.classes))
    for name, shape in shapes.items():
        if name.endswith("running_var"):
            values = rng.uniform(0.5, 2.0, shape)
        elif name.endswith("norm.weight"):
            values = rng.uniform(0.5, 1.5, shape)
        elif name.endswith("weight"):
            values = rng.normal(0, np.sqrt(2 / np.prod(shape[1:])), shape)
        else:
            values = rng.normal(0, 0.3, shape)
        weights[name] = values.astype(np.float32)
    return Model(config, weights)


@pytest.fixture(scope="session")
def make_model():
    """Makes a model with random weights from a configuration and a seed."""
    return random_model


@pytest.fixture(scope="session")
def small_config():
    return ModelConfig(
        name="small",
        bands=("H", "J"),
        pixel_scale=0.06,
        unit="electron / s",
        window=WindowRecipe(size=16, margin=4, stride=1),
        network=UNetConfig(down_filters=(4, 8), up_filters=(4, 8), middle_filters=4),
    )


@pytest.fixture(scope="session")
def small_model(small_config):
    return random_model(small_config)


@pytest.fixture
def models(tmp_path_factory, monkeypatch):
    """An empty model directory of the test's own; nor does any model come with the program."""
    from morpheus.model import registry

    directory = tmp_path_factory.mktemp("models")
    monkeypatch.setattr(registry, "_SHIPPED", directory / "none")
    monkeypatch.setenv("MORPHEUS_MODELS", str(directory))
    return directory


@pytest.fixture(scope="session")
def dense_config():
    """A dense model whose windows reach as far as the network, so that tiled equals whole."""
    return ModelConfig(
        name="dense",
        bands=("F160W", "F125W", "F606W"),
        pixel_scale=0.06,
        unit="electron / s",
        window=WindowRecipe(size=64, margin=20, stride=24),
        normaliser="sky-noise",
        network=DenseConfig(widths=(6, 8), down_convolutions=(2, 1)),
        alternatives={"F125W": ("F105W", "F110W"), "F606W": ("F814W",)},
    )


@pytest.fixture(scope="session")
def dense_model(dense_config):
    model = random_model(dense_config, seed=3)
    # Residuals add up: logits of some ten would leave probabilities of 0 and 1 to compare.
    return Model(
        model.config,
        {**model.weights, "head.weight": np.float32(0.3) * model.weights["head.weight"]},
    )


@pytest.fixture(scope="module")
def browser():
    """Of a module, not of the session: Playwright's event loop runs as long as it does."""
    playwright = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
    own = shutil.which("chromium") or shutil.which("chromium-browser")
    with playwright.sync_playwright() as api:
        try:
            browser = api.chromium.launch(executable_path=own, args=BROWSER_ARGUMENTS)
        except playwright.Error as error:
            pytest.skip(f"no Chromium: {error.message.splitlines()[0]}")
        yield browser
        browser.close()
