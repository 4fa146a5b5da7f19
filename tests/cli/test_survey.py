"""`morpheus survey`: a table of tiles to one catalogue, however often it was ended on the way."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.io.votable.ucd import check_ucd
from astropy.table import Table
from astropy.wcs import WCS

import morpheus
from morpheus.survey import SurveyOptions, run_survey, survey_status
from morpheus.survey.status import working

BANDS = {"F160W": 1.0, "F125W": 0.9, "F850LP": 0.6, "F606W": 0.4}
HEIGHT, WIDTH = 100, 230
TILES = {"a": (0, 100), "b": (70, 170), "c": (140, WIDTH)}
PLACES = [(x, y) for y in (18, 50, 82) for x in range(15, WIDTH, 30)]
"""Of the sources; those at x = 75, 105, ... lie in overlaps or near them."""


@pytest.fixture(autouse=True)
def _no_pictures(monkeypatch):
    """They take half of the time, and are tested where they are drawn."""
    monkeypatch.setattr("morpheus.pipeline.chunked.draw", lambda *_, **__: [])


def write_band(path, band, pixels, column):
    header = make_wcs(column).to_header()
    header["BUNIT"], header["FILTER"] = "ELECTRONS/S", band
    header["PHOTFLAM"], header["PHOTPLAM"] = 1.9e-20, 15369.0
    fits.writeto(path, pixels.astype(np.float32), header, overwrite=True)


def make_wcs(column=0):
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = "RA---TAN", "DEC--TAN"
    wcs.wcs.crval, wcs.wcs.crpix = (53.12, -27.8), (WIDTH / 2 - column, HEIGHT / 2)
    wcs.wcs.cdelt = -0.06 / 3600, 0.06 / 3600
    return wcs


@pytest.fixture(scope="session")
def made(tmp_path_factory):
    """Folder with tiles.csv, the tiles that it lists, the mosaic that they are of, and no sky."""
    folder = tmp_path_factory.mktemp("tiles")
    rng = np.random.default_rng(5)
    y, x = np.indices((HEIGHT, WIDTH))
    light = sum(
        8 * np.exp(-0.5 * ((x - a) ** 2 + (y - b) ** 2) / 1.8**2) / (2 * np.pi * 1.8**2)
        for a, b in PLACES
    )
    for band, color in BANDS.items():
        noise = rng.normal(0, 0.004, light.shape)
        write_band(folder / f"empty_{band}.fits", band, noise[:60, :60], 5000)
        for name, (first, last) in {"mosaic": (0, WIDTH), **TILES}.items():
            pixels = (color * light + noise)[:, first:last]
            write_band(folder / f"{name}_{band}.fits", band, pixels, first)
    write_table(folder / "tiles.csv", TILES)
    return folder


def write_table(path, names, bands=tuple(BANDS)):
    rows = [[name, *(f"{name}_{band}.fits" for band in bands)] for name in names]
    path.write_text("\n".join(",".join(row) for row in [["tile", *bands], *rows]) + "\n")


@pytest.fixture(scope="session")
def surveyed(made, tmp_path_factory):
    """A finished survey of all three tiles."""
    output = tmp_path_factory.mktemp("survey") / "out"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("morpheus.pipeline.chunked.draw", lambda *_, **__: [])
        done = run_survey(made / "tiles.csv", output, execution=morpheus_serial())
    assert [(one.state, one.error) for one in done.tiles] == [("done", None)] * 3
    return output


def morpheus_serial():
    from morpheus.pipeline import Execution

    return Execution("serial")


@pytest.fixture
def copied(made, surveyed, tmp_path):
    """A copy of the tiles and of the survey, to change."""
    shutil.copytree(made, tmp_path / "in")
    shutil.copytree(surveyed, tmp_path / "in/out")
    return tmp_path / "in"


@pytest.fixture
def survey(command):
    """Runs the command in this process."""
    return lambda table, *more: command(
        "survey", table, "-o", table.parent / "out", "--scheduler", "serial", *more
    )


def failure(done, code=2):
    """The last line of an error; of exit code 2 the only one."""
    assert done.returncode == code, done.stdout + done.stderr
    lines = done.stderr.splitlines()
    assert lines[-1].startswith("morpheus: error: ")
    if code == 2:
        assert len(lines) == 1, done.stderr
    return lines[-1]


def times(folder):
    """When the tiles were done."""
    return {path.parent.name: path.stat().st_mtime_ns for path in folder.glob("*/report.json")}


def sky_of(table):
    return SkyCoord(np.asarray(table["ra"]) * u.deg, np.asarray(table["dec"]) * u.deg)


def test_each_source_of_the_mosaic_is_listed_once(made, surveyed, tmp_path):
    images = {band: made / f"mosaic_{band}.fits" for band in BANDS}
    whole = morpheus.run(images, tmp_path / "whole").catalog.table
    combined = morpheus.Catalog.read(surveyed / "catalog.parquet")
    table = combined.table
    assert len(whole) == len(table) == len(PLACES)
    x, y = make_wcs().world_to_pixel(sky_of(table))
    distance = [np.hypot(x - a, y - b).min() for a, b in PLACES]
    assert max(distance) < 1
    nearest, apart, _ = sky_of(table).match_to_catalog_sky(sky_of(whole))
    assert len(set(nearest)) == len(whole)
    assert apart.arcsec.max() < 0.06
    by_tile = {name: morpheus.Catalog.read(surveyed / name / "catalog.fits") for name in TILES}
    assert sum(map(len, by_tile.values())) > len(PLACES)  # some are in two tiles
    # every row is one of its tile's
    assert table["id"].tolist() == list(range(1, len(table) + 1))
    for row in table:
        original = by_tile[row["tile"]].table[row["tile_id"] - 1]
        assert original["id"] == row["tile_id"]
        assert all(
            original[name] == row[name] or original[name] != original[name]
            for name in original.colnames
            if name != "id"
        )
    assert combined.provenance["tiles"] == list(TILES)
    assert combined.provenance["missing_tiles"] == []


def test_astropy_reads_units_descriptions_and_ucds(surveyed):
    table = Table.read(surveyed / "catalog.parquet")
    tile = morpheus.Catalog.read(surveyed / "a/catalog.fits").table
    assert table.colnames == ["tile", "id", "tile_id", *tile.colnames[1:]]
    for name in tile.colnames[1:]:
        assert table[name].unit == tile[name].unit
        assert table[name].description == tile[name].description
        assert table[name].meta == tile[name].meta
    assert table["f160w_flux_kron"].unit == u.electron / u.s
    assert table["tile"].description == "name of the tile"
    for name in ("tile", "id", "tile_id"):
        ucd = table[name].meta["ucd"]
        assert check_ucd(ucd, check_controlled_vocabulary=True, has_colon=True)


def test_outlines(surveyed):
    import regions

    found = regions.Regions.read(surveyed / "survey_footprints.reg", format="ds9")
    assert [one.meta["text"] for one in found] == list(TILES)
    corner = make_wcs().pixel_to_world(-0.5, -0.5)
    assert found[0].vertices[0].separation(corner).arcsec < 0.001
    assert "color=green" in (surveyed / "survey_footprints.reg").read_text()


def test_what_is_done_is_kept(copied, survey):
    before = times(copied / "out")
    # The files are elsewhere, but their digests are those in the reports.
    done = survey(copied / "tiles.csv")
    assert done.returncode == 0, done.stderr
    assert "3 of 3 tiles done; 24 sources in" in done.stdout
    assert "3 of 3 tiles were done before" in done.stderr
    assert times(copied / "out") == before
    done = survey(copied / "tiles.csv", "--status")
    lines = [line.split() for line in done.stdout.splitlines()]
    assert lines[0] == ["tile", "status", "sources", "pixels", "seconds"]
    assert [line[:2] for line in lines[1:]] == [[name, "done"] for name in TILES]
    assert lines[1][3] == "10,000"


def test_changes_are_refused_or_done_anew(copied, survey):
    table, before = copied / "tiles.csv", times(copied / "out")
    assert "segmentation.seed: none then, 0.4 now" in failure(survey(table, "--seed", "0.4"))
    pixels, header = fits.getdata(copied / "b_F606W.fits", header=True)
    fits.writeto(copied / "b_F606W.fits", pixels * 1.01, header, overwrite=True)
    line = failure(survey(table))
    assert "row 2 (tile b) was begun with something else" in line
    assert "b_F606W.fits (image F606W) is not what it was" in line
    assert times(copied / "out") == before
    text = table.read_text()
    table.write_text(text.replace("a_F606W.fits", ""))
    assert "it had a file for image F606W, and has none" in failure(survey(table))
    table.write_text(text)
    done = survey(table, "--overwrite")
    assert done.returncode == 0, done.stderr
    after = times(copied / "out")
    assert {name for name in TILES if after[name] != before[name]} == {"b"}
    # A tile that is taken out of the table is not in the catalogue any more.
    write_table(table, "ab")
    assert survey(table).returncode == 0
    assert set(Table.read(copied / "out/catalog.parquet")["tile"]) == {"a", "b"}


def test_a_tile_that_fails(copied, survey):
    """It stops no other; mended, it is done alone."""
    shutil.rmtree(copied / "out/b")
    whole = (copied / "b_F125W.fits").read_bytes()
    (copied / "b_F125W.fits").write_bytes(whole[: len(whole) // 2])
    shutil.rmtree(copied / "out/c")
    table = copied / "tiles.csv"
    done = survey(table)
    line = failure(done, code=3)
    assert "1 of 3 tiles failed; the others are done" in line
    lines = done.stderr.splitlines()
    assert "tile b failed" in lines[-2]
    assert "b_F125W.fits is truncated or damaged" in lines[-2]
    assert "2 of 3 tiles done" in done.stdout
    combined = morpheus.Catalog.read(copied / "out/catalog.parquet")
    assert set(combined.table["tile"]) == {"a", "c"}
    assert combined.provenance["missing_tiles"] == ["b"]
    status = survey(table, "--status").stdout.splitlines()
    assert "failed" in status[2]
    assert "truncated" in status[2]
    assert "color=red" in (copied / "out/survey_footprints.reg").read_text()
    before = times(copied / "out")
    (copied / "b_F125W.fits").write_bytes(whole)
    done = survey(table)
    assert done.returncode == 0, done.stderr
    assert "3 of 3 tiles done; 24 sources" in done.stdout
    after = times(copied / "out")
    assert {name: after[name] for name in "ac"} == {name: before[name] for name in "ac"}


def test_killed_and_gone_on_with(copied, surveyed, survey):
    for name in "bc":
        shutil.rmtree(copied / "out" / name)
    table, began = copied / "tiles.csv", time.monotonic()
    program = [sys.executable, "-m", "morpheus", "survey", table, "-o", copied / "out"]
    with subprocess.Popen([*program, "-q", "--scheduler", "serial"]) as process:
        while not list(copied.glob("out/b/unfinished/*/records/*")):
            assert process.poll() is None
            assert time.monotonic() - began < 100
            time.sleep(0.01)
        running = survey_status(table, copied / "out")
        os.kill(process.pid, signal.SIGKILL)
    assert [one.state for one in running] == ["done", "running", "waiting"]
    killed = survey_status(table, copied / "out")
    assert [one.state for one in killed] == ["done", "interrupted", "waiting"]
    before = times(copied / "out")["a"]
    done = survey(table)
    assert done.returncode == 0, done.stderr
    assert times(copied / "out")["a"] == before
    found, expected = (Table.read(one / "catalog.parquet") for one in (copied / "out", surveyed))
    for name in expected.colnames:
        assert np.array_equal(found[name], expected[name]) or np.array_equal(
            found[name], expected[name], equal_nan=True
        )


def test_tiles_with_fewer_bands_or_without_sources(copied, survey):
    table = copied / "tiles.csv"
    rows = Table.read(table)
    rows["F160W"] = rows["F160W"].astype("U20")
    rows.add_row(["empty", *(f"empty_{band}.fits" for band in BANDS)])
    rows.write(copied / "tiles.ecsv")
    rows = Table.read(copied / "tiles.ecsv")
    fewer = copied / "fewer.vot"
    rows["F606W"][2] = ""
    rows["F606W"][1] = ""
    rows[2:].write(fewer, format="votable")
    done = survey(fewer, "--zero-point", "F606W=26", "--overwrite")
    assert done.returncode == 0, done.stderr
    catalog = Table.read(copied / "out/catalog.parquet")
    assert set(catalog["tile"]) == {"c"}
    states = {one.name: one for one in survey_status(fewer, copied / "out")}
    assert states["empty"].state == "done"
    assert states["empty"].n_sources == 0
    # c has no F606W; empty has it, and no source
    assert np.isnan(catalog["f606w_flux_kron"]).all()
    assert np.isfinite(catalog["f160w_flux_kron"]).all()
    assert catalog["f606w_flux_kron"].unit == u.electron / u.s


def test_regions_of_one_mosaic(made, tmp_path, survey):
    """Tiles can be cut out by their regions, from the same files."""
    table = tmp_path / "regions.csv"
    rows = ["tile,F160W,F125W,region"]
    for name, x in (("left", 60), ("right", 140)):
        sky = make_wcs().pixel_to_world(x, HEIGHT / 2)
        files = ",".join(f"{made}/mosaic_{band}.fits" for band in ("F160W", "F125W"))
        rows.append(f'{name},{files},"{sky.ra.deg:.8f},{sky.dec.deg:.8f},120pix,100pix"')
    table.write_text("\n".join(rows) + "\n")
    done = survey(table)
    assert done.returncode == 0, done.stderr
    found = Table.read(tmp_path / "out/catalog.parquet")
    x, y = make_wcs().world_to_pixel(sky_of(found))
    expected = [(a, b) for a, b in PLACES if a < 200]
    assert len(found) == len(expected)
    assert max(np.hypot(x - a, y - b).min() for a, b in expected) < 1
    assert np.array_equal(found["tile"] == "left", x < 100)


def test_a_folder_of_something_else_is_not_replaced(copied, survey):
    (copied / "out/b/tile.json").unlink()
    line = failure(survey(copied / "tiles.csv"))
    assert "out/b holds a run that is not this survey's" in line


def test_two_at_once(copied, survey):
    with working(copied / "out"):
        assert "another process works on the survey" in failure(survey(copied / "tiles.csv"))


def test_without_pyarrow(made, survey, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    line = failure(survey(made / "tiles.csv"))
    assert "pip install 'morpheus-sky[parquet]'" in line
    assert not (made / "out").exists()


def test_numbers_as_names(made, tmp_path, small_config):
    from morpheus.model import load_model
    from morpheus.survey.table import read_tiles

    config = load_model(morpheus.model.find_model("hst4")).config
    path = tmp_path / "t.csv"
    path.write_text(f"Tile,f160w,F160W_WEIGHT\n007,{made}/a_F160W.fits[0],\n8,~nobody/x,y\n")
    tiles = read_tiles(path, config, check_files=False)
    assert [tile.name for tile in tiles] == ["007", "8"]
    assert tiles[0].images == {"F160W": f"{made}/a_F160W.fits[0]"}
    assert tiles[0].maps["weight"] == {}
    assert tiles[1].maps["weight"] == {"F160W": str(tmp_path / "y")}


A = "a_F160W.fits"
MISTAKES = {
    "no column tile": ("F160W\n" + A, "there is no column tile"),
    "no band": ("tile,region\na,", "there is no column of a band"),
    "no rows": ("tile,F160W\n", "a table without rows"),
    "no table": ("tile,F160W\na,b,c,d\n", "not a table that can be read"),
    "unknown column": (f"tile,F160W,F999W\na,{A},", "the column F999W is none that is known"),
    "unknown map": (f"tile,F160W,F160W_psf\na,{A},", "the column F160W_psf is none"),
    "columns twice": (f"tile,F160W,f160w\na,{A},", "the columns F160W and f160w are the same"),
    "no name": (f"tile,F160W\n,{A}", "row 1, column tile: '' cannot be the name"),
    "a path": (f"tile,F160W\n../a,{A}", "row 1, column tile: '../a' cannot be the name"),
    "hidden": (f"tile,F160W\n.a,{A}", "row 1, column tile: '.a' cannot be"),
    "reserved": (f"tile,F160W\nsurvey.json,{A}", "'survey.json' cannot be the name"),
    "twice": (f"tile,F160W\na,{A}\nA,{A}", "row 2 (tile A), column tile: row 1 (tile a) has"),
    "no image": ("tile,F160W\na,", "row 1 (tile a): there is no image of any band"),
    "map alone": (
        f"tile,F160W,F606W,F606W_rms\na,{A},,{A}",
        "row 1 (tile a), column F606W_rms: a map of F606W, of which there is no image",
    ),
    "missing file": (
        f"tile,F160W,F606W\na,{A},\nb,{A},gone.fits",
        "row 2 (tile b), column F606W: ",
    ),
    "no FITS": ("tile,F160W\na,tiles.csv", "row 1 (tile a), column F160W: the header of"),
    "no HDU": (f"tile,F160W\na,{A}[SCI]", "there is no such HDU"),
    "no WCS": ("tile,F160W\na,flat.fits", "row 1 (tile a): none of its images has a WCS"),
    "a cube": ("tile,F160W\na,cube.fits", "row 1 (tile a), column F160W: the header of"),
    "region": (f'tile,F160W,region\na,{A},"1,2"', "row 1 (tile a), column region: region"),
    "far region": (f'tile,F160W,region\na,{A},"1,2,5arcsec"', "row 1 (tile a), column region:"),
    "units": (f"tile,F160W\na,{A}\nb,njy.fits", "row 2 (tile b), column F160W: the unit is nJy"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_mistakes_in_the_table(made, tmp_path, survey, name):
    for file in (A, "tiles.csv"):
        (tmp_path / file).symlink_to(made / file)
    fits.writeto(tmp_path / "flat.fits", np.eye(5))
    fits.writeto(tmp_path / "cube.fits", np.ones((2, 3, 4)))
    pixels, header = fits.getdata(made / A, header=True)
    header["BUNIT"] = "nJy"
    fits.writeto(tmp_path / "njy.fits", pixels, header)
    text, message = MISTAKES[name]
    table = tmp_path / "bad.csv"
    table.write_text(text + "\n")
    line = failure(survey(table))
    assert "bad.csv" in line
    assert message in line
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--match-radius", "0"), "match radius is 0.0 arcsec"),
        (("--zero-point", "K=25"), "K is no band"),
        (("--background", "mesh"), "cannot be run in chunks"),
        (("--seed", "0.3", "--grow", "0.6"), "seed, 0.3, is below grow, 0.6"),
        (("--positions", "none.csv"), "none.csv: no such file"),
        (("--memory", "1kB"), "--memory 1e-06 GB is not enough"),
        (("--stride", "2"), "stride"),
    ],
)
def test_mistakes_in_options(made, survey, arguments, message):
    assert message in failure(survey(made / "tiles.csv", *arguments))
    assert not (made / "out").exists()


def test_a_scheduler_that_is_not_there(made, survey, monkeypatch):
    """It is found out once, not by every tile."""

    def refuse(scheduler, _):
        raise morpheus.MorpheusError(f"no Dask scheduler at {scheduler}")

    monkeypatch.setattr("morpheus.survey.work.connect", refuse)
    line = failure(survey(made / "tiles.csv", "--scheduler", "tcp://127.0.0.1:1"))
    assert "no Dask scheduler at tcp://127.0.0.1:1" in line
    assert not (made / "out").exists()


def test_no_such_table(tmp_path, survey):
    assert "tiles.csv: no such file; give a table of tiles" in failure(
        survey(tmp_path / "tiles.csv")
    )


def test_from_python(copied, made):
    told, lines = [], []
    shutil.rmtree(copied / "out/c")
    done = run_survey(
        copied / "tiles.csv",
        copied / "out",
        options=SurveyOptions(match_radius=0.2),
        execution=morpheus_serial(),
        progress=lambda *what: told.append(what),
        announce=lines.append,
    )
    assert sum(done.n_listed.values()) == len(PLACES)
    assert told[0][0].startswith("c: ")
    assert told[-1][1] <= told[-1][2] == 9000
    assert lines[:2] == ["2 of 3 tiles were done before", "tile c, 1 of 1"]
    record = json.loads((copied / "out/survey.json").read_text())
    assert record["model"]["name"] == "hst4"
    with pytest.raises(morpheus.MorpheusError, match="match radius is 3"):
        SurveyOptions(match_radius=3)
