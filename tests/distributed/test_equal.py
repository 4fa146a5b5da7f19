"""A field in chunks is the field in one piece, bit by bit."""

import json

import matplotlib.image
import numpy as np
import pytest
from astropy.table import Table
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from morpheus.catalog import CatalogOptions, lattice
from morpheus.distributed import chunks, segment
from morpheus.errors import ImageError
from morpheus.inference import InferenceOptions
from morpheus.mosaic import sky
from morpheus.pipeline import Execution, FieldOptions
from morpheus.segmentation import SegmentationOptions, SourceFlag

REGION = "53.11996,-27.80012,118pix,97pix"
SMALL_REGION = "53.12090,-27.80080,61pix,47pix"


@pytest.fixture
def compare(whole, in_chunks, check_same, without_pictures):
    """Runs a field whole and in chunks, and compares all products."""

    def run(*sizes, field="large", model="dense", tag=None, execution=None, **how):
        expected, result = whole(field, model, tag=("no pictures", tag), **how)
        for size in sizes:
            output, found = in_chunks(size, field, model, execution=execution, **how)
            check_same(expected, output)
            assert not (output / "unfinished").exists()
            record = found.catalog.provenance["segmentation"]
            assert record["labels_sha256"] == result.segmentation.sha256
            assert len(found.catalog) == len(result.catalog)
        return result

    return run


def test_the_field_is_worth_comparing(compare):
    """Dozens of sources, blends, sources on borders of chunks, pixels that are masked."""
    result = compare()
    flags = result.segmentation.sources["flags"]
    assert len(flags) > 40
    for flag, fewest in ((SourceFlag.DEBLENDED, 10), (SourceFlag.MASKED, 1), (SourceFlag.EDGE, 1)):
        assert np.count_nonzero(flags & flag) >= fewest
    labels = result.segmentation.labels
    for axis in (0, 1):
        before, after = (labels.take(n, axis) for n in (47, 48))
        assert np.count_nonzero((before > 0) & (before == after)) > 3
    assert np.isfinite(result.catalog.table["f160w_flux_kron"]).sum() > 30
    assert result.classification.mask[:48, 153:].all()  # a chunk


# ---- models that see a pixel once


@pytest.mark.parametrize(("size", "field"), [(48, "large"), (1000, "small")])
def test_dense(compare, size, field):
    compare(size, field=field)


@settings(
    deadline=None,
    max_examples=2,
    suppress_health_check=[HealthCheck.function_scoped_fixture],  # its folders have numbers
)
@given(st.integers(30, 100))
def test_dense_chunks_of_any_size(compare, size):
    compare(size, field="small")


def test_dense_chunks_as_memory_allows(compare):
    """Their borders are those of the windows, counted on the images."""
    compare(None, execution=Execution("serial", memory=10**10), region=REGION)


@pytest.mark.parametrize(
    "options",
    [
        FieldOptions(segmentation=SegmentationOptions(statistic="votes")),
        FieldOptions(
            segmentation=SegmentationOptions(deblend=False, min_area=20, seed=0.9),
            inference=InferenceOptions(threads=2, batch_size=3),
            catalog=CatalogOptions(apertures=(0.3, 0.5), noise_scale="none", background="none"),
        ),
    ],
    ids=["votes", "others"],
)
def test_options_of_a_dense_run(compare, options):
    compare(37, field="small", options=options)


def test_missing_bands(compare):
    compare(41, field="small", bands=("F160W", "F606W"))


def test_a_part_of_a_field(compare):
    compare(43, region=REGION)


def test_a_field_without_sources(compare):
    assert len(compare(33, field="empty").catalog) == 0


@pytest.fixture(scope="module")
def positions(tmp_path_factory):
    """On sources, on others of the same blend, in the sky, in one pixel, and outside."""
    rng = np.random.default_rng(4)
    places = [*rng.uniform((0, 0), (103, 79), (60, 2)).tolist(), (44.6, 45.2), (44.9, 45.4)]
    places += [(-3, 4), (120, 20), (np.nan, 5)]
    x, y = np.transpose(places)
    path = tmp_path_factory.mktemp("positions") / "positions.fits"
    Table({"id": [f"s{i}" for i in range(len(x))], "x": x, "y": y}).write(path)
    return str(path)


@pytest.mark.parametrize("unmatched", ["keep", "drop"])
def test_guided(compare, positions, unmatched):
    options = FieldOptions(
        segmentation=SegmentationOptions(unmatched=unmatched), positions=positions
    )
    result = compare(45, field="small", options=options)
    matched = result.segmentation.positions["label"] > 0
    assert 8 < matched.sum() < len(matched) - 8


def test_what_fields_of_survey_size_meet(compare, monkeypatch):
    """Cells of the catalogue, a thinned sky, regions that reach far, a few rows at a time."""
    monkeypatch.setattr(lattice, "CELL", 64)
    monkeypatch.setattr(sky, "_SAMPLE", 12_000)
    monkeypatch.setattr(segment, "_FAR", 9)
    monkeypatch.setattr(chunks, "_BAND_OF_ROWS", 8 * 203 * 10)
    assert sky.grid_step((170, 203)) == 2
    compare(50, tag="survey")


# ---- models whose windows overlap


WINDOWS = {
    "exact": (45, FieldOptions()),
    "pad": (47, FieldOptions(InferenceOptions(edges="pad"))),
    "fast": (26, FieldOptions("fast")),
    "lattice-pad": (
        52,
        FieldOptions(
            InferenceOptions(stride=2, lattice=True, edges="pad"),
            SegmentationOptions(statistic="votes"),
        ),
    ),
    "seen-once": (
        40,
        FieldOptions(InferenceOptions(stride=12), SegmentationOptions(statistic="votes")),
    ),
    "larger": (200, FieldOptions()),
}


@pytest.mark.parametrize("kind", WINDOWS)
def test_windowed(compare, kind):
    size, options = WINDOWS[kind]
    result = compare(size, field="small", model="windowed", options=options)
    assert len(result.catalog) > 8
    assert result.classification.is_single == (kind == "seen-once")


@settings(
    deadline=None,
    max_examples=2,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(st.integers(27, 110))
def test_windowed_chunks_of_any_size(compare, size):
    compare(size, field="small", model="windowed", options=FieldOptions("fast"))


@pytest.mark.parametrize("edges", ["skip", "pad"])
def test_a_part_of_a_windowed_field(compare, edges):
    options = FieldOptions(InferenceOptions(stride=3, lattice=True, edges=edges))
    compare(25, field="small", model="windowed", options=options, region=SMALL_REGION)


# ---- pictures


def test_pictures(whole, in_chunks):
    """Those of the sky and of the classes are the same; stamps are there."""
    expected, _ = whole("small")
    output, found = in_chunks(37, "small")
    assert sorted(p.name for p in output.iterdir()) == sorted(p.name for p in expected.iterdir())
    assert set(found.paths) | {output / "report.json"} == set(output.iterdir())
    for name in ("rgb.png", "classes.png"):
        one, other = (matplotlib.image.imread(path / name) for path in (expected, output))
        assert np.array_equal(one, other), name
    assert matplotlib.image.imread(output / "stamps.png").size
    report = json.loads((output / "report.json").read_text())
    listed = [*report["products"], *report["files"], "report.json"]
    assert sorted(listed) == sorted(path.name for path in output.iterdir())
    assert report["run"]["chunks"] == {"shape": [80, 104], "size": [37, 37], "offset": [0, 0]}


def test_pictures_of_a_field_without_sources(in_chunks):
    output, found = in_chunks(60, "empty")
    assert len(found.catalog) == 0
    assert {path.name for path in output.glob("*.png")} == {"rgb.png", "classes.png"}


# ---- mistakes that both find


def test_a_part_without_a_valid_pixel(whole, in_chunks):
    region = "53.12017,-27.80130,8pix,6pix"
    for run in (whole, lambda **how: in_chunks(5, **how)):
        with pytest.raises(ImageError, match="no valid pixel"):
            run(field="small", region=region)


# ---- who does it


def test_threads(compare):
    compare(None, execution=Execution("threads", chunk=61))


def test_on_a_cluster(compare, cluster):
    compare(None, execution=Execution(cluster.address, chunk=61))


@pytest.mark.parametrize("scheduler", ["threads", "processes", "cluster"])
def test_windows_that_overlap(compare, request, scheduler):
    """Processes of this machine run a dense model where one of them is killed."""
    if scheduler == "cluster":
        scheduler = request.getfixturevalue("cluster").address
    execution = Execution(scheduler, chunk=31)
    compare(
        None, field="small", model="windowed", options=FieldOptions("fast"), execution=execution
    )
