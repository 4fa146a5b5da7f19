"""The report of a folder: a section for every stage, and what goes when a stage is made anew."""

import json

import pytest

from morpheus.errors import ProductError
from morpheus.mosaic.report import REPORT_FILE, add_stage, discard_stages, read_report

STAGES = ("segmentation", "guided_segmentation", "catalog", "stamps", "colors")


@pytest.fixture
def folder(tmp_path):
    """A folder in which every stage made a file, and someone else did, too."""
    (tmp_path / REPORT_FILE).write_text(json.dumps({"options": 1, "products": ["n.fits"]}))
    for name in ("n.fits", "mine.txt"):
        (tmp_path / name).write_text(name)
    for stage in STAGES:
        path = tmp_path / f"{stage}.out"
        path.write_text(stage)
        add_stage(tmp_path, stage, {"of": stage}, [path])
    return tmp_path


def names(folder):
    return {path.name for path in folder.iterdir()}


def test_a_section_for_every_stage(folder):
    report = read_report(folder)
    assert report["options"] == 1
    assert report["products"] == ["n.fits"]
    for stage in STAGES:
        assert report[stage] == {"of": stage, "products": [f"{stage}.out"]}


def test_files_of_one_stage_add_up(folder):
    """Several pictures of one folder, made one after the other; what was done is the last."""
    add_stage(folder, "colors", {"new": True}, [folder / "other.png", folder / "colors.out"])
    assert read_report(folder)["colors"] == {"new": True, "products": ["colors.out", "other.png"]}
    assert "segmentation" in read_report(folder)
    discard_stages(folder, "colors")
    add_stage(folder, "colors", {}, [])
    assert read_report(folder)["colors"] == {"products": []}


def test_files_elsewhere_are_not_listed(folder, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("elsewhere") / "c.csv"
    add_stage(folder, "catalog", {}, [elsewhere, folder / "c.fits"])
    assert read_report(folder)["catalog"]["products"] == ["catalog.out", "c.fits"]


def test_folder_without_report(tmp_path):
    assert read_report(tmp_path) == {}
    discard_stages(tmp_path)
    discard_stages(tmp_path, "catalog")
    assert names(tmp_path) == set()
    add_stage(tmp_path / "new", "catalog", {}, [tmp_path / "new/c.csv"])
    assert read_report(tmp_path / "new") == {"catalog": {"products": ["c.csv"]}}


@pytest.mark.parametrize(
    ("stages", "gone"),
    [
        ((), set(STAGES)),
        (("segmentation",), {"segmentation", "catalog", "stamps"}),
        (("guided_segmentation",), {"guided_segmentation", "catalog", "stamps"}),
        (("catalog",), {"catalog", "stamps"}),
        (("stamps",), {"stamps"}),
        (("colors",), {"colors"}),
        (("colors", "catalog"), {"colors", "catalog", "stamps"}),
    ],
)
def test_what_was_made_from_a_stage_goes_with_it(folder, stages, gone):
    before = names(folder)
    discard_stages(folder, *stages)
    assert before - names(folder) == {f"{stage}.out" for stage in gone}
    report = read_report(folder)
    assert set(STAGES) - set(report) == gone
    assert report["options"] == 1


def test_what_depends_goes_though_its_source_is_not_listed(tmp_path):
    (tmp_path / "c.csv").write_text("")
    add_stage(tmp_path, "catalog", {}, [tmp_path / "c.csv"])
    discard_stages(tmp_path, "segmentation")
    assert names(tmp_path) == {REPORT_FILE}


def test_nothing_outside_the_folder_is_removed(tmp_path):
    outside, inside = tmp_path / "keep.txt", tmp_path / "folder"
    outside.write_text("keep")
    inside.mkdir()
    section = {"products": ["../keep.txt", str(outside), "gone.txt"]}
    (inside / REPORT_FILE).write_text(json.dumps({"catalog": section}))
    discard_stages(inside, "catalog")
    assert outside.exists()


def test_files_that_are_gone_already(folder):
    (folder / "catalog.out").unlink()
    discard_stages(folder, "catalog")
    assert "catalog" not in read_report(folder)


@pytest.mark.parametrize("content", ["", "{", "[1]", "3", "\udcff"])
def test_damaged_report(tmp_path, content):
    (tmp_path / REPORT_FILE).write_bytes(content.encode(errors="surrogateescape"))
    for act in (read_report, discard_stages):
        with pytest.raises(ProductError, match=REPORT_FILE):
            act(tmp_path)
    with pytest.raises(ProductError, match=REPORT_FILE):
        add_stage(tmp_path, "catalog", {}, [])
