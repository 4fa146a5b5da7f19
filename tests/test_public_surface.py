"""What users import is pinned, quick to import, and one folder knows only those below it."""

import importlib
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import morpheus

ROOT = Path(__file__).parents[1]
LAZY = "catalog", "dataset", "pipeline"


def test_names():
    assert morpheus.__all__ == [
        "Catalog",
        "CatalogOptions",
        "Classification",
        "FieldOptions",
        "InferenceOptions",
        "MorpheusError",
        "Mosaic",
        "Segmentation",
        "SegmentationOptions",
        "classify",
        "colorize",
        "lupton_rgb",
        "measure",
        "read_band_images",
        "read_mosaic",
        "run",
        "segment",
    ]
    assert all(getattr(morpheus, name) for name in morpheus.__all__)
    assert dir(morpheus) == morpheus.__all__
    with pytest.raises(AttributeError, match="nothing"):
        morpheus.nothing  # noqa: B018


def test_version_is_the_distribution_s():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert morpheus.__version__ == project["version"]


def test_help_imports_nothing_heavy():
    program = (
        "import sys\n"
        "sys.argv = ['morpheus', 'classify', '--help']\n"
        "from morpheus.cli import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "heavy = {'torch', 'openvino', 'numpy', 'astropy', 'matplotlib', 'scipy'}\n"
        "heavy &= set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "--region" in done.stdout


def test_classifying_on_a_processor_does_not_import_torch():
    program = (
        "import sys, morpheus\n"
        "morpheus.classify, morpheus.Classification\n"
        "import morpheus.inference.engine, morpheus.model.openvino_graph\n"
        "assert 'torch' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


@pytest.mark.parametrize(
    ("name", "unneeded"),
    [
        ("morpheus.pipeline.classify", "photutils, skimage, zarr, distributed, matplotlib"),
        ("morpheus.pipeline.viewing.open_run", "photutils, openvino, zarr, distributed"),
        ("morpheus.dataset.read_votes", "zarr"),
    ],
)
def test_nobody_waits_for_what_others_need(name, unneeded):
    home, _, name = name.rpartition(".")
    program = (
        f"import sys\nfrom {home} import {name}\n"
        f"needless = sys.modules.keys() & set('{unneeded}'.split(', '))\n"
        "assert not needless, needless\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


@pytest.mark.parametrize("package", ["morpheus", *map("morpheus.{}".format, LAZY)])
def test_names_that_are_promised_are_there(package):
    module = importlib.import_module(package)
    assert module.__all__
    for name in module.__all__:
        assert not isinstance(getattr(module, name), type(module)), name


def test_the_classes_are_the_paper_s():
    from morpheus.classes import BACKGROUND, CLASS_NAMES, CLASSES

    assert CLASS_NAMES == ("spheroid", "disk", "irregular", "point_source", "background")
    assert CLASSES[BACKGROUND].name == "background"
    assert len({c.color for c in CLASSES}) == 5
