"""`morpheus classify` on files; once as a process, as users run it."""

import contextlib
import json
import os
import pickle
import pty
import re
import signal
import subprocess
import sys

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS

import morpheus
from morpheus.model import save_model

BANDS = ("H", "J")


@pytest.fixture
def classify(command):
    """Classifies a field's images, in this process."""

    def run(field, folder, *more, output="out"):
        images = [field / "in/H.fits", field / "in/J.fits"] if "--band" not in more else []
        return command("classify", "-m", folder, *images, "-o", field / output, *more)

    return run


def make_wcs():
    w = WCS(naxis=2)
    w.wcs.ctype = "RA---TAN", "DEC--TAN"
    w.wcs.crval, w.wcs.crpix = (53.12, -27.8), (20.5, 16.5)
    w.wcs.cdelt = -0.06 / 3600, 0.06 / 3600
    return w


def write_band(path, data, band, wcs=None, **cards):
    header = (wcs or make_wcs()).to_header()
    header["FILTER"] = band
    header["BUNIT"] = "ELECTRONS/S"
    header.update(cards)
    fits.writeto(path, data, header, overwrite=True)


@pytest.fixture(scope="module")
def small_folder(small_model, tmp_path_factory):
    folder = tmp_path_factory.mktemp("model") / "small"
    save_model(small_model, folder, "# small\n")
    return folder


@pytest.fixture
def field(tmp_path):
    """Two bands and their weights in a folder of their own."""
    rng = np.random.default_rng(0)
    (tmp_path / "in").mkdir()
    for band in BANDS:
        data = rng.normal(0.05, 0.1, (32, 40)).astype(np.float32)
        write_band(tmp_path / f"in/{band}.fits", data, band)
    weight = np.ones((32, 40), np.float32)
    weight[:4, :5] = 0
    write_band(tmp_path / "in/H_wht.fits", weight, "H")
    return tmp_path


def test_files_in_products_out(field, small_folder):
    """As a process: what it prints is all that is printed."""
    images = [field / f"in/{band}.fits" for band in BANDS]
    done = subprocess.run(
        [
            *(sys.executable, "-c", "from morpheus.cli import main; main()"),
            *("classify", "-m", small_folder, *images, "-o", field / "out"),
            *("--weight", f"H={field}/in/H_wht.fits"),
        ],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"COLUMNS": "200"},
    )
    assert (done.returncode, done.stderr) == (0, "")  # no progress bar: not a terminal
    assert "40 x 32 pixels" in done.stdout
    result = morpheus.Classification.read(field / "out")
    assert result.mask[:4, :5].all()
    assert result.mask.sum() == 20
    expected = np.zeros((32, 40), bool)
    expected[4:-4, 4:-4] = True  # the model's margin
    assert np.array_equal(result.n > 0, expected & ~result.mask)
    same = morpheus.classify(
        {band: field / f"in/{band}.fits" for band in BANDS},
        model=small_folder,
        weights={"H": field / "in/H_wht.fits"},
    )
    assert np.array_equal(same["disk"], result["disk"], equal_nan=True)
    assert np.array_equal(same.variance["disk"], result.variance["disk"], equal_nan=True)
    report = json.loads((field / "out/report.json").read_text())
    assert report["software"]["morpheus"] == morpheus.__version__
    assert report["masked_pixels"] == 20
    assert {entry["kind"] for entry in report["inputs"]} == {"image", "weight"}
    assert all(len(entry["sha256"]) == 64 for entry in report["inputs"])
    assert set(report["seconds"]) == {"model", "read", "engine", "classify"}


def test_bands_by_name_in_any_order_and_options(field, small_folder, classify):
    by_name = (f"J={field}/in/J.fits", f"H={field}/in/H.fits[0]")
    done = classify(
        field,
        small_folder,
        *(x for image in by_name for x in ("--band", image)),
        *("--stride", "2", "--lattice", "--edges", "pad", "--threads", "1", "--batch-size", "8"),
        *("--single-file", "--compress", "--quiet"),
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert sorted(p.name for p in (field / "out").iterdir()) == [
        "classification.fits.fz",
        "report.json",
    ]
    result = morpheus.Classification.read(field / "out")
    assert (result.n > 0).all()
    options = result.provenance["options"]
    assert options["lattice"]
    assert (options["stride"], options["edges"], options["batch_size"]) == (2, "pad", 8)


def test_region(field, small_folder, classify):
    done = classify(field, small_folder, "--region", "53.12,-27.80,1.2arcsec")
    assert done.returncode == 0, done.stderr
    result = morpheus.Classification.read(field / "out")
    assert result.shape == (20, 20)
    assert classify(field, small_folder, output="whole").returncode == 0
    whole = morpheus.Classification.read(field / "whole")
    x, y = np.round(whole.wcs.wcs_world2pix(*result.wcs.wcs_pix2world(0, 0, 0), 0)).astype(int)
    for part, all_of_it in ((result.mean, whole.mean), (result.variance, whole.variance)):
        cut = all_of_it.array[:, y : y + 20, x : x + 20]
        assert np.array_equal(part.array, cut, equal_nan=True)
    assert np.array_equal(result.n, whole.n[y : y + 20, x : x + 20])
    np.testing.assert_allclose(result.wcs.wcs_world2pix(53.12, -27.8, 0), (9.5, 9.5), atol=0.51)
    corner = make_wcs().wcs_world2pix(*result.wcs.wcs_pix2world(0, 0, 0), 0)
    np.testing.assert_allclose(corner, np.round(corner), atol=1e-6)


def test_fast_preset(field, small_folder, classify):
    # a lattice of spacing 3 needs 9 pixels that count; this model's windows have 8
    done = classify(field, small_folder, "--preset", "fast", "--stride", "2")
    assert done.returncode == 0, done.stderr
    assert morpheus.Classification.read(field / "out").provenance["options"]["precision"] == "auto"


def test_a_small_image_is_padded(tmp_path, small_folder, classify):
    (tmp_path / "in").mkdir()
    for seed, band in enumerate(BANDS):
        data = np.random.default_rng(seed).normal(size=(5, 11)).astype(np.float32)
        write_band(tmp_path / f"in/{band}.fits", data, band)
    assert classify(tmp_path, small_folder).returncode == 0
    result = morpheus.Classification.read(tmp_path / "out")
    assert result.shape == (5, 11)
    assert (result.n > 0).all()


@pytest.mark.parametrize("dtype", [">i2", ">i4", "u1"])
def test_integers_are_numbers_like_others(tmp_path, small_folder, dtype, classify):
    results = []
    for kind in (dtype, ">f4"):
        folder = tmp_path / kind[1:]
        (folder / "in").mkdir(parents=True)
        for seed, band in enumerate(BANDS):
            data = np.random.default_rng(seed).integers(0, 200, (20, 22)).astype(kind)
            write_band(folder / f"in/{band}.fits", data, band)
        assert classify(folder, small_folder).returncode == 0
        results.append(morpheus.Classification.read(folder / "out"))
    assert np.array_equal(results[0].mean.array, results[1].mean.array, equal_nan=True)


def test_other_pixel_scales_are_warned_of(field, small_folder, classify):
    wcs = make_wcs()
    wcs.wcs.cdelt = -0.03 / 3600, 0.03 / 3600
    for band in BANDS:
        write_band(field / f"in/{band}.fits", fits.getdata(field / f"in/{band}.fits"), band, wcs)
    done = classify(field, small_folder)
    assert done.returncode == 0
    assert re.fullmatch(r"morpheus: warning: .*0\.03 arcsec per pixel.*0\.06.*\n", done.stderr)


def test_other_units_are_warned_of(field, small_folder, classify):
    data = fits.getdata(field / "in/J.fits")
    write_band(field / "in/J.fits", data, "J", BUNIT="MJy/sr")
    done = classify(field, small_folder)
    assert done.returncode == 0
    assert re.fullmatch(r"morpheus: warning: J is in MJy/sr, but .*electron / s.*\n", done.stderr)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interruption_leaves_nothing_half_written(field, small_folder, number):
    """In the middle of the work, which the progress bar on a terminal tells."""
    for band in BANDS:
        data = np.random.default_rng(0).normal(size=(1500, 1500)).astype(np.float32)
        write_band(field / f"in/{band}.fits", data, band)
    arguments = ["classify", "-m", small_folder, field / "in/H.fits", field / "in/J.fits"]
    # Where the tests run in the background, SIGINT is ignored, which children inherit.
    program = (
        "import signal; signal.signal(signal.SIGINT, signal.default_int_handler);"
        "from morpheus.cli import main; main()"
    )
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", program, *map(str, arguments), "-o", field / "out"],
        stderr=theirs,
        env=os.environ | {"TERM": "xterm"},
    )
    os.close(theirs)
    shown = b""
    while b"windows/s" not in shown:  # the rate is known from the second batch on
        shown += os.read(ours, 4096)
    process.send_signal(number)
    with contextlib.suppress(OSError):  # the terminal's end
        while more := os.read(ours, 4096):
            shown += more
    os.close(ours)
    assert process.wait() == 130
    assert b"morpheus: interrupted" in shown
    assert b"classifying" in shown
    assert not (field / "out").exists()


# ---- what can be wrong


def spoil_missing(field):
    (field / "in/J.fits").unlink()
    return [], r"J\.fits: no such file"


def spoil_not_fits(field):
    (field / "in/J.fits").write_text("P6 640 480 255")
    return [], r"J\.fits is no FITS file"


def spoil_empty(field):
    (field / "in/J.fits").write_bytes(b"")
    return [], r"J\.fits is empty"


def spoil_truncated(field):
    path = field / "in/J.fits"
    path.write_bytes(path.read_bytes()[:-3000])
    return [], r"J\.fits is truncated"


def spoil_hdu(field):
    (field / "in/J.fits").rename(field / "in/other.fits")
    bands = ("--band", f"H={field}/in/H.fits", "--band", f"J={field}/in/other.fits[WHT]")
    return bands, "no such HDU; the file holds"


def spoil_1d(field):
    fits.writeto(field / "in/J.fits", np.ones(40, np.float32), overwrite=True)
    return [], r"shape \(40,\), a band is a 2-D image"


def spoil_3d(field):
    fits.writeto(field / "in/J.fits", np.ones((2, 32, 40), np.float32), overwrite=True)
    return [], r"shape \(2, 32, 40\), a band is a 2-D image"


def spoil_shape(field):
    write_band(field / "in/J.fits", np.random.default_rng(0).normal(size=(32, 41)), "J")
    return [], r"J.*41.*while H.*40|J is 41x32"


def spoil_wcs(field):
    wcs = make_wcs()
    wcs.wcs.crpix = 21.5, 16.5
    write_band(field / "in/J.fits", fits.getdata(field / "in/J.fits"), "J", wcs)
    return [], r"J is shifted by \(dx, dy\) = \(.?1\.00.*reproject"


def spoil_order(field):
    (field / "in/H.fits").rename(field / "in/x.fits")
    (field / "in/J.fits").rename(field / "in/H.fits")
    (field / "in/x.fits").rename(field / "in/J.fits")
    return [], "swapped"


def spoil_nan(field):
    write_band(field / "in/J.fits", np.full((32, 40), np.nan, np.float32), "J")
    return [], "no valid pixel: J is NaN everywhere"


def spoil_constant(field):
    write_band(field / "in/J.fits", np.zeros((32, 40), np.float32), "J")
    return [], r"J is constant \(0\.0 everywhere\)"


def spoil_one_pixel(field):
    for band in BANDS:
        write_band(field / f"in/{band}.fits", np.ones((1, 1), np.float32), band)
    return [], "H is constant"


def spoil_weights(field):
    write_band(field / "in/H_wht.fits", np.zeros((32, 40), np.float32), "H")
    return ["--weight", f"H={field}/in/H_wht.fits"], "no valid pixel"


def spoil_output(field):
    (field / "blocked").write_text("")
    return ["-o", field / "blocked/out"], "cannot write to .*blocked"


def spoil_option(field):
    return ["--stride", "0"], "stride is 0"


def spoil_band_syntax(field):
    return ["--weight", "weight.fits"], "expected BAND=FILE"


def spoil_band_name(field):
    return ["--weight", f"K={field}/in/H_wht.fits"], "K"


def spoil_region(field):
    return ["--region", "10.0,20.0,5arcsec"], "region"


def spoil_region_unit(field):
    return ["--region", "53.12,-27.8,5"], "arcsec"


def spoil_device(field):
    return ["--device", "cuda:77"], "device 'cuda:77' is not available|needs PyTorch"


@pytest.mark.parametrize(
    "spoil", [f for n, f in sorted(globals().items()) if n.startswith("spoil_")]
)
def test_bad_input_is_one_line_and_nothing_is_written(field, small_folder, spoil, classify):
    arguments, message = spoil(field)
    done = classify(field, small_folder, *arguments)
    assert done.returncode == 2, done.stderr
    assert re.search(message, done.stderr), done.stderr
    assert done.stderr.startswith("morpheus: error: ")
    assert done.stderr.count("\n") == 1, done.stderr
    assert not (field / "out").exists(), "something was left behind"


def test_bad_models(field, small_folder, tmp_path, classify):
    weights = (small_folder / "weights.safetensors").read_bytes()
    tampered = tmp_path / "tampered"
    tampered.mkdir()
    (tampered / "config.json").write_bytes((small_folder / "config.json").read_bytes())
    (tampered / "weights.safetensors").write_bytes(weights[:-1] + bytes([weights[-1] ^ 1]))
    (tmp_path / "model.pkl").write_bytes(pickle.dumps({"weights": [1, 2]}))
    for model, message in (
        ("nosuch", "unknown model 'nosuch'"),
        (tampered, "does not match the sha256"),
        (tmp_path / "model.pkl", "never opened"),
    ):
        done = classify(field, model)
        assert done.returncode == 2
        assert message in done.stderr
        assert done.stderr.count("\n") == 1
        assert not (field / "out").exists()


def test_products_are_not_overwritten_unasked(field, small_folder, classify):
    assert classify(field, small_folder).returncode == 0
    done = classify(field, small_folder)
    assert done.returncode == 2
    assert "--overwrite" in done.stderr
    assert classify(field, small_folder, "--overwrite").returncode == 0
    (field / "in/J.fits").unlink()
    done = classify(field, small_folder)
    assert "--overwrite" in done.stderr  # found out before anything is read


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("classify", "--stride", "x"), "Invalid value for '--stride'"),
        (("classify", "--nonsense"), "No such option: --nonsense"),
        (("clasify",), "No such command 'clasify'"),
        (("classify", "h.fits"), "Missing option"),
        (("classify", "-m", "", "-o", "out", "h.fits"), "name of the model is empty"),
        (("classify", "-m", "x" * 5000, "-o", "out", "h.fits"), "File name too long"),
    ],
)
def test_mistakes_in_the_command_are_one_line_too(arguments, message, command, models):
    done = command(*arguments)
    assert done.returncode == 2
    assert message in done.stderr
    assert done.stderr.count("\n") == 1


def test_no_images(small_folder, tmp_path, command):
    done = command("classify", "-m", small_folder, "-o", tmp_path / "out")
    assert done.returncode == 2
    assert "one image per band" in done.stderr
