"""The commands with a dense model: fewer bands, others in their place, and its own mistakes."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

import morpheus
from morpheus.model import Model, save_model

BANDS = ("F160W", "F125W", "F606W")


@pytest.fixture(scope="module")
def dense(dense_model, tmp_path_factory):
    folder = tmp_path_factory.mktemp("model") / "dense"
    # A head of small weights: its probabilities are neither 0 nor 1.
    weights = {
        name: values * np.float32(0.2 if name.startswith("head") else 1)
        for name, values in dense_model.weights.items()
    }
    save_model(Model(dense_model.config, weights), folder, "# A dense model\n\nOf **no** use.\n")
    return folder


@pytest.fixture
def images(field):
    """Copies, to be changed."""
    (field / "own").mkdir()
    return [Path(shutil.copy(field / f"in/{band}.fits", field / "own")) for band in BANDS]


def failure(done):
    assert done.returncode == 2, done.stdout + done.stderr
    assert done.stderr.startswith("morpheus: error: ")
    assert done.stderr.count("\n") == 1, done.stderr
    return done.stderr


def as_band(path, band, target):
    """The same image, taken in another band."""
    data, header = fits.getdata(path, header=True)
    header["FILTER"] = band
    fits.writeto(target, data, header)
    return target


def test_classify(command, field, images, dense):
    done = command("classify", "-m", dense, *images, "-o", field / "all")
    assert (done.returncode, done.stderr) == (0, "")
    assert "5,400 of them classified" in done.stdout
    assert done.stdout.count("\n") == 1  # nothing to say of the bands
    assert {p.name for p in (field / "all").iterdir()} == {
        *(f"{c}_mean.fits" for c in morpheus.Classification.read(field / "all").classes),
        *("n.fits", "mask.fits", "report.json"),
    }
    header = fits.getheader(field / "all/disk_mean.fits")
    assert (header["WINDOW"], header["STRIDE"], header["EDGES"]) == (64, 24, "masked")


@pytest.mark.parametrize("preset", ["exact", "fast"])
def test_fewer_files_say_which_band_they_are(command, field, images, dense, preset):
    other = as_band(images[1], "F105W", field / "own/y.fits")
    done = command(
        *("classify", "-m", dense, images[0], other, "-o", field / "two", "--preset", preset)
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[1] == "without F606W; F105W for F125W"
    result = morpheus.Classification.read(field / "two")
    assert result.provenance["bands"] == {
        "given": ["F160W", "F105W"],
        "absent": ["F606W"],
        "substituted": {"F125W": "F105W"},
    }
    expected = ["auto", "float32"][preset == "exact"]
    assert result.provenance["options"]["precision"] == expected


def test_a_region_is_a_part_of_the_whole(command, field, images, dense):
    assert command("classify", "-m", dense, *images, "-o", field / "all").returncode == 0
    done = command(
        *("classify", "-m", dense, *images, "-o", field / "part"),
        *("--region", "53.12,-27.8,2.1arcsec,1.5arcsec"),
    )
    assert (done.returncode, done.stderr) == (0, "")
    whole, part = (morpheus.Classification.read(field / name) for name in ("all", "part"))
    assert part.shape == (25, 35)
    x, y = np.round(whole.wcs.wcs_world2pix(*part.wcs.wcs_pix2world(0, 0, 0), 0)).astype(int)
    cut = whole.mean.array[:, y : y + 25, x : x + 35]
    assert np.array_equal(part.mean.array, cut)


def test_other_units_are_no_matter_other_scales_are(command, field, images, dense):
    for path in images:
        with fits.open(path, mode="update") as hdus:
            hdus[0].header["BUNIT"] = "MJy/sr"
            hdus[0].header["CDELT1"] = hdus[0].header["CDELT1"] / 2
            hdus[0].header["CDELT2"] = hdus[0].header["CDELT2"] / 2
    done = command("classify", "-m", dense, *images, "-o", field / "all")
    assert done.returncode == 0
    assert done.stderr.count("\n") == 1
    assert "0.03 arcsec per pixel" in done.stderr


def thresholds(paths, dense):
    """The random network calls some percent of the pixels sources."""
    bands = {path.stem: fits.getdata(path) for path in paths}
    light = 1 - morpheus.classify(bands, model=dense)["background"]
    seed, grow = np.percentile(light, (98, 95))
    return "--seed", f"{seed:.6f}", "--grow", f"{grow:.6f}", "--min-area", "1"


@pytest.mark.parametrize("number", [1, 2, 3])
def test_run(command, field, images, dense, number):
    """Catalogue, pictures and stamps of one, two and three bands."""
    used = images[3 - number :]
    done = command(
        *("run", "-m", dense, "-o", field / "all", *thresholds(used, dense)),
        *(x for path in used for x in ("--band", f"{path.stem}={path}")),
    )
    assert (done.returncode, done.stderr) == (0, "")
    names = {path.name for path in (field / "all").iterdir()}
    assert {"segmap.fits", "catalog.fits", "classes.png", "rgb.png", "stamps.png"} <= names
    table = morpheus.Catalog.read(field / "all/catalog.fits").table
    assert len(table) > 0
    for name in table.colnames:
        if name.startswith("p_") and name.endswith("_err"):
            values = table[name]
            absent = np.ma.getmaskarray(values) | np.isnan(np.ma.getdata(values).astype(float))
            assert absent.all(), name
    assert np.isfinite(np.asarray(table["p_disk"])).all()
    report = json.loads((field / "all/report.json").read_text())
    assert report["files"]["segmap.fits"]["detection_band"] == BANDS[3 - number]
    assert len(report["files"]["rgb.png"]["bands"]) == number
    assert (f"without {', '.join(BANDS[: 3 - number])}" in done.stdout) == (number < 3)

    # and the stages by themselves, from what the report says
    assert command("segment", field / "all", "-o", field / "s").returncode == 0
    assert command("catalog", field / "all", "-o", field / "c.fits").returncode == 0
    done = command(
        *("release", field / "all", "--field", "F", "--version", "1.0", "-o", field / "r")
    )
    assert done.returncode == 0, done.stderr


def test_a_release_has_no_maps_that_are_known(command, field, images, dense):
    options = thresholds(images, dense)
    done = command("run", "-m", dense, *images, "-o", field / "all", *options)
    assert done.returncode == 0, done.stderr
    done = command(
        *("release", field / "all", "--field", "F", "--version", "1.0", "-o", field / "r")
    )
    assert done.returncode == 0, done.stderr
    (path,) = (field / "r").rglob("*_disk.v1.0.fits")
    with fits.open(path) as hdus:
        assert [hdu.name for hdu in hdus] == ["DISK_MEAN"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--stride", "2"), "no stride to choose"),
        (("--stride", "1"), "no stride to choose"),
        (("--grid",), "no lattice to choose"),
        (("--edges", "skip"), "no edges to choose"),
        (("--preset", "fast", "--lattice"), "no lattice to choose"),
    ],
)
@pytest.mark.parametrize("name", ["classify", "run"])
def test_windows_are_not_for_the_user_to_place(
    command, field, images, dense, arguments, message, name
):
    done = command(name, "-m", dense, *images, "-o", field / "x", *arguments)
    assert message in failure(done)
    assert not (field / "x").exists()


def test_mistakes_with_bands(command, field, images, dense):
    with fits.open(images[1], mode="update") as hdus:
        del hdus[0].header["FILTER"]
    for arguments, message in (
        ((images[0], images[1]), "it is not clear which band F125W.fits is"),
        (("--band", f"K={images[0]}"), "K is none of them"),
        (
            ("--band", f"F160W={images[0]}", "--weight", f"F606W={images[2]}"),
            "weights: F606W is not given as an image; the images are F160W",
        ),
        ((*images, images[0]), "4 were given"),
        ((field / "no.fits", images[0]), "no such file"),
    ):
        done = command("classify", "-m", dense, *arguments, "-o", field / "x")
        assert message in failure(done)
        assert not (field / "x").exists()


def test_what_is_not_used_is_said(command, field, images, dense):
    other = as_band(images[1], "F105W", field / "own/y.fits")
    bands = {"F160W": images[0], "F125W": images[1], "F105W": other}
    done = command(
        *("classify", "-m", dense, "-o", field / "x"),
        *(x for name, path in bands.items() for x in ("--band", f"{name}={path}")),
    )
    assert done.returncode == 0
    assert done.stderr.startswith("morpheus: warning: F105W is not used: F125W")
    assert done.stderr.count("\n") == 1


def test_the_default_model(command, field, images, dense_config, make_model, models):
    import dataclasses

    from morpheus.model import DEFAULT_MODEL

    done = command("classify", *images, "-o", field / "x")
    assert f"unknown model '{DEFAULT_MODEL}'" in failure(done)  # the test hides what is shipped
    config = dataclasses.replace(dense_config, name=DEFAULT_MODEL)
    save_model(make_model(config), models / DEFAULT_MODEL, "")
    assert command("classify", *images, "-o", field / "x").returncode == 0
    assert morpheus.Classification.read(field / "x").provenance["model"]["name"] == DEFAULT_MODEL
    bands = {band: fits.getdata(path) for band, path in zip(BANDS, images, strict=True)}
    assert morpheus.classify(bands).n.all()


def test_info_and_list(command, dense, models, monkeypatch):
    done = command("models", "info", dense)
    assert "A dense model" in done.stdout
    assert "Of no use." in done.stdout  # Markdown, rendered
    for line in (
        "bands    F160W F125W F606W, any of them",
        "F105W or F110W for F125W",
        "arcsec per pixel, in any unit",
        "64 pixels, of which 24 count, each once",
    ):
        assert line in done.stdout
    from morpheus.model import registry

    monkeypatch.setattr(registry, "_SHIPPED", dense.parent)
    listed = command("models", "list").stdout
    assert "F606W, any of them" in listed
    assert "comes with Morpheus" in listed


def test_export(command, dense, field):
    pytest.importorskip("onnx")
    target = field / "m.onnx"
    done = command("models", "export", dense, "--format", "onnx", "-o", target)
    assert (done.returncode, done.stderr) == (0, "")
    assert target.stat().st_size > 1000
    assert "exists" in failure(command("models", "export", dense, "-o", target))
    assert command("models", "export", dense, "-o", target, "--overwrite").returncode == 0
    assert "there is onnx" in failure(
        command("models", "export", dense, "--format", "tflite", "-o", field / "t")
    )
