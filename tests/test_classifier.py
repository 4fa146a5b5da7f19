"""The original program's interface: its results are the references', its mistakes are not."""

import csv
import dataclasses
import json

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS

from morpheus.classes import CLASS_NAMES
from morpheus.classifier import ArgumentError, Classifier
from morpheus.errors import ImageError, ModelError, MorpheusError, ProductError
from morpheus.model import save_model
from morpheus.model.hausen2020 import CONFIG
from morpheus.mosaic import MosaicWarning

SOURCES = CLASS_NAMES[:4]
KEYS = {
    "rank_vote": {*CLASS_NAMES, "n"},
    "mean_var": {*(f"{c}_{s}" for c in CLASS_NAMES for s in ("mean", "var")), "n"},
}
KEYS["both"] = KEYS["rank_vote"] | KEYS["mean_var"]


# ---- beside the original's own output


@pytest.fixture(scope="module", params=["exp9", "exp3", "dev5crop"])
def reference(request, shared):
    with np.load(shared / f"reference/hausen2020/{request.param}.npz") as file:
        return dict(file)


@pytest.fixture
def published(models, hausen2020):
    save_model(hausen2020, models / "hausen2020", "")


@pytest.mark.usefixtures("published")
@pytest.mark.parametrize("name", ["exp3", "dev5crop"])
def test_classify(shared, name):
    with np.load(shared / f"reference/hausen2020/{name}.npz") as file:
        reference = dict(file)
    h, j, v, z = reference["input_hjvz"]
    found = Classifier.classify(h=h, j=j, v=v, z=z, out_type="both")
    assert set(found) == KEYS["both"]
    assert {key: (a.dtype, a.shape) for key, a in found.items()} == {
        key: (reference[key].dtype, reference[key].shape) for key in found
    }
    assert np.array_equal(found["n"], reference["n"])
    for key, values in found.items():
        if key.endswith("_mean"):
            np.testing.assert_allclose(values, reference[key], rtol=0, atol=2e-6)
        elif key.endswith("_var"):
            np.testing.assert_allclose(values, reference[key], rtol=0, atol=1e-6)
        else:
            assert np.count_nonzero(values != reference[key]) <= 10, "more than a few ties"


@pytest.mark.parametrize("threshold", [0, 0.7])
def test_segmentation(reference, threshold):
    found = Classifier.segmap_from_classified(
        reference, reference["input_hjvz"][0], threshold, deblend=False
    )
    assert found.dtype == np.int32
    assert np.array_equal(found, reference[f"segmap_rv_t{threshold}_nodeb"])


def test_deblending_divides_regions_only(reference):
    flux = reference["input_hjvz"][0]
    regions = reference["segmap_rv_t0_nodeb"]
    found = Classifier.segmap_from_classified(reference, flux)
    assert np.array_equal(found > 0, regions > 0)
    assert np.array_equal(found == -1, regions == -1)
    assert np.array_equal(np.unique(found[found > 0]), np.arange(1, found.max() + 1))
    for label in range(1, found.max() + 1):
        assert len(np.unique(regions[found == label])) == 1


@pytest.mark.parametrize("maps", ["rv_t0", "rv_t0.7", "mv_t0", "mv_t0.7"])
@pytest.mark.parametrize("deblended", ["deb", "nodeb"])
def test_catalogue(reference, maps, deblended):
    """For the original's own segmentation, the original's own catalogue."""
    keys = KEYS["rank_vote" if maps.startswith("rv") else "mean_var"]
    found = Classifier.catalog_from_classified(
        {key: reference[key] for key in keys},
        reference["input_hjvz"][0],
        reference[f"segmap_{maps}_{deblended}"],
    )
    rows = [(s["id"], *s["location"], *s["morphology"]) for s in found]
    np.testing.assert_allclose(rows, reference[f"catalog_{maps}_{deblended}"], rtol=0, atol=1e-6)


@pytest.mark.parametrize("maps", ["rv", "mv"])
@pytest.mark.parametrize("hide", [True, False])
def test_colours(reference, maps, hide):
    keys = KEYS["rank_vote" if maps == "rv" else "mean_var"]
    found = Classifier.colorize_classified(
        {key: reference[key] for key in keys}, hide_unclassified=hide
    )
    expected = reference[f"rgb_{maps}_{'hide' if hide else 'show'}"]
    assert (found.dtype, found.shape) == (expected.dtype, expected.shape)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5)


def test_means_are_segmented_too(reference):
    """Not flooded: at a threshold that is not strict, about what the votes give."""
    flux = reference["input_hjvz"][0]
    means = {key: reference[key] for key in KEYS["mean_var"]}
    votes, found = (
        Classifier.segmap_from_classified(maps, flux, 0.7) for maps in (reference, means)
    )
    assert np.array_equal(found == -1, votes == -1)
    common = np.count_nonzero((found > 0) & (votes > 0))
    assert common > 0.85 * np.count_nonzero((found > 0) | (votes > 0))
    default = Classifier.segmap_from_classified(means, flux)
    assert 0 < np.count_nonzero(default > 0) < np.count_nonzero(found > 0)


# ---- without the reference data


@pytest.fixture
def network(models, small_config, make_model):
    """A random one of 16 pixels and 4 bands, in the published one's place."""
    config = dataclasses.replace(small_config, name=CONFIG.name, bands=CONFIG.bands)
    save_model(make_model(config), models / CONFIG.name, "")


@pytest.fixture
def bands():
    cube = np.random.default_rng(0).normal(0.05, 0.1, (4, 24, 30)).astype(np.float32)
    return dict(zip("hjvz", cube, strict=True))


@pytest.fixture
def files(bands, tmp_path):
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = "RA---TAN", "DEC--TAN"
    wcs.wcs.cdelt = -0.06 / 3600, 0.06 / 3600
    (tmp_path / "in").mkdir()
    for band, image in bands.items():
        fits.writeto(tmp_path / f"in/{band}.fits", image, wcs.to_header())
    return {band: str(tmp_path / f"in/{band}.fits") for band in bands}


@pytest.fixture
def classified():
    """Two disks that touch on a sky, in a frame that is not classified."""
    y, x = np.indices((40, 60))
    source = np.hypot(y - 20, x - 20) < 9
    source |= np.hypot(y - 20, x - 38) < 9.5
    maps = {name: np.zeros((40, 60), np.float32) for name in CLASS_NAMES}
    maps["disk"][source] = 0.75
    maps["spheroid"][source] = 0.25
    maps["background"][~source] = 1
    n = np.zeros((40, 60), np.int16)
    n[5:-5, 5:-5] = 900
    for plane in maps.values():
        plane[n == 0] = 0
    return {**maps, "n": n}


@pytest.fixture
def flux():
    y, x = np.indices((40, 60))
    noise = np.random.default_rng(0).normal(0, 1e-3, (40, 60))
    return noise + sum(np.exp(-((y - 20) ** 2 + (x - at) ** 2) / 18) for at in (20, 38))


@pytest.mark.usefixtures("network")
@pytest.mark.parametrize("out_type", KEYS)
def test_keys_and_zeros(bands, out_type, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    bands["h"][10, 12] = np.nan
    found = Classifier.classify(**bands, out_type=out_type, cpus=2, batch_size=7)
    assert set(found) == KEYS[out_type]
    n = found.pop("n")
    assert n.dtype == np.int16
    seen = n > 0
    assert not seen[:4].any()
    assert not seen[10, 12]
    assert seen[11, 12]
    for plane in found.values():
        assert plane.dtype == np.float32
        assert (plane[~seen] == 0).all()
        assert np.isfinite(plane).all()
    for suffix in ("", "_mean"):
        if f"disk{suffix}" in found:
            total = sum(found[f"{name}{suffix}"] for name in CLASS_NAMES)
            np.testing.assert_allclose(total[seen], 1, atol=1e-5)
    assert not list(tmp_path.iterdir()), "arrays are written only if asked for"


@pytest.mark.usefixtures("network")
def test_the_order_of_the_arguments_is_h_j_z_v(bands):
    by_name = Classifier.classify(**bands)
    by_place = Classifier.classify(bands["h"], bands["j"], bands["z"], bands["v"])
    swapped = Classifier.classify(*bands.values())
    assert np.array_equal(by_name["disk"], by_place["disk"])
    assert not np.array_equal(by_name["disk"], swapped["disk"])


@pytest.mark.usefixtures("network")
def test_files_in_files_out(files, bands, tmp_path, monkeypatch):
    expected = Classifier.classify(**bands, out_type="both")
    monkeypatch.chdir(tmp_path)
    Classifier.classify(**files)
    written = {path.stem: path for path in tmp_path.glob("*.fits")}
    assert set(written) == KEYS["rank_vote"]
    found = Classifier.classify(**files, out_dir="out", out_type="both")
    written = {path.stem: path for path in tmp_path.glob("out/*")}
    assert set(written) == KEYS["both"]
    for key, path in written.items():
        data = fits.getdata(path)
        assert np.array_equal(data, expected[key])
        assert np.array_equal(data, found[key])
        assert data.dtype.newbyteorder("=") == expected[key].dtype
        assert WCS(fits.getheader(path)).has_celestial
    assert fits.getval(written["n"], "MODEL") == "hausen2020"


@pytest.mark.usefixtures("network")
def test_nothing_is_overwritten(files, classified, flux, tmp_path):
    Classifier.classify(**files, out_dir=tmp_path)
    for what in (
        lambda: Classifier.classify(**files, out_dir=tmp_path),
        lambda: Classifier.segmap_from_classified(classified, flux, out_dir=tmp_path),
        lambda: Classifier.colorize_classified(classified, out_dir=tmp_path),
        lambda: Classifier.catalog_from_classified(
            classified, flux, np.ones((40, 60), int), out_file=f"{tmp_path}/c.csv"
        ),
    ):
        for name in ("segmap.fits", "colorized.png", "c.csv"):
            (tmp_path / name).write_text("mine")
        for error in (OSError, ProductError):
            with pytest.raises(error, match="exists and is not overwritten"):
                what()
    assert (tmp_path / "segmap.fits").read_text() == "mine"


@pytest.mark.usefixtures("network")
def test_an_image_smaller_than_a_window_is_classified(bands):
    found = Classifier.classify(**{band: image[:10, :12] for band, image in bands.items()})
    assert (found["n"] > 0).all()


@pytest.mark.usefixtures("models")
def test_without_the_network(bands):
    with pytest.raises(ModelError, match="run: morpheus models fetch hausen2020"):
        Classifier.classify(**bands)


@pytest.mark.usefixtures("network")
@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"j": None}, "j missing"),
        ({"j": "j.fits"}, "four arrays or four names"),
        ({"j": [[1.0]]}, "four arrays or four names"),
        ({"j": np.ones((3, 3))}, "shape|3x3"),
        ({"out_type": "votes"}, "out_type is 'votes'"),
        ({"gpus": [0, 1], "cpus": 2}, "not both"),
        ({"gpus": []}, "gpus is empty"),
        ({"gpus": ["a"]}, "invalid literal"),
        ({"cpus": 0}, "threads is 0"),
    ],
)
def test_arguments_that_cannot_be(bands, change, message, tmp_path):
    for error in (ValueError, MorpheusError):
        with pytest.raises(error, match=message):
            Classifier.classify(**bands | change, out_dir=tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.usefixtures("network")
def test_gpus(bands):
    torch = pytest.importorskip("torch")
    if torch.cuda.is_available():
        pytest.skip("has a GPU")
    with pytest.raises(MorpheusError, match="'cuda:1' is not available"):
        Classifier.classify(**bands, gpus=[1])
    with (
        pytest.warns(MosaicWarning, match="one GPU is used, cuda:0"),
        pytest.raises(MorpheusError, match="'cuda:0' is not available"),
    ):
        Classifier.classify(**bands, gpus=[0, 1])


def test_segmap(classified, flux, tmp_path):
    whole = Classifier.segmap_from_classified(classified, flux, deblend=False)
    assert np.array_equal(np.unique(whole), [-1, 0, 1])
    assert np.array_equal(whole == -1, classified["n"] == 0)
    fits.writeto(tmp_path / "h.fits", flux)
    parts = Classifier.segmap_from_classified(
        classified, str(tmp_path / "h.fits"), out_dir=str(tmp_path / "out"), min_distance=3
    )
    assert np.array_equal(np.unique(parts), [-1, 0, 1, 2])
    assert parts[20, 20] != parts[20, 38]
    assert np.array_equal(parts > 0, whole > 0)
    with fits.open(tmp_path / "out/segmap.fits") as written:
        assert np.array_equal(written[0].data, parts)
        assert written[0].header["BITPIX"] == 32


def test_segmap_where_the_mask_says(classified, flux):
    mask = np.ones((40, 60), bool)
    mask[:, 29:] = False
    found = Classifier.segmap_from_classified(classified, flux, mask=mask)
    assert np.array_equal(found == -1, ~mask | (classified["n"] == 0))
    assert found.max() == 1


@pytest.mark.parametrize("threshold", [-0.1, 1, np.nan])
def test_segmap_thresholds(classified, flux, threshold):
    with pytest.raises(ValueError, match="bkg_src_threshold"):
        Classifier.segmap_from_classified(classified, flux, threshold)


def test_maps_that_cannot_be(classified, flux):
    half = classified | {"disk": classified["disk"][:20]}
    for error, change, message in (
        (ArgumentError, {"classified": half}, "disk has the shape"),
        (ArgumentError, {"classified": {"n": classified["n"]}}, "neither votes"),
        (ArgumentError, {"classified": {c: classified[c] for c in CLASS_NAMES}}, "no n"),
        (ArgumentError, {"flux": flux[:20]}, "flux has the shape"),
        (ArgumentError, {"mask": flux[:20] > 0}, "mask has the shape"),
        (ImageError, {"flux": flux * np.nan}, "no finite pixel"),
    ):
        with pytest.raises(error, match=message):
            Classifier.segmap_from_classified(**{"classified": classified, "flux": flux} | change)


def test_catalogue_formats(classified, flux, tmp_path):
    segmap = Classifier.segmap_from_classified(classified, flux)
    fits.writeto(tmp_path / "h.fits", flux)
    for name in ("c.csv", "c.json"):
        catalog = Classifier.catalog_from_classified(
            classified, str(tmp_path / "h.fits"), segmap, out_file=str(tmp_path / name)
        )
    assert [source["id"] for source in catalog] == [1, 2]
    assert sorted(source["location"] for source in catalog) == [[20, 20], [20, 38]]
    for source in catalog:
        assert source["morphology"] == pytest.approx([0.25, 0.75, 0, 0])
    assert json.loads((tmp_path / "c.json").read_text()) == catalog
    with (tmp_path / "c.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["source_id", "y", "x", "sph", "dsk", "irr", "ps"]
    assert [float(x) for x in rows[1].values()] == [
        2,
        *catalog[1]["location"],
        *catalog[1]["morphology"],
    ]
    for name in ("colorized.png", "csv"):
        with pytest.raises(ValueError, match=r"ends in \.csv or \.json"):
            Classifier.catalog_from_classified(classified, flux, segmap, out_file=name)
    with pytest.raises(ValueError, match="float64 data"):
        Classifier.catalog_from_classified(classified, flux, segmap * 1.0)
    with pytest.raises(ValueError, match="flux has the shape"):
        Classifier.catalog_from_classified(classified, flux[:-1], segmap)


def test_another_scheme(classified, flux, tmp_path):
    """Of a ring around a source, around a hole: it gets the hole, and not the source."""
    y, x = np.indices((40, 60))
    radius = np.hypot(y - 20, x - 20)
    segmap = np.select([radius < 3, radius < 5, radius < 9], [2, 0, 7], 0)
    segmap[classified["n"] == 0] = -1
    seen = []

    def scheme(data, flux, mask):
        seen.append((data, flux, mask))
        return np.array([1, 0, 0, mask.sum()])

    path = tmp_path / "c.json"
    catalog = Classifier.catalog_from_classified(classified, flux, segmap, scheme, path)
    assert [source["id"] for source in catalog] == [2, 7]
    data, cut, mask = seen[1]
    assert set(data) == set(classified)
    assert data["disk"].shape == cut.shape == mask.shape == (17, 17)
    assert mask.dtype == bool
    assert np.array_equal(mask, ((radius < 9) & (radius >= 3))[12:29, 12:29])
    assert (cut[mask & (radius < 5)[12:29, 12:29]] == 0).all()
    assert flux[tuple(catalog[1]["location"])] == flux[segmap == 7].max()
    assert json.loads(path.read_text())[1]["morphology"] == [1, 0, 0, mask.sum()]
    data["disk"][:] = 5  # a copy
    assert classified["disk"].max() < 1


def test_no_flux_is_no_number_but_never_nan(classified):
    segmap = np.zeros((40, 60), np.int32)
    segmap[18:23, 18:23] = 1
    classified["disk"][18, 18], classified["spheroid"][18, 18] = 0, 1
    unweighted = [(1 + 24 * 0.25) / 25, 24 * 0.75 / 25, 0, 0]
    flux = np.full((40, 60), -1.0)
    flux[20, 21] = -0.5
    for empty in (flux, np.where(flux < 0, 0, flux), np.full_like(flux, np.nan)):
        (source,) = Classifier.catalog_from_classified(classified, empty, segmap)
        assert source["morphology"] == pytest.approx(unweighted)
        assert segmap[tuple(source["location"])] == 1
    (source,) = Classifier.catalog_from_classified(classified, flux, segmap)
    assert source["location"] == [20, 21]
    flux[18, 18], flux[0, 0] = 3, 9
    (source,) = Classifier.catalog_from_classified(classified, flux, segmap)
    assert source["morphology"] == [1, 0, 0, 0]


def test_picture(classified, tmp_path):
    from PIL import Image

    shown = Classifier.colorize_classified(classified, hide_unclassified=False)
    hidden = Classifier.colorize_classified(classified, out_dir=str(tmp_path))
    frame = classified["n"] == 0
    assert (shown[frame] == 1).all()
    assert (hidden[frame] == 0).all()
    assert np.array_equal(shown[~frame], hidden[~frame])
    with Image.open(tmp_path / "colorized.png") as image:
        assert np.array_equal(np.asarray(image), np.rint(hidden * 255).astype(np.uint8))
