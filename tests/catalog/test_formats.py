import dataclasses
import importlib.util

import numpy as np
import pytest
import regions
from astropy.io import ascii as ascii_tables
from astropy.io import fits
from astropy.table import MaskedColumn, Table

from morpheus.catalog import Catalog, CatalogOptions, measure
from morpheus.classes import CLASSES
from morpheus.errors import OptionError, ProductError

from .conftest import make_segmentation

FULL = ("fits", "ecsv", "vot", "xml", "parquet")


def guided(field, ids):
    segmentation, classification, images = field
    sources = segmentation.sources.copy()
    sources["position_id"] = ids
    return measure(
        dataclasses.replace(segmentation, sources=sources),
        classification,
        images,
        options=CatalogOptions(zero_points={"F160W": 25.9}),
    )


def same(one, other, *, exact=True):
    assert one.colnames == other.colnames
    for name in one.colnames:
        a, b = np.asarray(one[name]), np.asarray(other[name])
        if len(a) or a.dtype.kind != "U":
            assert a.dtype.kind == b.dtype.kind, name
        if a.dtype.kind == "f" and not exact:
            tolerance = {"x": 1e-4, "y": 1e-4, "ra": 1e-8, "dec": 1e-8}.get(name, 0)
            np.testing.assert_allclose(b, a, rtol=1e-7, atol=tolerance, err_msg=name)
        else:
            np.testing.assert_array_equal(a, b, err_msg=name)
        assert not hasattr(other[name], "mask")


@pytest.mark.parametrize("n", [0, 1, 3])
@pytest.mark.parametrize(
    "ids",
    [
        MaskedColumn(["a 1", "b", "c,2"], mask=[False, True, False]),
        MaskedColumn([7, 8, 123456789012], mask=[False, True, False]),
    ],
    ids=["text", "numbers"],
)
@pytest.mark.parametrize("suffix", [*FULL, "csv", "mrt"])
def test_what_is_read_is_what_was_written(field, tmp_path, suffix, ids, n):
    catalog = guided(field, ids)
    catalog = Catalog(catalog.table[:n], catalog.provenance)
    path = tmp_path / f"c.{suffix}"
    assert catalog.write(path) == path
    again = Catalog.read(path)
    if n == 0:  # no text says what type the identifiers of no source have
        again.table["position_id"] = catalog.table["position_id"]
    same(catalog.table, again.table, exact=suffix != "mrt")
    assert np.isnan(again.table["f606w_mag_kron"]).all()  # no zero point
    if suffix in FULL:
        assert again.provenance == json_like(catalog.provenance)
        for name in catalog.table.colnames:
            if n == 0 and name == "position_id":
                continue
            for what in ("unit", "description"):
                assert getattr(again.table[name], what) == getattr(catalog.table[name], what), name
            assert again.table[name].meta["ucd"] == catalog.table[name].meta["ucd"]


@pytest.mark.parametrize("suffix", [*FULL, "csv", "mrt"])
def test_text_that_is_not_ascii(field, tmp_path, suffix):
    segmentation, classification, images = field
    images[0] = dataclasses.replace(images[0], band="Hß", unit="furlongs²?")
    catalog = guided_with(segmentation, classification, images, ["NGC é1", "Ω", "a"])
    catalog.table["hß_flux_iso"].meta["ucd"] = "phot.flux;é"
    catalog.provenance["model"]["name"] = "modèle"
    again = Catalog.read(catalog.write(tmp_path / f"c.{suffix}"))
    escaped = suffix == "fits"
    ids = ["NGC \\xe91", "\\u03a9", "a"] if escaped else ["NGC é1", "Ω", "a"]
    assert again.table["position_id"].tolist() == ids
    name = "h\\xdf_flux_iso" if escaped else "hß_flux_iso"
    np.testing.assert_allclose(again.table[name], catalog.table["hß_flux_iso"], rtol=1e-6)
    if suffix in FULL:
        assert again.provenance["model"]["name"] == "modèle"
        assert "Hß" in again.provenance["bands"]
    if escaped:
        assert again.table[name].description.startswith("H\\xdf flux")
        assert fits.getheader(tmp_path / "c.fits", "CATALOG")["MODEL"] == "mod\\xe8le"


def guided_with(segmentation, classification, images, ids):
    sources = segmentation.sources.copy()
    sources["position_id"] = ids
    return measure(dataclasses.replace(segmentation, sources=sources), classification, images)


@pytest.mark.parametrize("suffix", [*FULL, "csv", "mrt"])
@pytest.mark.parametrize(
    "ids", [["007", "8", "9"], ["nan", "1e5", "-1"], ['a"b', "None", "True"], ["9" * 19, "1", "2"]]
)
def test_identifiers_that_look_like_something_else(field, tmp_path, suffix, ids):
    catalog = guided_with(*field, ids)
    again = Catalog.read(catalog.write(tmp_path / f"c.{suffix}"))
    assert again.table["position_id"].tolist() == ids


def test_what_a_format_cannot_hold_is_told(field, tmp_path):
    catalog = measure(*field)
    catalog.table["id"].description = "one\ntwo"
    with pytest.raises(ProductError, match=r"cannot write the catalogue .*c\.fits: \.fits cannot"):
        catalog.write(tmp_path / "c.fits")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("suffix", FULL)
def test_what_is_not_finite_is_null_in_the_provenance(field, tmp_path, suffix):
    catalog = measure(*field)
    catalog.provenance["odd"] = [float("nan"), np.float32("inf"), np.int64(3)]
    again = Catalog.read(catalog.write(tmp_path / f"c.{suffix}"))
    assert again.provenance["odd"] == [None, None, 3]


def json_like(record):
    import json

    return json.loads(json.dumps(record))


def test_the_fits_header_says_what_made_it(field, tmp_path):
    segmentation, classification, images = field
    measure(segmentation, classification, images).write(tmp_path / "c.fits")
    header = fits.getheader(tmp_path / "c.fits", "CATALOG")
    assert header["TTYPE5"] == "ra"
    assert header["TUCD5"] == "pos.eq.ra;meta.main"
    assert "ICRS" in header["TCOMM5"]
    assert header["DETBAND"] == "F160W"
    assert header["STAT"] == "mean"
    assert header["PIXSCALE"] == pytest.approx(0.06)
    assert header["CREATOR"].startswith("morpheus")


def test_machine_readable_tables_are_the_cds_s_too(field, tmp_path):
    segmentation, classification, images = field
    catalog = measure(segmentation, classification, images)
    catalog.write(tmp_path / "c.mrt")
    for form in ("mrt", "cds"):
        table = ascii_tables.read(tmp_path / "c.mrt", format=form)
        assert table.colnames == catalog.table.colnames
        np.testing.assert_allclose(table["f160w_flux_iso"], catalog.table["f160w_flux_iso"], 1e-6)
        assert table["f160w_mag_iso"].mask.all()  # blank
        assert str(table["ra"].unit) == "deg"
    assert max(map(len, (tmp_path / "c.mrt").read_text().split("\n---")[1].splitlines())) <= 80


def test_regions_are_the_kron_ellipses(field, tmp_path):
    segmentation, classification, images = field
    catalog = measure(segmentation, classification, images)
    catalog.write(tmp_path / "c.reg")
    text = (tmp_path / "c.reg").read_text()
    read = regions.Regions.read(tmp_path / "c.reg", format="ds9")
    assert len(read) == 3
    for region, row in zip(read, catalog.table, strict=True):
        pixels = region.to_pixel(segmentation.wcs)
        assert pixels.center.xy == pytest.approx((row["x"], row["y"]), abs=1e-3)
        assert pixels.width == pytest.approx(2 * row["kron_semi_major"], rel=1e-3)
        assert pixels.height == pytest.approx(
            2 * row["kron_semi_major"] * (1 - row["ellipticity"]), rel=1e-3
        )
        assert str(region.meta["text"]) == str(row["id"])
        color = next(c.color for c in CLASSES if c.name == row["class"])
        assert f"text={{{row['id']}}} color={color}" in text
        assert color in region.visual.values()
    # The first source was drawn at 0.5 radian from x towards y.
    angle = read[0].to_pixel(segmentation.wcs).angle.to_value("rad") % np.pi
    assert angle == pytest.approx(0.5, abs=0.04)
    with pytest.raises(OptionError, match="cannot be read"):
        Catalog.read(tmp_path / "c.reg")


def test_regions_without_wcs_or_shape(field, tmp_path):
    segmentation, classification, images = field
    plain = make_segmentation(segmentation.labels)
    images = [dataclasses.replace(image, wcs=None) for image in images]
    images[0].data[segmentation.labels == 2] = -1
    catalog = measure(plain, classification, images)
    assert np.isnan(catalog.table["kron_semi_major"][1])
    catalog.write(tmp_path / "c.reg")
    read = regions.Regions.read(tmp_path / "c.reg", format="ds9")
    assert [r.center.x for r in read] == pytest.approx(catalog.table["x"], abs=1e-3)
    assert read[1].width == pytest.approx(2 * 17 / np.sqrt(np.pi), rel=1e-3)


def test_bad_names_and_files(field, tmp_path):
    catalog = measure(*field)
    with pytest.raises(OptionError, match=r"\.txt.*\.fits, \.ecsv"):
        catalog.write(tmp_path / "c.txt")
    catalog.write(tmp_path / "c.fits")
    with pytest.raises(ProductError, match="would be overwritten"):
        catalog.write(tmp_path / "c.fits")
    catalog.write(tmp_path / "c.fits", overwrite=True)
    with pytest.raises(ProductError, match="is not there"):
        Catalog.read(tmp_path / "d.fits")
    for suffix in ("fits", "ecsv", "vot", "parquet", "csv", "mrt"):
        (tmp_path / f"bad.{suffix}").write_bytes(b"nonsense\n1 2 3")
        with pytest.raises(ProductError, match="bad"):
            Catalog.read(tmp_path / f"bad.{suffix}")
    assert not list(tmp_path.glob(".*part"))


@pytest.mark.parametrize("package", ["pyarrow", "pandas"])
def test_parquet_needs_packages_that_are_not_everywhere(field, tmp_path, monkeypatch, package):
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == package else find(name)
    )
    with pytest.raises(OptionError, match=rf"need {package}.*morpheus-sky\[parquet\]"):
        measure(*field).write(tmp_path / "c.parquet")
    assert not list(tmp_path.iterdir())


def test_a_damaged_fits_file_is_found_out(field, tmp_path):
    path = tmp_path / "c.fits"
    measure(*field).write(path)
    content = bytearray(path.read_bytes())
    content[-2880 + 5] ^= 1
    path.write_bytes(content)
    with pytest.raises(ProductError, match="cannot read the catalogue"):
        Catalog.read(path)


@pytest.mark.parametrize(("suffix", "form"), [("fits", "fits"), ("vot", "votable"), ("ecsv", None)])
def test_other_readers_understand_the_units(field, tmp_path, suffix, form):
    """As TOPCAT would: by astropy alone, in which a unit that it does not know is a warning."""
    segmentation, classification, images = field
    images = [dataclasses.replace(image, unit="ELECTRONS/S") for image in images]
    path = measure(segmentation, classification, images).write(tmp_path / f"c.{suffix}")
    table = Table.read(path, format=form)
    flux = table[f"{images[0].band.lower()}_flux_kron"]
    # Neither FITS nor the Virtual Observatory has electrons.
    assert flux.unit == ("electron / s" if suffix == "ecsv" else "ct / s")
    assert table["ra"].unit == "deg"
    assert Catalog.read(path).table[flux.name].unit == "electron / s"
