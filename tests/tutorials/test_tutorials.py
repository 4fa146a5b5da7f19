"""The tutorials run, and what they show was made by the code beside it."""

import importlib.util
import re
import shutil
import sys
from pathlib import Path

import nbformat
import pytest

from morpheus.model import save_model

ROOT = Path(__file__).parents[2]
TUTORIALS = ROOT / "tutorials"
# Of whoever ran them: home folders, temporary ones, and this checkout.
ABSOLUTE = re.compile(r"/(?:home|Users|root|tmp|work|private|var/folders)/|[A-Z]:\\\\")


def load_runner():
    """Import `tutorials/run.py`, which is no part of the package."""
    spec = importlib.util.spec_from_file_location("run_tutorials", TUTORIALS / "run.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


runner = load_runner()
PATHS = runner.notebooks()
each = pytest.mark.parametrize("path", PATHS, ids=[path.stem for path in PATHS])
# Tornado's sockets of the client that talks to the kernel are closed when they are collected.
quiet = pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")


def code(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def printed(notebook, name):
    """What was written to a stream, by cell."""
    return {
        cell.id: output.text
        for cell in code(notebook)
        for output in cell.outputs
        if output.output_type == "stream" and output.name == name
    }


def pictures(notebook):
    return sum(
        "image/png" in out.get("data", {}) for cell in code(notebook) for out in cell.outputs
    )


def anchors(page):
    """The anchors of its headings, as code hosts and the site make them."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", one.lower()).replace(" ", "-") for one in headings}


@pytest.fixture
def run(tmp_path):
    """Runs a copy of a tutorial beside a copy of the data."""

    def execute(path, models):
        folder = tmp_path / "tutorials"
        folder.mkdir()
        for name in (path.name, "common.py"):
            shutil.copy(TUTORIALS / name, folder)
        shutil.copytree(ROOT / "demo/field", tmp_path / "demo/field")
        notebook = nbformat.read(folder / path.name, as_version=4)
        runner.execute(notebook, folder, {"MORPHEUS_MODELS": str(models)})
        return notebook

    return execute


def test_there_are_tutorials_in_order():
    assert [int(path.name[0]) for path in PATHS] == list(range(1, len(PATHS) + 1))
    page = (TUTORIALS / "README.md").read_text(encoding="utf-8")
    assert re.findall(r"\]\((\d-[^)]*)\)", page) == [path.name for path in PATHS]


@quiet
@each
def test_it_runs(path, run, tmp_path):
    """With no model but those that come with Morpheus, and without a warning."""
    notebook = run(path, models=tmp_path / "none")
    assert not printed(notebook, "stderr")
    assert pictures(notebook) == pictures(nbformat.read(path, as_version=4))


@quiet
def test_the_original_s_network_runs_where_it_is(run, hausen2020, tmp_path):
    save_model(hausen2020, tmp_path / "models/hausen2020", "")
    (path,) = (path for path in PATHS if "original" in path.name)
    notebook = run(path, models=tmp_path / "models")
    assert "hausen2020 is there" in printed(notebook, "stdout")["setup"]
    assert "exit code" not in printed(notebook, "stdout")["shell"]


@quiet
def test_kernels_are_of_this_interpreter(tmp_path):
    notebook = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell("import sys\nprint(sys.executable)")]
    )
    runner.execute(notebook, tmp_path)
    assert printed(notebook, "stdout")[notebook.cells[0].id].strip() == sys.executable


@each
def test_outputs_are_of_the_code_that_is_there(path):
    notebook = nbformat.read(path, as_version=4)
    assert notebook.metadata.executed == runner.digest(notebook), "run tutorials/run.py"
    counts = [cell.execution_count for cell in code(notebook)]
    assert counts == list(range(1, len(counts) + 1))


@each
def test_outputs_can_be_shown(path):
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    assert path.stat().st_size < 1.2e6
    assert pictures(notebook) >= 2
    assert not printed(notebook, "stderr")
    for cell in code(notebook):
        for output in cell.outputs:
            assert output.output_type != "error"
            text = output.get("text", "") + output.get("data", {}).get("text/plain", "")
            assert not ABSOLUTE.search(text), cell.id
            assert "\x1b" not in text, cell.id
            assert "\r" not in text, cell.id


@pytest.mark.parametrize("path", [*PATHS, TUTORIALS / "README.md"], ids=lambda path: path.stem)
def test_links_lead_somewhere(path):
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".ipynb":
        cells = nbformat.reads(text, as_version=4).cells
        text = "\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        if link.startswith("https://"):
            continue
        page, _, anchor = link.partition("#")
        target = (TUTORIALS / page).resolve()
        assert target.is_relative_to(ROOT), link
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


@each
def test_metadata_says_nothing_of_a_run(path):
    notebook = nbformat.read(path, as_version=4)
    assert {**notebook.metadata} == runner.METADATA | {"executed": notebook.metadata.executed}
    assert all(not cell.metadata for cell in notebook.cells)
    ids = [cell.id for cell in notebook.cells]
    assert len(set(ids)) == len(ids)
