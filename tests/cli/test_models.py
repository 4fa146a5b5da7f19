"""`morpheus models`, and the frame of the command line."""

import pytest
from typer.testing import CliRunner

from morpheus import __version__
from morpheus.cli import app
from morpheus.errors import ModelError
from morpheus.model import installed_models, save_model

runner = CliRunner()


@pytest.fixture
def folder(tmp_path, small_model):
    save_model(small_model, tmp_path / "small", "# A small model\n\nOf no use.\n")
    return tmp_path / "small"


def test_import_list_info(models, folder):
    done = runner.invoke(app, ["models", "import", str(folder)])
    assert done.exit_code == 0
    assert str(models / "small") in done.output
    listed = runner.invoke(app, ["models", "list"]).output
    assert "small" in listed
    assert "morpheus models fetch hausen2020" in listed
    told = runner.invoke(app, ["models", "info", "small"]).output
    assert "A small model" in told
    assert "16 pixels, of which 8 count" in told
    again = runner.invoke(app, ["models", "import", str(folder)])
    assert isinstance(again.exception, ModelError)


def test_fetch_of_what_is_here(models, hausen2020):
    save_model(hausen2020, models / "hausen2020", "")
    done = runner.invoke(app, ["models", "fetch", "hausen2020"])
    assert done.exit_code == 0
    assert "is here already" in done.output
    assert list(installed_models()) == ["hausen2020"]


def test_version():
    assert runner.invoke(app, ["--version"]).output == f"morpheus {__version__}\n"
