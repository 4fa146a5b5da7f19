"""The commands from class maps to sources and pictures, and `morpheus run`."""

import hashlib
import json
import shutil
import tarfile

import matplotlib.image
import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table

import morpheus
from morpheus.model import ModelConfig, UNetConfig, WindowRecipe, save_model
from morpheus.segmentation import Segmentation, SourceFlag

BANDS = ("F160W", "F125W", "F606W")


def failure(done):
    """The one line of an error."""
    assert done.returncode == 2, done.stdout + done.stderr
    assert done.stdout == ""
    lines = done.stderr.splitlines()
    assert len(lines) == 1, done.stderr
    assert lines[0].startswith("morpheus: error: ")
    return lines[0]


@pytest.fixture
def segmented(field, command):
    done = command("segment", field / "out")
    assert done.returncode == 0, done.stderr
    assert "4 sources, 2 of them deblended" in done.stdout
    return field


@pytest.fixture
def catalogued(segmented, command):
    done = command("catalog", segmented / "out", "-o", segmented / "out/catalog.fits")
    assert (done.returncode, done.stderr) == (0, "")
    return segmented


def test_segment(segmented):
    found = Segmentation.read(segmented / "out")
    assert found.n_sources == 4
    labels = [found.labels[y, x] for x, y in ((20, 18), (60, 30), (69, 30), (0, 50))]
    assert sorted(labels) == [1, 2, 3, 4]
    flags = found.sources["flags"][np.array(labels) - 1]
    blend = SourceFlag.DEBLENDED
    assert flags.tolist() == [0, blend, blend, SourceFlag.EDGE]
    report = json.loads((segmented / "out/report.json").read_text())
    assert report["files"]["segmap.fits"]["stage"] == "segmentation"
    assert report["files"]["segmap.fits"]["detection_band"] == "F160W"


def test_segment_again(segmented, command):
    assert "segmap.fits would be overwritten" in failure(command("segment", segmented / "out"))
    done = command("segment", segmented / "out", "--overwrite", "--no-deblend", "--quiet")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert Segmentation.read(segmented / "out").n_sources == 3


def test_segment_with_a_given_image(field, command):
    done = command(
        "segment", field / "out", "--flux", field / "in/F125W.fits", "-o", field / "other"
    )
    assert done.returncode == 0, done.stderr
    found = Segmentation.read(field / "other")
    assert found.provenance["detection_band"] == "detection"
    assert found.n_sources == 4


def test_guided(segmented, command):
    Table({"id": ["a", "b", "nobody"], "x": [20, 62, 5], "y": [18, 30, 5]}).write(
        segmented / "positions.csv"
    )
    arguments = ("segment", segmented / "out", "--positions", segmented / "positions.csv")
    done = command(*arguments, "--unmatched", "drop")
    assert done.returncode == 0, done.stderr
    assert "2 of 3 positions detected (not: nobody)" in done.stdout
    found = Segmentation.read(segmented / "out/guided_segmap.fits")
    assert found.sources["position_id"].tolist() == ["a", "b"]
    assert found.labels[30, 60] == found.labels[30, 69] == found.labels[30, 62] == 2
    assert found.labels[50, 0] == 0
    assert (segmented / "out/segmap.fits").exists()


@pytest.mark.parametrize("suffix", ["fits", "ecsv", "vot", "parquet", "csv", "mrt"])
def test_catalog_in_every_format(segmented, command, suffix):
    path = segmented / f"catalog.{suffix}"
    done = command("catalog", segmented / "out", "-o", path)
    assert (done.returncode, done.stderr) == (0, "")
    assert "4 sources" in done.stdout
    table = morpheus.Catalog.read(path).table
    assert len(table) == 4
    brightest = table[np.argmax(table["f160w_flux_kron"])]
    assert np.hypot(brightest["x"] - 20, brightest["y"] - 18) < 0.3
    assert brightest["class"] == "spheroid"
    assert brightest["p_spheroid"] == pytest.approx(0.6, abs=1e-3)
    assert brightest["f160w_flux_kron"] == pytest.approx(8, rel=0.03)


def test_regions(segmented, command):
    from regions import Regions

    done = command("catalog", segmented / "out", "-o", segmented / "catalog.reg")
    assert (done.returncode, done.stderr) == (0, "")
    assert len(Regions.read(segmented / "catalog.reg", format="ds9")) == 4


def test_catalog_in_given_images(segmented, command):
    images = [segmented / f"in/{band}.fits" for band in BANDS]
    for form in (
        ["--images", *images],
        [word for image in images for word in ("--images", image)],
        [w for b, image in zip(BANDS, images, strict=True) for w in ("--band", f"{b}={image}")],
    ):
        path = segmented / "given.fits"
        done = command(
            "catalog", segmented / "out", *form, "-o", path, "--overwrite",
            "--zero-point", "F160W=25", "--aperture", "0.7",
        )  # fmt: skip
        assert (done.returncode, done.stderr) == (0, "")
        table = morpheus.Catalog.read(path).table
        row = table[np.argmax(table["f160w_flux_kron"])]
        assert row["f160w_mag_kron"] == pytest.approx(
            25 - 2.5 * np.log10(row["f160w_flux_kron"]), abs=1e-6
        )
        # a circle of 0.7 arcsec: 5.83 pixels in radius, of a Gaussian of 2
        inside = 1 - np.exp(-0.5 * (0.35 / 0.06 / 2) ** 2)
        assert row["f160w_flux_aper_1"] == pytest.approx(8 * inside, rel=0.03)


def test_two_catalogues_stand_side_by_side(catalogued, command):
    folder = catalogued / "out"
    assert command("catalog", folder, "-o", folder / "catalog.csv").returncode == 0
    report = json.loads((folder / "report.json").read_text())
    assert list(report["files"]) == ["segmap.fits", "catalog.fits", "catalog.csv"]
    # both are of the old segmentation: a new one takes them away
    assert command("segment", folder, "--overwrite").returncode == 0
    assert not (folder / "catalog.fits").exists()
    assert not (folder / "catalog.csv").exists()
    assert list(json.loads((folder / "report.json").read_text())["files"]) == ["segmap.fits"]


def test_pictures(catalogued, command):
    folder = catalogued / "out"
    for arguments in (
        ("colorize", folder, "-o", folder / "classes.png", "--title", "Field"),
        ("colorize", folder, "-o", catalogued / "plain.png", "--plain"),
        ("rgb", *(catalogued / f"in/{band}.fits" for band in BANDS), "-o", catalogued / "rgb.png"),
        ("stamps", folder, "-o", catalogued / "stamps.png", "--id", "1", "--id", "3"),
    ):
        done = command(*arguments)
        assert (done.returncode, done.stderr) == (0, "")
    plain = matplotlib.image.imread(catalogued / "plain.png")[..., :3]
    assert plain.shape == (60, 90, 3)
    assert plain[59 - 18, 20].argmax() == 0  # a spheroid is red, and y points up
    assert plain[59, 45].max() < 0.05  # the sky is black
    assert matplotlib.image.imread(catalogued / "rgb.png").shape[:2] == (60, 90)
    legend = matplotlib.image.imread(folder / "classes.png")
    assert legend.shape[0] > 60
    files = json.loads((folder / "report.json").read_text())["files"]
    assert files["classes.png"]["stage"] == "colors"


def test_release(catalogued, command):
    arguments = ("release", catalogued / "out", "--field", "GOODS-S", "--version", "1.0")
    done = command(*arguments)
    assert done.returncode == 0, done.stderr
    folder = catalogued / "out/morpheus_GOODS-S.v1.0"
    names = {path.name for path in folder.iterdir()}
    images = ("spheroid", "disk", "irregular", "point_source", "background", "mask", "segmap")
    assert names == {
        *(f"morpheus_GOODS-S_{name}.v1.0.fits" for name in images),
        *(f"morpheus_GOODS-S_catalog.v1.0.{suffix}" for suffix in ("csv", "mrt", "fits")),
        "morpheus_GOODS-S_classes.v1.0.png",
        "README.md",
        "SHA256SUMS",
    }
    readme = (folder / "README.md").read_text()
    assert all(f"`{name}`" in readme for name in names - {"README.md"})
    sums = dict(
        reversed(line.split("  ")) for line in (folder / "SHA256SUMS").read_text().splitlines()
    )
    assert set(sums) == names - {"SHA256SUMS"}
    for name, digest in sums.items():
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == digest
    archive = folder.with_name(folder.name + ".tar.gz")
    with tarfile.open(archive) as tar:
        assert {name.partition("/")[2] for name in tar.getnames()} == names | {""}
    result = morpheus.Classification.read(catalogued / "out")
    disk = fits.getdata(folder / "morpheus_GOODS-S_disk.v1.0.fits")
    np.testing.assert_array_equal(disk, result["disk"])
    mrt = folder / "morpheus_GOODS-S_catalog.v1.0.mrt"
    expected = morpheus.Catalog.read(catalogued / "out/catalog.fits").table
    for form in ("ascii.mrt", "ascii.cds"):
        table = Table.read(mrt, format=form)
        np.testing.assert_allclose(table["ra"], expected["ra"], atol=1e-7)
        assert table["ra"].unit == "deg"
    assert "would be overwritten" in failure(command(*arguments))
    assert command(*arguments, "--overwrite").returncode == 0


def test_a_guided_segmentation_stands_beside_the_other(catalogued, command):
    Table({"id": [7], "x": [20], "y": [18]}).write(catalogued / "positions.fits")
    folder = catalogued / "out"
    positions = ("--positions", catalogued / "positions.fits")
    assert command("segment", folder, *positions).returncode == 0
    assert (folder / "catalog.fits").exists()  # it was made from the other map
    catalog = ("catalog", folder, "--segmap", folder / "guided_segmap.fits")
    assert command(*catalog, "-o", folder / "guided.fits").returncode == 0
    assert 7 in morpheus.Catalog.read(folder / "guided.fits").table["position_id"]
    done = command("release", folder, "--field", "F", "--version", "2", "-o", catalogued / "r")
    assert done.returncode == 0, done.stderr
    assert (catalogued / "r/morpheus_F.v2/morpheus_F_guided_segmap.v2.fits").exists()
    assert command("segment", folder, "--overwrite").returncode == 0
    assert (folder / "guided.fits").exists()
    assert not (folder / "catalog.fits").exists()
    # with the guided catalogue alone: its own map is found
    done = command("stamps", folder, "-o", folder / "stamps.png")
    assert done.returncode == 0, done.stderr
    made_from = json.loads((folder / "report.json").read_text())["files"]["stamps.png"]["made_from"]
    assert made_from == ["guided_segmap.fits", "guided.fits"]


def test_a_catalogue_of_another_map_is_not_released(catalogued, command):
    folder = catalogued / "out"
    assert command("segment", folder, "--no-deblend", "-o", catalogued / "k").returncode == 0
    catalog = ("catalog", folder, "--segmap", catalogued / "k/segmap.fits", "--overwrite")
    assert command(*catalog, "-o", folder / "catalog.fits").returncode == 0
    for arguments in (
        ("release", folder, "--field", "F", "--version", "1"),
        ("stamps", folder, "-o", folder / "stamps.png"),
    ):
        assert "was made from another segmentation map" in failure(command(*arguments))


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("in/F160W.fits", "is an input and would be replaced"),
        ("out/segmap.fits", "is a product of another kind"),
        ("out/disk_mean.fits", "is a product of another kind"),
    ],
)
def test_a_catalogue_replaces_nothing_else(segmented, command, name, message):
    before = (segmented / name).read_bytes()
    done = command("catalog", segmented / "out", "-o", segmented / name, "--overwrite")
    assert message in failure(done)
    assert (segmented / name).read_bytes() == before


@pytest.fixture(scope="module")
def three_bands(make_model, tmp_path_factory):
    config = ModelConfig(
        name="three",
        bands=BANDS,
        pixel_scale=0.06,
        unit="electron / s",
        window=WindowRecipe(size=16, margin=4, stride=1),
        network=UNetConfig(down_filters=(4, 8), up_filters=(4, 8), middle_filters=4),
    )
    folder = tmp_path_factory.mktemp("model") / "three"
    save_model(make_model(config), folder, "")
    return folder


def run_everything(field, model, command, *more):
    images = [field / f"in/{band}.fits" for band in BANDS]
    weights = [w for band in BANDS for w in ("--weight", f"{band}={field}/in/{band}_wht.fits")]
    return command("run", "-m", model, *images, *weights, "-o", field / "all", *more)


def test_run(field, three_bands, command):
    more = ("--edges", "pad", "--seed", "0.9", "--grow", "0.8", "--catalog", "sources.ecsv")
    done = run_everything(field, three_bands, command, *more)
    assert done.returncode == 0, done.stderr
    assert "90 x 60 pixels" in done.stdout
    folder = field / "all"
    report = json.loads((folder / "report.json").read_text())
    listed = [*report["products"], *report["files"], "report.json"]
    assert sorted(listed) == sorted(path.name for path in folder.iterdir())
    assert set(report["run"]["seconds"]) == {"classify", "segment", "catalog", "pictures"}
    found = Segmentation.read(folder)
    table = morpheus.Catalog.read(folder / "sources.ecsv").table
    assert len(table) == found.n_sources
    # the stages by themselves give the same
    assert (
        command("segment", folder, "--seed", "0.9", "--grow", "0.8", "-o", field / "s").returncode
        == 0
    )
    assert np.array_equal(Segmentation.read(field / "s").labels, found.labels)
    assert "would be overwritten" in failure(run_everything(field, three_bands, command))
    assert run_everything(field, three_bands, command, "--overwrite").returncode == 0
    assert not (folder / "sources.ecsv").exists()  # of the run that was replaced
    assert (folder / "catalog.fits").exists()


def test_the_order_of_the_bands_is_the_model_s(field, three_bands, command):
    """However they are given: the first is the one for shapes and deblending."""
    for output, order in (("a", BANDS), ("b", BANDS[::-1])):
        bands = [w for b in order for w in ("--band", f"{b}={field}/in/{b}.fits")]
        done = command("run", "-m", three_bands, *bands, "-o", field / output)
        assert done.returncode == 0, done.stderr
    one, other = (Segmentation.read(field / output) for output in "ab")
    assert one.provenance["detection_band"] == other.provenance["detection_band"] == "F160W"
    assert one.sha256 == other.sha256


def test_a_guided_run_is_released(field, three_bands, command):
    Table({"id": ["one"], "x": [20], "y": [18]}).write(field / "positions.csv")
    done = run_everything(field, three_bands, command, "--positions", field / "positions.csv")
    assert done.returncode == 0, done.stderr
    done = command("release", field / "all", "--field", "F", "--version", "1")
    assert done.returncode == 0, done.stderr
    assert command("stamps", field / "all", "-o", field / "s.png").returncode == 0


def test_run_of_a_region(field, three_bands, command):
    region = ("--region", "53.12,-27.80,40pix,30pix")
    done = run_everything(field, three_bands, command, "--edges", "pad", *region)
    assert done.returncode == 0, done.stderr
    assert Segmentation.read(field / "all").shape == (30, 40)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("segment", "{}/nothing"), "nothing is not there; morpheus classify makes"),
        (("segment", "{}/out", "--method", "magic"), "method is 'magic'; it is one of"),
        (("segment", "{}/out", "--statistic", "median"), "statistic is 'median'"),
        (("segment", "{}/out", "--seed", "1.5"), "seed is 1.5; it is a number from 0 to 1"),
        (("segment", "{}/out", "--seed", "0.3", "--grow", "0.4"), "seed, 0.3, is below grow, 0.4"),
        (("segment", "{}/out", "--min-area", "0"), "smallest area of a source is 0"),
        (("segment", "{}/out", "--contrast", "2"), "contrast is 2.0"),
        (("segment", "{}/out", "--background-threshold", "1"), "background_threshold is 1"),
        (("segment", "{}/out", "--flux", "{}/none.fits"), "none.fits"),
        (("segment", "{}/out", "--flux", "{}/small.fits"), "shape (5, 6)"),
        (("segment", "{}/out", "--positions", "{}/none.csv"), "none.csv: no such file"),
        (("segment", "{}/out", "--positions", "{}/in/F160W.fits"), "not a table that can be read"),
        (("catalog", "{}/out", "-o", "{}/c.fits"), "morpheus segment makes it"),
        (("catalog", "{}/out", "-o", "{}/c.doc"), "no format has the suffix '.doc'"),
        (("catalog", "{}/out", "a.fits", "-o", "{}/c.fits"), "images come after --images"),
        (
            ("catalog", "{}/out", "-o", "{}/c.fits", "--zero-point", "F160W=x"),
            "expected BAND=NUMBER",
        ),
        (("catalog", "{}/out", "-o", "{}/c.fits", "--aperture", "-1"), "apertures"),
        (("catalog", "{}/out", "-o", "{}/c.fits", "--background", "x"), "background is 'x'"),
        (("colorize", "{}/out", "-o", "{}/c.doc"), "a picture is a file that ends in"),
        (("colorize", "{}/out", "-o", "{}/c.png", "--statistic", "mode"), "statistic"),
        (("colorize", "{}/out", "-o", "{}/c.png", "--unclassified", "pink"), "pink"),
        (("rgb", "{}/in/F160W.fits", "-o", "{}/c.png"), "1 images were given"),
        (("stamps", "{}/out", "-o", "{}/c.png"), "holds no catalogue that says"),
        (("release", "{}/out", "--field", "a b", "--version", "1"), "the field 'a b'"),
        (("release", "{}/out", "--field", "a", "--version", "../1"), "the version '../1'"),
        (("release", "{}/out", "--field", "a", "--version", "1"), "holds no catalogue that says"),
        (("run", "-m", "{m}", "a", "-o", "{}/x", "--catalog", "n.fits"), "cannot be called n.fits"),
        (("run", "-m", "{m}", "a", "-o", "{}/x", "--catalog", "x/c.fits"), "cannot be called x/c"),
        (("run", "-m", "{m}", "a", "-o", "{}/x", "--positions", "none"), "none: no such file"),
        (("run", "-m", "{m}", "a", "-o", "{}/x", "--zero-point", "K=25"), "K is no band"),
        (("run", "-m", "{m}", "a", "-o", "{}/x", "--rgb", "K,L,M"), "picture is of K, L, M"),
        (("run", "-m", "nothing", "a", "b", "-o", "{}/x"), "nothing"),
        (("run", "-m", "nothing", "a", "-o", "{}/x", "--rgb", "a,b"), "expected three bands"),
    ],
)
def test_mistakes(field, three_bands, command, arguments, message):
    fits.writeto(field / "small.fits", np.eye(5, 6, dtype=np.float32))
    done = command(*(argument.format(field, m=three_bands) for argument in arguments))
    assert message in failure(done)
    assert not [path for path in field.iterdir() if path.name not in {"in", "out", "small.fits"}]
    assert not [path for path in (field / "out").iterdir() if path.name.startswith(".")]


def test_inputs_that_changed_or_went(segmented, made_field, command, tmp_path):
    moved = tmp_path / "moved"
    shutil.copytree(made_field, moved)
    report = json.loads((moved / "out/report.json").read_text())
    for entry in report["inputs"]:
        entry["path"] = entry["path"].replace(str(made_field), str(moved))
    (moved / "out/report.json").write_text(json.dumps(report))
    shutil.copy(segmented / "out/segmap.fits", moved / "out")
    (moved / "in/F606W.fits").unlink()
    line = failure(command("catalog", moved / "out", "-o", moved / "c.fits"))
    assert "F606W.fits, which was classified, is not there" in line
    shutil.copy(moved / "in/F125W.fits", moved / "in/F606W.fits")
    line = failure(command("catalog", moved / "out", "-o", moved / "c.fits"))
    assert "F606W.fits has changed since it was classified" in line


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--seed", "2"), "seed is 2.0; it is a number from 0 to 1"),
        (("--seed", "0.3", "--grow", "0.6"), "seed, 0.3, is below grow, 0.6"),
        (("--min-area", "-3"), "smallest area of a source is -3"),
        (("--aperture", "-1"), "apertures"),
        (("--noise-scale", "often"), "often"),
        (("--positions", "{}/columns.csv"), "positions have the columns a, b"),
    ],
)
def test_run_finds_mistakes_before_the_work(field, three_bands, command, arguments, message):
    Table({"a": [1], "b": [2]}).write(field / "columns.csv")
    more = [argument.format(field) for argument in arguments]
    assert message in failure(run_everything(field, three_bands, command, *more))
    assert not (field / "all").exists()


def test_a_catalogue_written_from_python_is_in_the_report(segmented, command):
    folder = segmented / "out"
    assert command("catalog", folder, "-o", segmented / "elsewhere.fits").returncode == 0
    catalog = morpheus.Catalog.read(segmented / "elsewhere.fits")
    catalog.write(folder / "mine.fits")
    entry = json.loads((folder / "report.json").read_text())["files"]["mine.fits"]
    assert entry["made_from"] == ["segmap.fits"]
    assert command("stamps", folder, "-o", segmented / "stamps.png").returncode == 0
    with pytest.raises(morpheus.MorpheusError, match="product of another kind"):
        catalog.write(folder / "segmap.fits", overwrite=True)
