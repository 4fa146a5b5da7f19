"""The map as files: what the server gives, and nothing of anybody else's is lost."""

import json
import threading
import urllib.request
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from morpheus.errors import ProductError
from morpheus.pipeline.viewing import open_run
from morpheus.viewer import export_site, n_files, site
from morpheus.viewer.pages import STATIC

PAGE = (
    "index.html",
    "app",
    "vendor",
    "style.css",
    "icon.svg",
    "runs.json",
    "runs",
    "morpheus-site.txt",
)


@pytest.fixture(scope="module")
def run(made, tmp_path_factory):
    with open_run(made / "out", tiles=tmp_path_factory.mktemp("tiles")) as run:
        yield run


def files(folder):
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@contextmanager
def plain_server(folder):
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder))) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/"
        finally:
            server.shutdown()
            thread.join()


def test_the_same_as_the_server_gives(run, tmp_path):
    told = []
    page = export_site([run], tmp_path / "www/deep/map", advance=told.append)
    assert page == tmp_path / "www/deep/map/index.html"
    assert sum(told) == n_files([run]) == len(list(run.paths()))
    assert {path.name for path in page.parent.iterdir()} == set(PAGE)
    with plain_server(tmp_path / "www") as address:

        def get(path):
            with urllib.request.urlopen(f"{address}deep/map/{path}") as reply:
                return reply.read()

        assert json.loads(get("runs.json")) == ["out"]
        for path in run.paths():
            assert get(f"runs/0/{path}") == run.give(path)[0]
        assert get("") == (STATIC / "index.html").read_bytes()
        for path in (STATIC / "app").iterdir():
            assert get(f"app/{path.name}") == path.read_bytes()


def test_all_addresses_are_relative():
    for path in (STATIC / "index.html", STATIC / "style.css", *(STATIC / "app").iterdir()):
        text = path.read_text(encoding="utf-8")
        assert 'src="/' not in text
        assert 'href="/' not in text
        assert "https://" not in text
        assert 'fetch("/' not in text


def test_two_runs(run, tmp_path):
    export_site([run, run], tmp_path / "site")
    assert json.loads((tmp_path / "site/runs.json").read_text()) == ["out", "out"]
    assert files(tmp_path / "site/runs/0") == files(tmp_path / "site/runs/1")


def test_the_site_of_another_program_is_left_alone(run, tmp_path):
    """With files of the very names that ours has, also if replacing is asked for."""
    folder = tmp_path / "site"
    (folder / "app").mkdir(parents=True)
    (folder / "app/mine.js").write_text("mine")
    (folder / "index.html").write_text("mine")
    before = files(folder)
    with pytest.raises(ProductError, match="holds other files"):
        export_site([run], folder, overwrite=True)
    assert files(folder) == before


def test_a_site_is_replaced_only_when_asked_for(run, tmp_path):
    folder = tmp_path / "site"
    folder.mkdir()  # an empty one is fine
    export_site([run, run], folder)
    before = files(folder)
    with pytest.raises(ProductError, match=r"holds a site; .*--overwrite"):
        export_site([run], folder)
    assert files(folder) == before
    (folder / "app/old.js").write_text("old")
    export_site([run], folder, overwrite=True)
    after = files(folder)
    assert "app/old.js" not in after
    assert not (folder / "runs/1").exists()
    expected = {k: v for k, v in before.items() if not k.startswith("runs/1/")}
    assert after == {**expected, "runs.json": b'["out"]'}


@pytest.mark.parametrize("overwrite", [False, True])
@pytest.mark.parametrize("other", ["thesis.tex", ".hidden", "data"])
def test_a_folder_with_other_files_is_refused(run, tmp_path, overwrite, other):
    if other == "data":
        (tmp_path / other).mkdir()
    else:
        (tmp_path / other).write_text("precious")
    (tmp_path / "index.html").write_text("mine")
    before = files(tmp_path)
    with pytest.raises(ProductError, match=f"holds other files, such as {other}"):
        export_site([run], tmp_path, overwrite=overwrite)
    assert files(tmp_path) == before


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_file_is_refused(run, tmp_path, overwrite):
    (tmp_path / "site").write_text("precious")
    with pytest.raises(ProductError, match="is a file"):
        export_site([run], tmp_path / "site", overwrite=overwrite)
    assert (tmp_path / "site").read_text() == "precious"


@pytest.mark.parametrize("before", [False, True])
@pytest.mark.parametrize("place", ["tiles", "runs.json", "style.css", "app"])
def test_a_full_disk_leaves_no_page(run, tmp_path, monkeypatch, place, before):
    folder = tmp_path / "site"
    if before:
        export_site([run], folder)
    write, copy = Path.write_bytes, site.shutil.copy

    def full(path):
        if place in Path(path).relative_to(tmp_path).parts:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", lambda self, data: full(self) or write(self, data))
    monkeypatch.setattr(site.shutil, "copy", lambda a, b: full(b) or copy(a, b))
    with pytest.raises(ProductError, match=r"^cannot write \S+: No space left on device$"):
        export_site([run], folder, overwrite=before)
    assert not (folder / "index.html").exists()
    monkeypatch.undo()
    export_site([run], folder, overwrite=True)
    assert (folder / "index.html").exists()


def test_the_page_comes_last(run, tmp_path):
    folder = tmp_path / "site"
    there = []
    export_site([run], folder, advance=lambda _: there.append((folder / "index.html").exists()))
    assert not any(there)
    assert (folder / "index.html").exists()
