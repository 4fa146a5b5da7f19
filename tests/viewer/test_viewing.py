"""Folders of runs, whole and not, opened for the page."""

import gzip
import hashlib
import json
import os
import shutil
import warnings

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table

import morpheus
from morpheus.errors import ImageError, OptionError, ProductError
from morpheus.mosaic import MosaicWarning, files
from morpheus.pipeline import viewing, viewing_files, viewing_sky
from morpheus.pipeline.viewing import check_same_grid, open_run


def kinds(run):
    return [one.kind for one in run.pyramid.sets.values()]


def whole(run):
    return tuple(slice(0, side) for side in run.pyramid.shape)


@pytest.fixture
def edit_report():
    def edit(folder, change):
        path = folder / "report.json"
        report = json.loads(path.read_text())
        change(report)
        path.write_text(json.dumps(report))

    return edit


def test_a_whole_run(make_run):
    with open_run(make_run()) as run:
        assert kinds(run) == [
            *("picture", "share", "share", "scatter", "scatter", "label"),
            *["band"] * 3,
        ]
        assert run.title == "out"
        assert run.sources.description()["n"] == 9
        for path in run.paths():
            run.give(path)


def test_without_catalogue_and_segmentation(make_run):
    with open_run(make_run(catalog=False)) as run:
        assert run.sources is None
        assert "label" not in kinds(run)
        about = run.manifest()
        assert about["catalog"] is None
        assert about["facts"]["detection_band"] is None
        with pytest.raises(KeyError):
            run.give("rows/0.json")
        for path in run.paths():
            run.give(path)


def test_segmentation_without_catalogue(make_run):
    folder = make_run()
    (folder / "catalog.fits").unlink()
    with open_run(folder) as run:
        assert run.sources is None
        assert "label" in kinds(run)


def test_catalogue_without_segmentation(make_run):
    folder = make_run()
    (folder / "segmap.fits").unlink()
    with open_run(folder) as run:
        assert run.sources is not None
        assert "label" not in kinds(run)


@pytest.mark.parametrize("name", ["catalog.ecsv", "catalog.vot", "catalog.parquet"])
def test_other_formats_of_the_catalogue(make_run, name):
    folder = make_run()
    catalog = morpheus.Catalog.read(folder / "catalog.fits")
    (folder / "catalog.fits").unlink()
    catalog.write(folder / name)
    with open_run(folder) as run:
        x = np.frombuffer(run.sources.column(catalog.table.colnames.index("x")), "<f8")
        np.testing.assert_array_equal(x, catalog.table["x"])
        assert "label" in kinds(run)


def test_images_that_are_missing(make_run, tmp_path):
    folder = make_run(own_images=True)
    (tmp_path / "in/F125W.fits").unlink()
    with (
        pytest.warns(MosaicWarning, match=r"F125W\.fits is missing"),
        open_run(folder) as run,
    ):
        assert run.bands == ()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", MosaicWarning)
        with open_run(folder) as run:
            assert kinds(run) == ["share", "share", "scatter", "scatter", "label"]
            for path in run.paths():
                run.give(path)


def test_the_warning_of_missing_images(make_run, tmp_path):
    folder = make_run(own_images=True)
    shutil.rmtree(tmp_path / "in")
    with (
        pytest.warns(MosaicWarning) as caught,
        open_run(folder) as run,
    ):
        assert run.manifest()["bands"] == []
    (message,) = {str(one.message) for one in caught}
    assert "F160W.fits is missing" in message
    assert "the map is without them" in message


def test_arrays_were_classified(make_run, edit_report):
    folder = make_run()
    edit_report(folder, lambda r: [entry.update(path=None) for entry in r["inputs"]])
    with pytest.warns(MosaicWarning, match="were no files"), open_run(folder) as run:
        assert run.bands == ()


def test_a_changed_image(make_run, tmp_path):
    folder = make_run(own_images=True)
    image = tmp_path / "in/F606W.fits"
    with open_run(folder):
        pass
    pixels, header = fits.getdata(image, header=True)
    pixels[5, 5] += 1
    fits.writeto(image, pixels, header, overwrite=True)
    os.utime(image, ns=(1, 1))
    for _ in range(2):  # it is not noted as checked
        with pytest.raises(ImageError, match=r"F606W\.fits has changed since"), open_run(folder):
            pass


@pytest.mark.parametrize("damage", ["labels", "catalogue"])
def test_a_segmentation_map_that_is_not_the_catalogue_s(make_run, damage):
    folder = make_run()
    with open_run(folder):
        pass
    if damage == "labels":
        path = folder / "segmap.fits"
        with fits.open(path, mode="update") as hdus:
            hdus["SEGMAP"].data[0, 0] += 1
        os.utime(path, ns=(1, 1))
    else:
        path = folder / "catalog.fits"
        catalog = morpheus.Catalog.read(path)
        catalog.provenance["segmentation"]["labels_sha256"] = "0" * 64
        catalog.write(path, overwrite=True)
    for _ in range(2):  # it is not noted as checked
        with (
            pytest.raises(
                ProductError, match=r"another segmentation map than .*segmap\.fits; make"
            ),
            open_run(folder),
        ):
            pass


def test_labels_are_digested_in_parts(make_run, monkeypatch):
    """In the end it is the digest that a catalogue has of its map."""
    folder = make_run()
    monkeypatch.setattr(viewing_files, "_ROWS", 7)
    with open_run(folder) as run:
        assert "label" in kinds(run)


def test_files_are_read_whole_once_only(make_run, monkeypatch):
    folder = make_run()
    calls, digested = [], []
    digest = viewing_files._labels_digest
    monkeypatch.setattr(
        viewing_files, "_labels_digest", lambda labels: digested.append(1) or digest(labels)
    )
    sha256 = files._sha256
    monkeypatch.setattr(files, "_sha256", lambda *a, **k: calls.append(a) or sha256(*a, **k))
    for _ in range(2):
        with open_run(folder):
            assert (len(calls), len(digested)) == (3, 1)


def test_compressed_images_are_unpacked_once(make_run, tmp_path, monkeypatch):
    """Any part of a .fits.gz is found by unpacking all before it."""
    folder, told = make_run(own_images=True), []
    path = tmp_path / "in/F125W.fits"
    packed = path.with_name("F125W.fits.gz")
    packed.write_bytes(gzip.compress(path.read_bytes()))
    report = json.loads((folder / "report.json").read_text())
    for entry in report["inputs"]:
        if entry["path"] == str(path):
            entry |= {
                "path": str(packed),
                "sha256": hashlib.sha256(packed.read_bytes()).hexdigest(),
            }
    (folder / "report.json").write_text(json.dumps(report))
    monkeypatch.setattr(viewing_sky, "_ROWS", 100)
    with open_run(folder, progress=lambda *done: told.append(done)) as run:
        pixels = run.pyramid.sets["band-1"].read(whole(run))[0]
        np.testing.assert_array_equal(pixels, fits.getdata(path))
    n = 270 * 310
    assert told == [(100 * 310, n), (200 * 310, n), (n, n)]
    assert [path.name for path in (folder / "tiles").glob("unpacked*")] == ["unpacked-1"]
    reads = []
    read = viewing_sky.reader
    monkeypatch.setattr(
        viewing_sky,
        "reader",
        lambda image: lambda section: reads.append(image.path) or read(image)(section),
    )
    with open_run(folder, progress=lambda *_: pytest.fail("unpacked again")) as run:
        np.testing.assert_array_equal(run.pyramid.sets["band-1"].read(whole(run))[0], pixels)
        run.give("tiles/band-1/0/1_1.png")
    assert packed not in reads


@pytest.mark.parametrize("step", [1, 2, 4, 5, 9])
def test_skies_are_measured_on_evenly_spaced_rows(monkeypatch, step):
    """Whether these alone are read, or, as they are close, those between them too."""
    image = np.arange(60.0 * 7).reshape(60, 7)
    monkeypatch.setattr(viewing_sky, "_SAMPLE", image.size // step)
    asked = []

    def read(section):
        asked.append(section)
        return image[section]

    found = viewing_sky._sample(read, image.shape)
    assert found.tolist() == image[step // 2 :: step].ravel().tolist()
    assert len(asked) == (1 if step <= 4 else len(image[step // 2 :: step]))


@pytest.mark.parametrize("how", [{"compress": True}, {"single_file": True}])
def test_how_maps_are_written_does_not_matter(make_run, how):
    with open_run(make_run("plain")) as plain, open_run(make_run("other", **how)) as other:
        assert list(plain.paths()) == list(other.paths())
        for name in ("share-0", "share-1", "labels", "band-0"):
            first, second = (run.pyramid.sets[name].read(whole(run)) for run in (plain, other))
            # What is compressed is rounded.
            np.testing.assert_allclose(first, second, atol=0.002)


def test_a_region(make_run, made):
    region = "53.1205,-27.7995,6arcsec,4.8arcsec"
    folder = make_run(region=region)
    with open_run(folder) as run:
        height, width = run.pyramid.shape
        assert (height, width) == (80, 100)
        assert json.loads(run.give("manifest.json")[0])["shape"] == [80, 100]
        pixels = run.pyramid.sets["band-0"].read(whole(run))[0]
        image = fits.getdata(made / "in/F160W.fits")
        # By the WCS of the maps, in the whole image.
        sky = run.wcs.pixel_to_world([0, width - 1], [0, height - 1])
        from astropy.wcs import WCS

        header = fits.getheader(made / "in/F160W.fits")
        (x0, x1), (y0, y1) = (np.rint(v).astype(int) for v in WCS(header).world_to_pixel(sky))
        np.testing.assert_array_equal(pixels, image[y0 : y1 + 1, x0 : x1 + 1])
        source = run.pyramid.sets["share-0"].read(whole(run))[0]
        np.testing.assert_allclose(source, 0.6 * np.clip(pixels / 0.05, 0, 1), atol=1e-6)


def test_a_folder_that_cannot_be_written(make_run, monkeypatch):
    folder = make_run()
    access = os.access
    monkeypatch.setattr(
        viewing.os, "access", lambda path, how: path != folder and access(path, how)
    )
    before = sorted(path.name for path in folder.rglob("*"))
    with open_run(folder) as run:
        kept = run.pyramid.folder
        run.give("tiles/share-0/1/0_0.png")
        assert folder not in kept.parents
        assert (kept / "share-0").is_dir()
    assert not kept.exists()
    assert sorted(path.name for path in folder.rglob("*")) == before


@pytest.mark.parametrize("where", ["own", "given"])
def test_a_tiles_folder_that_cannot_be_written(make_run, tmp_path, where):
    folder = make_run()
    tiles = folder / "tiles" if where == "own" else tmp_path / "tiles"
    tiles.write_text("a file")
    with (
        pytest.raises(ProductError, match=r"tiles: .*; give another folder with --tiles FOLDER"),
        open_run(folder, tiles=None if where == "own" else tiles),
    ):
        pass


def test_tiles_elsewhere(make_run, tmp_path):
    folder = make_run()
    with open_run(folder, tiles=tmp_path / "deep/tiles") as run:
        run.give("tiles/share-0/1/0_0.png")
    assert (tmp_path / "deep/tiles/share-0").is_dir()
    assert not (folder / "tiles").exists()


def test_new_maps_make_new_tiles(make_run):
    folder = make_run()
    with open_run(folder) as run:
        before = run.give("tiles/share-0/1/0_0.png")[0]
        signature = run.pyramid.signature
    path = folder / "spheroid_mean.fits"
    pixels, header = fits.getdata(path, header=True)
    fits.writeto(path, pixels / 2, header, overwrite=True)
    os.utime(path, ns=(1, 1))
    with open_run(folder) as run:
        assert run.pyramid.signature != signature
        assert run.give("tiles/share-0/1/0_0.png")[0] != before


def test_guided(make_run):
    folder = make_run(catalog=False)
    classification = morpheus.Classification.read(folder)
    flux = classification.mean["spheroid"]
    guided = morpheus.segment(
        classification, np.nan_to_num(flux), positions=Table({"id": [7], "x": [40], "y": [30]})
    )
    path = guided.write(folder)
    assert path.name == "guided_segmap.fits"
    with open_run(folder) as run:
        labels = run.pyramid.sets["labels"].read(whole(run))[0]
        np.testing.assert_array_equal(labels, guided.labels)


def test_a_model_s_one_look_has_no_scatter(make_run, edit_report):
    folder = make_run()
    edit_report(folder, lambda r: r.update(statistics=["mean"]))
    with open_run(folder) as run:
        assert "scatter" not in kinds(run)


@pytest.mark.parametrize("missing", ["model", "products", "inputs"])
def test_an_incomplete_report(make_run, edit_report, missing):
    folder = make_run()
    edit_report(folder, lambda r: r.pop(missing))
    with pytest.raises(
        ProductError,
        match=rf"no complete classification: its report\.json has no {missing}, .* morpheus run",
    ):
        open_run(folder).__enter__()


@pytest.mark.parametrize("key", ["band", "kind", "path", "hdu", "sha256"])
@pytest.mark.parametrize("damage", ["gone", "other"])
def test_a_damaged_entry_of_an_image(make_run, edit_report, key, damage):
    folder = make_run()

    def change(report):
        entry = report["inputs"][1]
        entry.pop(key) if damage == "gone" else entry.update({key: 3})

    edit_report(folder, change)
    with pytest.raises(
        ProductError, match=rf"report\.json has no {key} in an entry of inputs \(1 "
    ):
        open_run(folder).__enter__()


@pytest.mark.parametrize(
    ("key", "value"),
    [
        *(("inputs", {}), ("inputs", ["a"]), ("model", []), ("model", {"classes": [1]})),
        *(("products", [3]), ("statistics", "mean"), ("region", 3), ("software", None)),
        *(("started", []), ("inputs", None)),
    ],
)
def test_a_damaged_report(make_run, edit_report, key, value):
    folder = make_run()
    edit_report(folder, lambda r: r.update({key: value}))
    with pytest.raises(ProductError, match=r"its report\.json has no .*, or a wrong one"):
        open_run(folder).__enter__()


def test_damaged_products(make_run):
    folder = make_run()
    (folder / "disk_mean.fits").write_bytes(b"nothing")
    with pytest.raises(ProductError, match="classification cannot be read"):
        open_run(folder).__enter__()
    (folder / "disk_mean.fits").unlink()
    with pytest.raises(ProductError, match="classification cannot be read"):
        open_run(folder).__enter__()


def test_no_run(tmp_path):
    with pytest.raises(ProductError, match="is not there"):
        open_run(tmp_path / "nothing").__enter__()
    with pytest.raises(ProductError, match=r"report\.json"):
        open_run(tmp_path).__enter__()


def test_products_are_those_of_the_folder(make_run, edit_report, tmp_path):
    """A report cannot lead elsewhere: of its products' names the last part counts."""
    folder = make_run()
    elsewhere = tmp_path / "elsewhere.fits"
    shutil.copy(folder / "disk_mean.fits", elsewhere)
    edit_report(
        folder,
        lambda r: r.update(products=[f"../{name}" for name in r["products"]]),
    )
    with open_run(folder) as run:
        assert {path.parent for path in (run.pyramid.folder,)} == {folder}
        run.give("tiles/share-0/0/0_0.png")


def test_the_same_grid(make_run, edit_report):
    first, second = make_run("a"), make_run("b", region="53.1205,-27.7995,6arcsec")
    with open_run(first) as a, open_run(second) as b:
        check_same_grid([a])
        check_same_grid([a, a])
        with pytest.raises(OptionError, match=r"a and b are of other sizes: \(270, 310\) and"):
            check_same_grid([a, b])
    third = make_run("c")
    edit_report(third, lambda r: r["model"].update(classes=["background", "disk"]))
    with (
        open_run(first) as a,
        open_run(third) as c,
        pytest.raises(OptionError, match="have other classes"),
    ):
        check_same_grid([a, c])


def test_nothing_is_said_of_a_good_run(make_run):
    folder = make_run()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with open_run(folder) as run:
            assert run.bands[0].zero_point == pytest.approx(25.94, abs=0.02)
