"""`morpheus evaluate`: whole runs, and mistakes."""

import dataclasses
import json

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table

pytest.importorskip("galsim")
pytest.importorskip("jinja2")
pytest.importorskip("sep")

from morpheus.model import save_model
from morpheus.simulate import FieldOptions, make_field

pytestmark = pytest.mark.usefixtures("small_figures")


@pytest.fixture(scope="module")
def simulated(tmp_path_factory):
    folder = tmp_path_factory.mktemp("evaluate") / "field"
    made = make_field(folder, FieldOptions(size=160, seed=4, density=400))
    return folder, made


@pytest.fixture
def evaluate(command, tmp_path):
    """Runs the command into a folder of its own."""

    def run(*arguments):
        output = tmp_path / "report"
        code, out, error = command("evaluate", *arguments, "-o", output)
        return code, out, error, output

    return run


def record(output):
    return json.loads((output / "evaluation.json").read_text())


def test_a_survey(evaluate):
    code, out, error, output = evaluate(
        *("--baseline", "sep", "--survey", "candels-wide"),
        *("--size", 128, "--fields", 2, "--seed", 5, "--density", 400, "--no-tests"),
    )
    assert (code, error) == (0, "")
    assert "sources to 25.5 mag detected" in out
    found = record(output)
    assert found["setup"]["seeds"] == [5, 6]
    assert found["setup"]["kind"] == "simulated"
    assert found["detectors"]["sep"]["scores"]["n_images"] == 2
    assert (output / "report.html").exists()
    assert (output / "sources_sep.ecsv").exists()


def test_a_field_on_disk_side_by_side_with_its_truth(evaluate, simulated, tmp_path):
    folder, made = simulated
    fits.writeto(tmp_path / "truth.fits", made.truth.owner)
    code, out, error, output = evaluate(
        *("--field", folder, "--baseline", "photutils", "--segmap"),
        f"best={tmp_path / 'truth.fits'}",
    )
    assert (code, error) == (0, "")
    assert out.count("\n") == 3
    scores = {name: one["scores"] for name, one in record(output)["detectors"].items()}
    assert scores["best"]["segmentation"]["iou"] == 1
    assert 0.2 < scores["photutils"]["segmentation"]["iou"] < 1


def test_labels_of_a_real_image(evaluate, simulated, tmp_path):
    folder, made = simulated
    catalog = made.catalog[made.catalog["mag_f160w"] < 25]
    labels = Table({name: np.asarray(catalog[name]) for name in ("id", "ra", "dec", "class")})
    labels["h"] = np.asarray(catalog["mag_f160w"])
    labels.write(tmp_path / "votes.csv")
    code, _, error, output = evaluate(
        *("--baseline", "sep", "--labels", tmp_path / "votes.csv", "--column", "mag=h"),
        *("--band", f"F160W={folder / 'f160w_sci.fits'}"),
        *("--weight", f"F160W={folder / 'f160w_wht.fits'}"),
    )
    assert (code, error) == (0, "")
    found = record(output)
    assert found["setup"]["labels"].endswith("votes.csv")
    scores = found["detectors"]["sep"]["scores"]
    assert "purity" not in scores["detection"]
    assert scores["detection"]["completeness"]["mag"]
    assert scores["detection"]["completeness"]["total"]["value"] > 0.7


def test_nothing_is_replaced(evaluate, simulated):
    arguments = "--field", simulated[0], "--baseline", "sep", "-q"
    assert evaluate(*arguments)[:3] == (0, "", "")
    code, _, error, output = evaluate(*arguments)
    assert code == 2
    assert "--overwrite" in error
    assert evaluate(*arguments, "--overwrite")[0] == 0
    assert (output / "report.html").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--baseline", "sep"), "--survey"),
        (("--survey", "candels-deep"), "nothing to evaluate"),
        (("--survey", "dss", "--baseline", "sep"), "candels-deep"),
        (("--survey", "xdf", "--baseline", "sep", "--density", "1e9"), "density"),
        (("--survey", "xdf", "--baseline", "sep", "--fields", 0), "--fields"),
        (("--survey", "xdf", "--baseline", "daofind"), "sep, photutils"),
        (("--survey", "xdf", "--field", ".", "--baseline", "sep"), "one of"),
        (("--survey", "xdf", "--baseline", "sep", "--images", "a.fits"), "--labels"),
        (("--survey", "xdf", "--baseline", "sep", "--complete"), "--complete needs --labels"),
        (("--labels", "l", "--baseline", "sep", "--band", "H=h", "--column", "mag"), "WHAT=NAME"),
        (("--field", ".", "--baseline", "sep", "--size", 99), "--size needs --survey"),
        (("--survey", "xdf", "-m", "nosuch"), "nosuch"),
        (("--survey", "xdf", "--segmap", "seg.fits"), "NAME=PATH"),
        (("--survey", "xdf", "--segmap", "a=nosuch.fits"), "nosuch.fits"),
        (("--survey", "xdf", "--baseline", "sep", "--baseline", "sep"), "two detectors"),
        (("--survey", "xdf", "--baseline", "sep", "--match-radius", 0), "radius"),
        (("--field", ".", "--baseline", "sep"), "not a simulated field"),
        (("--field", "a", "--field", "./a", "--baseline", "sep"), "given twice"),
        (("--labels", "nosuch.csv", "--baseline", "sep", "--band", "H=h.fits"), "nosuch.csv"),
        (("--labels", "l.csv", "--baseline", "sep", "--images", "h.fits"), "--band"),
    ],
)
def test_mistakes(evaluate, models, arguments, message):
    code, _, error, output = evaluate(*arguments)
    assert code == 2
    assert message in error
    assert error.count("\n") == 1
    assert not output.exists()


def test_a_survey_without_the_bands(evaluate, small_model, tmp_path):
    save_model(small_model, tmp_path / "small", "# small")
    code, _, error, _ = evaluate("-m", tmp_path / "small", "--survey", "euclid-vis")
    assert code == 2
    assert "small needs H, J, but euclid-vis has VIS" in error


def test_labels_that_do_not_fit(evaluate, simulated, tmp_path):
    plain = tmp_path / "plain.fits"
    fits.writeto(plain, simulated[1].images[0])
    sky = tmp_path / "sky.csv"
    sky.write_text("ra,dec,mag\n53.1,-27.8,22\n")
    far = tmp_path / "far.csv"
    far.write_text("x,y\n5000,3\n")
    neither = tmp_path / "neither.csv"
    neither.write_text("name,disk\na,1\n")
    for labels, message in ((sky, "no WCS"), (far, "none of the 1"), (neither, "ra and dec")):
        code, _, error, output = evaluate(
            "--baseline", "sep", "--labels", labels, "--band", f"F160W={plain}"
        )
        assert code == 2
        assert message in error
        assert error.count("\n") == 1
        assert not output.exists()


def test_labels_of_which_none_is_detected(evaluate, tmp_path):
    rng = np.random.default_rng(2)
    fits.writeto(tmp_path / "noise.fits", rng.normal(0, 1, (90, 90)).astype(np.float32))
    (tmp_path / "one.csv").write_text("x,y,class,mag\n40,40,disk,22\n")
    code, out, error, output = evaluate(
        *("--baseline", "sep", "--labels", tmp_path / "one.csv"),
        *("--band", f"F160W={tmp_path / 'noise.fits'}", "--match-radius", 1),
    )
    assert (code, error) == (0, "")
    assert "0 of 1 sources detected" in out
    assert (output / "report.html").exists()


@pytest.fixture(scope="module")
def dense(dense_model, tmp_path_factory):
    folder = tmp_path_factory.mktemp("model") / "dense"
    save_model(dense_model, folder, "")
    return folder


def test_a_dense_model_without_a_band(evaluate, simulated, dense):
    code, _, error, output = evaluate(
        *("--field", simulated[0], "-m", f"less={dense}", "--without", "F606W")
    )
    assert (code, error) == (0, "")
    assert "without F606W" in record(output)["detectors"]["less"]["description"]
    assert record(output)["setup"]["reference_band"] == "F160W"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--without", "K"), "the bands are F160W, F125W, F606W"),
        (("--instead", "F125W"), "expected BAND=OTHER"),
        (("--instead", "F125W=F814W"), "there can be F105W, F110W"),
        (("--instead", "F125W=F105W"), "needs F105W"),
        (("--stride", "2"), "no stride to choose"),
    ],
)
def test_mistakes_with_bands(evaluate, simulated, dense, arguments, message):
    code, out, error, _ = evaluate("--field", simulated[0], "-m", dense, *arguments)
    assert (code, out) == (2, "")
    assert message in error
    assert error.count("\n") == 1


def test_a_dense_model_beside_another(
    evaluate, simulated, dense, small_config, make_model, tmp_path
):
    """What places the windows of one leaves the other alone."""
    config = dataclasses.replace(small_config, bands=("F160W", "F125W"))
    save_model(make_model(config), tmp_path / "small", "")
    code, _, error, output = evaluate(
        *("--field", simulated[0], "-m", dense, "-m", tmp_path / "small"),
        *("--stride", "4", "--grid", "--edges", "pad"),
    )
    assert (code, error) == (0, "")
    found = record(output)["detectors"]
    assert "every pixel seen once" in found["dense"]["description"]
    assert "a window every 16 pixels" in found["small"]["description"]


def test_bands_are_left_out_of_models(evaluate, simulated):
    done = evaluate("--field", simulated[0], "--baseline", "sep", "--without", "F606W")
    assert done[0] == 2
    assert "--without needs a model" in done[2]
