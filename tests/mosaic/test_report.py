"""The report of a folder: an entry for every file, and what goes when one is made anew."""

import json

import numpy as np
import pytest

from morpheus.errors import ProductError
from morpheus.mosaic.products import to_json
from morpheus.mosaic.report import (
    REPORT_FILE,
    add_file,
    add_record,
    check_not_replaced,
    discard_files,
    files_of_stage,
    read_report,
)

FILES = {
    "segmap.fits": ("segmentation", ()),
    "guided.fits": ("segmentation", ()),
    "catalog.fits": ("catalog", ("segmap.fits",)),
    "catalog.csv": ("catalog", ("segmap.fits",)),
    "guided.csv": ("catalog", ("guided.fits",)),
    "stamps.png": ("stamps", ("segmap.fits", "catalog.fits")),
    "classes.png": ("colors", ()),
}


@pytest.fixture
def folder(tmp_path):
    """A folder with a classification and what was made from it, and a file of someone else."""
    image = tmp_path / "h.fits"
    report = {"options": 1, "products": ["n.fits"], "inputs": [{"path": str(image)}]}
    (tmp_path / REPORT_FILE).write_text(json.dumps(report))
    for name in ("n.fits", "mine.txt", "h.fits"):
        (tmp_path / name).write_text(name)
    for name, (stage, sources) in FILES.items():
        (tmp_path / name).write_text(stage)
        add_file(tmp_path / name, stage, {"of": name}, made_from=sources)
    return tmp_path


def names(folder):
    return {path.name for path in folder.iterdir()}


def test_an_entry_for_every_file(folder):
    report = read_report(folder)
    assert report["options"] == 1
    assert report["products"] == ["n.fits"]
    assert list(report["files"]) == list(FILES)
    for name, (stage, sources) in FILES.items():
        assert report["files"][name] == {
            "stage": stage,
            "made_from": list(sources),
            "of": name,
        }
    assert [path.name for path in files_of_stage(folder, "catalog")] == [
        "catalog.fits",
        "catalog.csv",
        "guided.csv",
    ]
    (folder / "catalog.csv").unlink()
    assert len(files_of_stage(folder, "catalog")) == 2


@pytest.mark.parametrize(
    ("source", "gone"),
    [
        (None, set(FILES)),
        ("segmap.fits", {"catalog.fits", "catalog.csv", "stamps.png"}),
        ("guided.fits", {"guided.csv"}),
        ("catalog.fits", {"stamps.png"}),
        ("catalog.csv", set()),
        ("classes.png", set()),
        ("nothing", set()),
    ],
)
def test_what_was_made_from_a_file_goes(folder, source, gone):
    before = names(folder)
    discard_files(folder, source)
    assert before - names(folder) == gone
    assert set(FILES) - set(read_report(folder)["files"]) == gone
    assert read_report(folder)["options"] == 1


def test_what_depends_on_what_depends_goes(tmp_path):
    for name, source in (("a", "x"), ("b", "a"), ("c", "b"), ("d", "c")):
        (tmp_path / name).write_text("")
        add_file(tmp_path / name, "catalog", {}, made_from=[source])
    add_file(tmp_path / "a", "catalog", {}, made_from=["d"])  # a ring, by a damaged report
    discard_files(tmp_path, "b")
    assert names(tmp_path) == {"b", REPORT_FILE}


def test_the_record_of_a_run_goes_with_its_files(folder):
    add_record(folder, "run", {"seconds": 1})
    assert read_report(folder)["run"] == {"seconds": 1}
    add_file(folder / "more.png", "colors", {})
    assert "run" not in read_report(folder)
    add_record(folder, "run", {"seconds": 2})
    discard_files(folder, "segmap.fits")
    assert "run" not in read_report(folder)


def test_folder_without_report(tmp_path):
    assert read_report(tmp_path) == {}
    discard_files(tmp_path)
    discard_files(tmp_path, "segmap.fits")
    assert names(tmp_path) == set()
    assert files_of_stage(tmp_path, "catalog") == []
    add_file(tmp_path / "new/c.csv", "catalog", {})
    assert list(read_report(tmp_path / "new")["files"]) == ["c.csv"]


def test_nothing_outside_the_folder_is_removed(tmp_path):
    outside, inside = tmp_path / "keep.txt", tmp_path / "folder"
    outside.write_text("keep")
    inside.mkdir()
    bad = ("../keep.txt", str(outside), "..", ".", "")
    files = {name: {"stage": "catalog", "made_from": []} for name in bad}
    (inside / REPORT_FILE).write_text(json.dumps({"files": files | {"no entry": 3}}))
    discard_files(inside)
    assert outside.exists()
    assert files_of_stage(inside, "catalog") == []


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("h.fits", "is an input"),
        ("n.fits", "is a product of another kind"),
        ("segmap.fits", "is a product of another kind"),
        (REPORT_FILE, "is a product of another kind"),
    ],
)
def test_what_is_needed_is_not_replaced(folder, tmp_path_factory, name, message):
    with pytest.raises(ProductError, match=message):
        check_not_replaced(folder / name, "catalog", folder)
    elsewhere = tmp_path_factory.mktemp("elsewhere") / "link.fits"
    elsewhere.symlink_to(folder / "h.fits")
    with pytest.raises(ProductError, match="is an input"):
        check_not_replaced(elsewhere, "catalog", folder)


@pytest.mark.parametrize("name", ["catalog.fits", "new.fits", "mine.txt"])
def test_a_file_of_the_same_stage_may_be_replaced(folder, name):
    check_not_replaced(folder / name, "catalog", folder)


@pytest.mark.parametrize("content", ["", "{", "[1]", "3", "\udcff", '{"files": 3}'])
def test_damaged_report(tmp_path, content):
    (tmp_path / REPORT_FILE).write_bytes(content.encode(errors="surrogateescape"))
    for act in (read_report, discard_files):
        with pytest.raises(ProductError, match=REPORT_FILE):
            act(tmp_path)
    with pytest.raises(ProductError, match=REPORT_FILE):
        add_file(tmp_path / "c.csv", "catalog", {})


def test_what_is_no_number_is_null_and_numpy_s_numbers_are_numbers():
    record = {"a": float("nan"), "b": np.float32(0.5), "c": [np.int64(3), np.array([1.0, np.inf])]}
    assert json.loads(to_json(record)) == {"a": None, "b": 0.5, "c": [3, [1.0, None]]}
