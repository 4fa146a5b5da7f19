"""`morpheus view`: what is wrong is said in one line; the map is shown or written."""

import json
import shutil
import socket

import pytest

from morpheus.cli import view as command_module
from morpheus.pipeline.viewing import open_run


@pytest.fixture
def failure(command):
    """Runs the command, which fails; gives the one line that it says."""

    def run(*arguments):
        done = command("view", *arguments, "--no-browser")
        assert done.returncode == 2, done.stdout + done.stderr
        assert done.stdout == ""
        lines = done.stderr.splitlines()
        assert len(lines) == 1, done.stderr
        assert lines[0].startswith("morpheus: error: ")
        return lines[0]

    return run


def test_no_such_folder(failure, tmp_path):
    assert "nothing is not there; morpheus run makes such a folder" in failure(tmp_path / "nothing")


def test_no_run(failure, tmp_path):
    assert "there is no report.json in it; morpheus run" in failure(tmp_path)


def test_no_folder_at_all(failure):
    assert "FOLDER" in failure()


def test_a_file(failure, tmp_path):
    (tmp_path / "file").write_text("")
    assert "file is no folder; morpheus run makes such a folder" in failure(tmp_path / "file")


def test_a_report_that_is_none(failure, tmp_path):
    (tmp_path / "report.json").write_text("{}")
    assert "holds no complete classification" in failure(tmp_path)


def test_three_folders(failure, field):
    out = field / "out"
    assert "3 folders are given; two can be compared" in failure(out, out, out)


def test_other_classes(failure, field):
    shutil.copytree(field / "out", field / "other")
    report = field / "other/report.json"
    content = json.loads(report.read_text())
    content["model"]["classes"] = ["disk", "background"]
    report.write_text(json.dumps(content))
    assert "out and other have other classes" in failure(field / "out", field / "other")


def test_a_port_in_use(failure, field):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert f"port {port} of this machine cannot be used" in failure(
            field / "out", "--port", port, "-q"
        )


@pytest.mark.parametrize("port", ["-1", "65536", "http"])
def test_no_port(failure, field, port):
    assert "--port" in failure(field / "out", "--port", port)


def test_export_onto_a_file(failure, field):
    (field / "site").write_text("precious")
    line = failure(field / "out", "--export", field / "site", "--overwrite", "-q")
    assert "site is a file" in line
    assert (field / "site").read_text() == "precious"


def test_export_into_the_run_itself(failure, field):
    before = {path.name for path in (field / "out").iterdir()}
    line = failure(field / "out", "--export", field / "out", "--overwrite", "-q")
    assert "holds other files" in line
    assert {path.name for path in (field / "out").iterdir()} - before <= {"tiles"}


def test_export(command, field):
    done = command("view", field / "out", "--export", field / "site")
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip().splitlines()[-1] == str(field / "site/index.html")
    assert json.loads((field / "site/runs.json").read_text()) == ["out"]
    manifest = json.loads((field / "site/runs/0/manifest.json").read_text())
    assert manifest["shape"] == [60, 90]
    done = command("view", field / "out", "--export", field / "site", "-q")
    assert done.returncode == 2
    assert "--overwrite" in done.stderr
    done = command("view", field / "out", "--export", field / "site", "-q", "--overwrite")
    assert done == (0, "", "")


def test_export_of_two(command, field):
    shutil.copytree(field / "out", field / "other")
    arguments = (field / "out", field / "other", "--export", field / "site", "-q")
    tiles = field / "tiles"
    assert command("view", *arguments, "--tiles", tiles) == (0, "", "")
    assert json.loads((field / "site/runs.json").read_text()) == ["out", "other"]
    assert sorted(path.name for path in tiles.iterdir()) == ["0", "1"]


def test_runs_of_the_same_name(command, field):
    """They are told apart, and a site says nothing of the folders that they were in."""
    shutil.copytree(field / "out", field / "secret/out")
    shutil.rmtree(field / "out/tiles", ignore_errors=True)
    folders = field / "out", field / "secret/out"
    assert command("view", *folders, "--export", field / "site", "-q") == (0, "", "")
    assert json.loads((field / "site/runs.json").read_text()) == ["out (1)", "out (2)"]
    for path in (field / "site").rglob("*.json"):
        assert "secret" not in path.read_text()
        assert str(field) not in path.read_text()


def test_tiles_of_one_run_lie_where_label_looks(command, field):
    tiles = field / "tiles"
    arguments = ("--tiles", tiles, "--export", field / "site", "-q")
    assert command("view", field / "out", *arguments) == (0, "", "")
    with open_run(field / "out", tiles=tiles) as run:  # as `label` opens it
        assert run.pyramid.folder == tiles
    assert [path.name for path in tiles.iterdir()] == ["checked"]  # a small field has no others
    assert not (field / "out/tiles").exists()


def test_tiles_that_cannot_be_written(failure, field):
    (field / "file").write_text("")
    assert "give another folder with --tiles FOLDER" in failure(
        field / "out", "--tiles", field / "file/tiles"
    )


def test_a_damaged_report(failure, field):
    report = field / "out/report.json"
    content = json.loads(report.read_text())
    del content["inputs"][0]["path"]
    report.write_text(json.dumps(content))
    assert "its report.json has no path in an entry of inputs (0 from 0)" in failure(field / "out")


def test_missing_images_are_a_warning(command, field):
    report = field / "out/report.json"
    report.write_text(report.read_text().replace("F125W.fits", "gone.fits"))
    done = command("view", field / "out", "--export", field / "site")
    assert done.returncode == 0
    assert "gone.fits is missing" in done.stderr
    assert "Traceback" not in done.stderr
    assert json.loads((field / "site/runs/0/manifest.json").read_text())["bands"] == []


def test_a_changed_image(failure, field):
    report = field / "out/report.json"
    content = json.loads(report.read_text())
    content["inputs"][0]["sha256"] = "0" * 64
    report.write_text(json.dumps(content))
    assert "has changed since it was classified" in failure(field / "out")


@pytest.mark.parametrize("browser", [True, False])
def test_the_browser_is_opened_unless_it_shall_not(capsys, monkeypatch, browser):
    opened = []

    class Thread:
        def __init__(self, target, args, **_):
            self.start = lambda: opened.append((target, args))

    monkeypatch.setattr(command_module.threading, "Thread", Thread)
    command_module.announce("http://127.0.0.1:1/", browser=browser)
    assert capsys.readouterr().out == "http://127.0.0.1:1/ (Ctrl-C ends it)\n"
    expected = [(command_module.webbrowser.open, ("http://127.0.0.1:1/",))]
    assert opened == (expected if browser else [])
