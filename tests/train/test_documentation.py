"""The configurations in the documentation are read as they stand, and name every option."""

import dataclasses
import re
import tomllib
from pathlib import Path

import pytest

from morpheus.model.config import UNetConfig
from morpheus.train import DataOptions, TrainOptions, read_options

TEXT = (Path(__file__).parents[2] / "docs/training.md").read_text(encoding="utf-8")
COMPLETE, PUBLISHED = re.findall(r"```toml\n(.*?)```", TEXT, re.DOTALL)
LEAST = "\n".join(
    line.removeprefix("    ") for line in re.findall(r'(    name = "mine"\n(?:    .*\n)+)', TEXT)
)


@pytest.fixture
def read(tmp_path):
    def read(text):
        path = tmp_path / "config.toml"
        path.write_text(text, encoding="utf-8")
        return read_options(path)

    return read


def fields(options):
    return {one.name for one in dataclasses.fields(options)}


def test_the_complete_one_has_every_option_with_its_default(read):
    options, record = read(COMPLETE), tomllib.loads(COMPLETE)
    default = TrainOptions(options.name, options.data)
    assert fields(options) == set(record)
    for part in ("model", "augment", "loss", "teacher", "optimiser", "validation"):
        assert fields(getattr(options, part)) == set(record[part]), part
    assert fields(options.data[0]) == set().union(*record["data"])
    assert {"kind", *fields(options.model.network)} == set(record["model"]["network"])
    assert fields(options.model.window) == set(record["model"]["window"])
    assert options.data[2] == DataOptions(options.data[2].path)
    model = dataclasses.replace(options.model, alternatives={})
    assert dataclasses.replace(options, model=model) == default


def test_the_published_architecture(read):
    assert read(PUBLISHED).model.network == UNetConfig()


def test_the_least(read):
    assert read(re.sub(r"(?m)^ +", "", LEAST)) == TrainOptions("mine", read(LEAST).data)
