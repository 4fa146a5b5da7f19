"""All that a page can ask for has a path; nothing else has."""

import json

import numpy as np
import pytest
from astropy.io import fits
from hypothesis import given
from hypothesis import strategies as st

import morpheus
from morpheus.pipeline.viewing import open_run
from morpheus.viewer.coding import picture

PARTS = (
    *("tiles", "rows", "columns", "manifest.json", "runs", "..", ".", "", "share-0", "band-0"),
    *("rgb", "labels", "0", "1", "00", "99", "0_0.png", "0_0.jpg", "9_9.png", "-1_0.png", "0.bin"),
    *("0.json", "1.json", "9999.json", "0.json\n", "0_0.png\n", "\0", "%2e%2e", "²", "0_0.PNG"),
)
TEXT = st.text(max_size=40) | st.lists(st.sampled_from(PARTS), max_size=5).map("/".join)


@pytest.fixture(scope="module")
def run(made, tmp_path_factory):
    with open_run(made / "out", tiles=tmp_path_factory.mktemp("tiles")) as run:
        yield run


def test_everything_can_be_given(run):
    paths = list(run.paths())
    assert len(set(paths)) == len(paths)
    kinds = {path: run.give(path)[1] for path in paths}
    assert kinds["manifest.json"] == "application/json"
    assert {path.rpartition(".")[2]: kind for path, kind in kinds.items()} == {
        "json": "application/json",
        "bin": "application/octet-stream",
        "png": "image/png",
        "jpg": "image/jpeg",
    }


@given(TEXT)
def test_nothing_else_can(run, path):
    try:
        content, _ = run.give(path)
    except KeyError:
        return
    assert content
    assert path in set(run.paths()) or path.startswith(("tiles/", "columns/", "rows/"))
    # A number may be written with zeros before it; what it gives is the same.
    plain = "/".join(
        "_".join(str(int(n)) if n.isdecimal() else n for n in part.split("_"))
        for part in path.rpartition(".")[0].split("/")
    )
    assert any(known.rpartition(".")[0] == plain for known in run.paths())


@pytest.mark.parametrize(
    "path",
    [
        "../manifest.json",
        "tiles/share-0/0/0_0.jpg",
        "tiles/rgb/0/0_0.png",
        "tiles/share-0/2/0_0.png",
        "tiles/share-0/0/2_0.png",
        "tiles/share-9/0/0_0.png",
        "tiles/share-0/0/0_0.png/",
        "tiles//share-0/0/0_0.png",
        "rows/999999.json",
        "columns/9999.bin",
        "columns/-1.bin",
        "",
    ],
)
def test_no_such_path(run, path):
    with pytest.raises(KeyError):
        run.give(path)


def test_the_manifest_says_what_there_is(run, made):
    about = json.loads(run.give("manifest.json")[0])
    assert about == json.loads(json.dumps(run.manifest(), allow_nan=False))
    assert about["shape"] == [270, 310]
    assert about["levels"] == 1
    assert about["pixel_scale"] == pytest.approx(0.06, rel=1e-6)
    assert [c["name"] for c in about["classes"] if c["source"]] == [
        *("spheroid", "disk", "irregular", "point_source"),
    ]
    assert [band["name"] for band in about["bands"]] == ["F160W", "F125W", "F606W"]
    assert about["bands"][0]["unit"] == "ELECTRONS/S"
    for band in about["bands"]:
        assert band["level"] == pytest.approx(0, abs=0.001)
        assert band["noise"] == pytest.approx(0.005, rel=0.05)
        assert about["sets"][band["tiles"]]["planes"] == [band["name"]]
    assert about["sets"]["rgb"]["planes"] == ["F160W", "F125W", "F606W"]
    planes = [p for s in about["sets"].values() if s["kind"] == "share" for p in s["planes"]]
    assert planes == [c["name"] for c in about["classes"]]
    catalog = morpheus.Catalog.read(made / "out/catalog.fits")
    assert about["catalog"]["n"] == len(catalog)
    assert about["facts"]["model"] == "made-up"
    assert about["facts"]["detection_band"] == "F160W"


def test_the_manifest_is_made_once(run, monkeypatch):
    first = run.give("manifest.json")[0]
    monkeypatch.setattr(type(run), "manifest", lambda _: pytest.fail("made again"))
    assert run.give("manifest.json")[0] is first


def test_what_must_be_halved_before(made, tmp_path):
    with open_run(made / "out", tiles=tmp_path) as run:
        for path in ("manifest.json", "tiles/rgb/0/0_0.jpg", "tiles/no/1/0_0.png", "rows/0.json"):
            assert run.unprepared(path) is None
        assert run.unprepared("tiles/rgb/2/0_0.jpg") is None  # there is no such level
        assert run.unprepared("tiles/rgb/1/0_0.jpg") == "rgb"
        run.pyramid.prepare("rgb")
        assert run.unprepared("tiles/rgb/1/0_0.jpg") is None


def full_size(run, decode, name):
    """All tiles of the full size, without their aprons."""
    apron = run.pyramid.sets[name].apron
    inner = slice(apron, apron + 256)
    height, width = run.pyramid.shape
    whole = np.zeros((512, 512, 3), np.uint8)
    for _, row, column in (a for a in run.pyramid.addresses(name) if a[0] == 0):
        codes = decode(run.pyramid.tile(name, 0, row, column))[inner, inner]
        whole[256 * row : 256 * row + 256, 256 * column : 256 * column + 256] = codes
    return whole[:height, :width]


def test_the_colour_picture_is_that_of_the_whole_field(run, made, decode):
    bands = [fits.getdata(made / f"in/{band}.fits") for band in ("F160W", "F125W", "F606W")]
    mask = fits.getdata(made / "out/mask.fits") > 0
    assert mask.any()
    expected = 255 * morpheus.lupton_rgb(*bands, mask=mask)
    one = run.pyramid.sets["rgb"]
    codes = one.encode(one.read((slice(0, 270), slice(0, 310))))
    np.testing.assert_allclose(codes, expected, atol=1)
    # In the tiles JPEG adds its own error, mostly of colour in the noise.
    assert run.pyramid.tile("rgb", 0, 0, 0) == picture(codes[:256, :256], "jpg")
    assert np.median(np.abs(full_size(run, decode, "rgb") - expected)) < 6


def test_tiles_hold_the_files_values(run, made, decode):
    for band, image in zip(run.bands, ("F160W", "F125W", "F606W"), strict=True):
        codes = full_size(run, decode, band.tiles).astype(int)
        signal = np.sinh(((codes[..., 0] << 4 | codes[..., 1]) - 1024) / 240)
        true = (fits.getdata(made / f"in/{image}.fits") - band.level) / band.noise
        assert (np.abs(signal - true) <= np.maximum(0.004 * np.abs(true), 0.004)).all()
    for name, one in run.pyramid.sets.items():
        if one.kind not in {"share", "scatter"}:
            continue
        codes = full_size(run, decode, name)
        statistic = "mean" if one.kind == "share" else "variance"
        for channel, plane in enumerate(one.planes):
            true = fits.getdata(made / f"out/{plane}_{statistic}.fits")
            known = codes[..., channel] > 0
            np.testing.assert_array_equal(known, np.isfinite(true))
            value = (codes[..., channel] - 1.0) / 254
            if statistic == "variance":
                value, true = value / 2, np.sqrt(true)
            np.testing.assert_allclose(value[known], true[known], atol=0.002)
    labels = full_size(run, decode, "labels").astype(int) @ [1 << 16, 1 << 8, 1]
    np.testing.assert_array_equal(labels, fits.getdata(made / "out/segmap.fits", "SEGMAP"))
