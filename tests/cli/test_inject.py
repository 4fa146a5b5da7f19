"""`morpheus inject` as users run it, on files."""

import json
import sys

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table
from astropy.wcs import WCS

pytest.importorskip("galsim")
pytest.importorskip("jinja2")
pytestmark = pytest.mark.usefixtures("small_figures")


def make_header(band, **cards):
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = "RA---TAN", "DEC--TAN"
    wcs.wcs.crval, wcs.wcs.crpix = (53.12, -27.8), (90.5, 80.5)
    wcs.wcs.cdelt = -0.06 / 3600, 0.06 / 3600
    header = wcs.to_header()
    header["FILTER"], header["BUNIT"], header["OBSERVER"] = band, "ELECTRONS/S", "anyone"
    header["PHOTFLAM"], header["PHOTPLAM"] = 1.9276e-20, 15369.0
    header.update(cards)
    return header


@pytest.fixture
def sky(tmp_path, monkeypatch):
    """A folder with h.fits, v.fits, their weights, and things that are wrong."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(3)
    y, x = np.indices((160, 180))
    light = 30 * np.exp(-0.5 * ((x - 60) ** 2 + (y - 90) ** 2) / 2**2) / (2 * np.pi * 2**2)
    for name, band in (("h", "F160W"), ("v", "F606W")):
        image = (light + rng.normal(0, 0.005, light.shape)).astype(np.float32)
        fits.writeto(f"{name}.fits", image, make_header(band))
        weight = np.full(light.shape, 0.005**-2, np.float32)
        fits.writeto(f"{name}_wht.fits", weight, make_header(band))
    plain = make_header("F160W")
    del plain["PHOTFLAM"], plain["PHOTPLAM"]
    fits.writeto("plain.fits", image, plain)
    fits.writeto("tiny.fits", image[:15, :15], make_header("F160W"))
    fits.writeto("masked.fits", np.full_like(image, np.nan), make_header("F160W"))
    fits.writeto("nan.fits", np.full((21, 21), np.nan, np.float32))
    return tmp_path


BASE = ("inject", "--baseline", "photutils", "--band", "F160W=h.fits", "--weight")
BASE += ("F160W=h_wht.fits", "-n", "6", "-o", "out")


def test_a_folder_with_a_report(sky, command):
    before = (sky / "h.fits").read_bytes()
    done = command(*BASE, "--mag", "21", "24", "--keep", "--seed", "2")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0].startswith("6 sources injected in ")
    assert lines[1].startswith("photutils: ")
    assert lines[1].count(" of 6 sources detected") == 1
    assert (sky / "h.fits").read_bytes() == before
    assert (sky / "out/report.html").exists()
    record = json.loads((sky / "out/evaluation.json").read_text())
    assert record["setup"]["kind"] == "injected"
    assert record["setup"]["magnitudes"] == [21, 24]
    assert record["setup"]["survey"] == "candels-deep"
    assert record["setup"]["zero_points_from"] == {"F160W": "PHOTFLAM"}
    table = Table.read(sky / "out/injected.fits")
    assert len(table) == 6
    assert {"x", "y", "ra", "dec", "mag_f160w", "outcome_photutils"} <= set(table.colnames)
    total = record["detectors"]["photutils"]["scores"]["detection"]["completeness"]["total"]
    assert total["k"] == np.count_nonzero(table["outcome_photutils"] == "detected") > 0
    number = table["pass"].max()
    with fits.open(sky / f"out/images/pass{number}_f160w.fits") as kept:
        assert kept[0].header["OBSERVER"] == "anyone"
        assert "artificial sources added" in str(kept[0].header["HISTORY"])
        added = kept[0].data - fits.getdata(sky / "h.fits")
    mine = table[table["pass"] == number]
    assert added.sum() == pytest.approx(np.sum(mine["flux_sum_f160w"]), rel=0.03)
    assert 0.001 < (np.abs(added) > 0).mean() < 0.5  # here and there
    again = command(*BASE, "--mag", "21", "24", "--keep", "--seed", "2")
    assert again.returncode == 2
    assert "would be overwritten" in again.stderr
    assert command(*BASE, "--overwrite", "--seed", "2", "-q").stdout == ""
    assert not list((sky / "out/images").iterdir())
    repeated = Table.read(sky / "out/injected.fits")
    np.testing.assert_array_equal(repeated["x"], table["x"])


def test_a_region_keeps_its_place_on_the_sky(sky, command):
    region = "53.12,-27.80,6arcsec"
    done = command(*BASE, "--mag", "21", "22", "--region", region, "--keep")
    assert done.returncode == 0, done.stderr
    table = Table.read(sky / "out/injected.fits")
    kept = fits.getheader(sky / "out/images/pass1_f160w.fits")
    assert kept["NAXIS1"] == 100
    for wcs, offset in ((WCS(kept), 0), (WCS(make_header("F160W")), kept["CRPIX1"] - 90.5)):
        x, _ = wcs.world_to_pixel_values(table["ra"], table["dec"])
        np.testing.assert_allclose(x + offset, table["x"], atol=1e-3)


def test_a_model_with_images_in_its_order(sky, command, make_model, small_config):
    from dataclasses import replace

    from morpheus.model import save_model

    save_model(make_model(replace(small_config, bands=("F160W", "F606W"))), sky / "tiny", "")
    done = command(
        *("inject", "-m", "net=tiny", "--images", "h.fits", "v.fits", "--baseline", "photutils"),
        *("--mag", "21", "23", "-n", "3", "-o", "out", "--preset", "exact", "--stride", "2"),
    )
    assert done.returncode == 0, done.stderr
    table = Table.read(sky / "out/injected.fits")
    assert {"mag_f606w", "outcome_net", "outcome_photutils"} <= set(table.colnames)
    record = json.loads((sky / "out/evaluation.json").read_text())
    assert list(record["detectors"]) == ["net", "photutils"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--survey", "nosuch"), "unknown survey 'nosuch'; known are candels-deep"),
        (("--survey", "euclid-vis"), "euclid-vis has no band F160W; it has VIS"),
        (("--band", "X1=h.fits", "--no-check-filters"), "no survey has the bands F160W, X1"),
        (("--band", "F160W=plain.fits"), "--zero-point F160W=NUMBER"),
        (("-n", "0"), "n is 0"),
        (("--mag", "25", "25"), "25 to 25"),
        (("--mag", "26", "22"), "26 to 22"),
        (("--mag", "nan", "22"), "nan to 22"),
        (("--max-density", "0"), "density is 0"),
        (("--seed", "-1"), "seed is -1"),
        (("--band", "F160W=masked.fits"), "no valid pixel"),
        (("--band", "F160W=tiny.fits"), "nowhere in these 15 x 15 pixels"),
        (("--psf", "F160W=nan.fits"), "NaN"),
        (("--psf", "F160W=none.fits"), "none.fits"),
        (("--psf", "F125W=nan.fits"), "F125W is no band"),
        (("--exposure", "F160W=0"), "exposure of F160W is 0"),
        (("--zero-point", "F125W=25"), "F125W is no band"),
        (("--pixel-scale", "0.03"), "the WCS says 0.06"),
        (("--match-radius", "0"), "match radius is 0"),
        (("--baseline", "nosuch"), "unknown baseline"),
        (("--baseline", "photutils"), "two detectors have the name"),
        (("--images", "h.fits"), "give either"),
    ],
)
def test_bad_input_leaves_nothing(sky, command, arguments, message):
    given = list(BASE)
    if arguments[:1] == ("--band",) and arguments[1].startswith("F160W"):
        at = given.index("--band")
        del given[at : at + 4]
    done = command(*given, *arguments)
    assert done.returncode == 2
    assert message in done.stderr
    assert done.stderr.count("\n") == 1
    assert not (sky / "out").exists()


def test_images_in_order_need_a_model(sky, command):
    done = command("inject", "--baseline", "photutils", "--images", "h.fits", "-o", "out")
    assert done.returncode == 2
    assert "give --band NAME=FILE" in done.stderr


def test_a_missing_package_is_named(sky, command, monkeypatch):
    for name in [one for one in sys.modules if one.startswith("morpheus.simulate")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "galsim", None)
    done = command(*BASE)
    assert done.returncode == 2
    assert "needs galsim: pip install 'morpheus-sky[simulate]'" in done.stderr
