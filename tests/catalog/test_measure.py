import dataclasses

import numpy as np
import pytest
import sep

from morpheus.catalog import BandImage, CatalogOptions, measure, shapes
from morpheus.errors import GridMismatchError, MorpheusError, OptionError, ProductError
from morpheus.mosaic import MosaicWarning
from morpheus.mosaic.calibration import Calibration
from morpheus.segmentation.flags import SourceFlag

from .conftest import gaussian, make_classification, make_segmentation, make_wcs

NO_SKY = CatalogOptions(background="none", noise_scale="none")


def one_source(sigma=3.0, q=1.0, theta=0.0, *, flux=1000.0, half=20, noise=0.01, wcs=None):
    shape = (121, 121)
    data = gaussian(shape, 60.3, 59.8, flux, sigma, q, theta).astype(np.float32)
    labels = np.zeros(shape, np.int32)
    labels[60 - half : 61 + half, 60 - half : 61 + half] = 1
    image = BandImage("H", data, np.full(shape, noise, np.float32), unit="nJy", wcs=wcs)
    return make_segmentation(labels, wcs=wcs), make_classification(shape), image


def test_a_gaussian_as_theory_has_it():
    wcs = make_wcs((121, 121), angle=30)
    segmentation, classification, image = one_source(wcs=wcs)
    options = dataclasses.replace(NO_SKY, apertures=(0.36, 0.72), zero_points={"H": 25.0})
    row = measure(segmentation, classification, [image], options=options).table[0]
    assert (row["x"], row["y"]) == pytest.approx((60.3, 59.8), abs=1e-3)
    assert row["semi_major"] == pytest.approx(3, rel=2e-2)
    assert row["ellipticity"] == pytest.approx(0, abs=1e-2)
    # a circle of radius r holds 1 - exp(-r^2 / 2 sigma^2)
    for i, r in ((1, 3.0), (2, 6.0)):
        expected = 1000 * (1 - np.exp(-(r**2) / (18 + 1 / 6)))  # a pixel widens it by 1/12
        assert row[f"h_flux_aper_{i}"] == pytest.approx(expected, rel=1e-3)
        assert row[f"h_flux_aper_{i}_err"] == pytest.approx(0.01 * np.sqrt(np.pi) * r, rel=1e-3)
    # the Kron radius of a Gaussian is sqrt(pi / 2) sigma, raised to the smallest allowed, 1.4
    kron = 2.5 * 1.4 * row["semi_major"]
    assert row["kron_semi_major"] == pytest.approx(kron, rel=1e-3)
    assert row["h_flux_kron"] == pytest.approx(1000 * (1 - np.exp(-(kron**2) / 18)), rel=1e-3)
    assert row["h_flux_kron_err"] == pytest.approx(0.01 * np.sqrt(np.pi) * kron, rel=1e-2)
    assert row["h_flux_iso"] == pytest.approx(1000, rel=1e-4)
    assert row["h_flux_iso_err"] == pytest.approx(0.01 * 41)
    assert row["h_mag_iso"] == pytest.approx(25 - 7.5, abs=1e-4)
    assert row["h_mag_iso_err"] == pytest.approx(1.0857 * 0.41 / 1000, rel=1e-3)
    assert row["half_light_radius"] == pytest.approx(3 * np.sqrt(2 * np.log(2)), rel=1e-2)
    assert row["half_light_radius_arcsec"] == pytest.approx(0.06 * row["half_light_radius"])
    ratio = np.sqrt(np.log(1 - 0.8) / np.log(1 - 0.2))
    assert row["concentration"] == pytest.approx(5 * np.log10(ratio), rel=2e-2)
    sky = wcs.pixel_to_world(60.3, 59.8)
    assert row["ra"] == pytest.approx(sky.ra.deg, abs=1e-7)
    assert row["h_snr"] == pytest.approx(row["h_flux_kron"] / row["h_flux_kron_err"])


@pytest.mark.parametrize("theta", [0.0, 0.6, 2.5])
def test_position_angles(theta):
    wcs = make_wcs((121, 121), angle=30)
    segmentation, classification, image = one_source(4, 0.5, theta, wcs=wcs)
    row = measure(segmentation, classification, [image], options=NO_SKY).table[0]
    assert row["ellipticity"] == pytest.approx(0.5, abs=0.02)
    a = wcs.pixel_to_world(60, 60)
    b = wcs.pixel_to_world(60 + 10 * np.cos(theta), 60 + 10 * np.sin(theta))
    expected = a.position_angle(b).deg
    assert abs((row["position_angle"] - expected + 90) % 180 - 90) < 0.5
    plain, classification, image = one_source(4, 0.5, theta)
    row = measure(plain, classification, [image], options=NO_SKY).table[0]
    assert abs((row["position_angle"] - np.rad2deg(theta)) % 180 - 90) < 0.5


def test_sep_agrees(field):
    segmentation, classification, images = field
    catalog = measure(segmentation, classification, images)
    table = catalog.table
    data = images[0].data - np.float32(catalog.provenance["bands"]["F160W"]["background"])
    circle, *_ = sep.sum_circle(data, table["x"], table["y"], 0.5 / 0.12, subpix=0)
    np.testing.assert_allclose(table["f160w_flux_aper_1"], circle, rtol=1e-5)
    a, b = table["semi_major"], table["semi_minor"]
    theta = np.deg2rad(table["position_angle"] - 90)
    theta = np.mod(theta + np.pi / 2, np.pi) - np.pi / 2
    kron, _ = sep.kron_radius(data, table["x"], table["y"], a, b, theta, 6.0)
    kron = np.maximum(kron, 1.4)
    ellipse, *_ = sep.sum_ellipse(data, table["x"], table["y"], a, b, theta, 2.5 * kron, subpix=0)
    np.testing.assert_allclose(table["kron_semi_major"], 2.5 * kron * a, rtol=1e-2)
    np.testing.assert_allclose(table["f160w_flux_kron"], ellipse, rtol=1e-2)


def test_isophotal_fluxes_are_the_sums_of_the_pixels(field):
    segmentation, classification, images = field
    table = measure(segmentation, classification, images, options=NO_SKY).table
    for image in images:
        for row in table:
            inside = image.data[segmentation.labels == row["id"]].astype(float)
            assert row[f"{image.band.lower()}_flux_iso"] == pytest.approx(inside.sum(), rel=1e-9)
            assert row["area"] == inside.size
    assert table["x_min"][0] == 22
    assert table["y_max"][0] == 49


@pytest.mark.parametrize("background", ["global", "mesh"])
def test_the_sky_is_subtracted_and_its_noise_is_the_error(field, background):
    segmentation, classification, images = field
    options = CatalogOptions(background=background, mesh_size=30)
    catalog = measure(segmentation, classification, images, options=options)
    record = catalog.provenance["bands"]["F160W"]
    assert record["background"] == pytest.approx(0.5, abs=0.003)
    assert record["sky_noise"] == pytest.approx(0.02, rel=0.05)
    np.testing.assert_allclose(catalog.table["f160w_flux_iso"], [100, 50, 20], atol=1.5)
    np.testing.assert_allclose(catalog.table["f160w_flux_iso_err"], 0.02 * 17, rtol=0.05)
    faint, bright = (catalog.table[f"{band}_flux_aper_2"] for band in ("f606w", "f160w"))
    # The noise is 0.02 a pixel, of 218 pixels.
    np.testing.assert_allclose(faint - 0.3 * bright, 0, atol=4 * 0.02 * np.sqrt(1.09 * 218))


def test_photometry_of_a_field():
    """Unbiased to 2% and with errors that are right, for 225 sources of S/N above 20."""
    rng = np.random.default_rng(5)
    step, n = 56, 15
    shape = (step * n, step * n)
    data, labels = np.zeros(shape), np.zeros(shape, np.int32)
    noise = np.linspace(0.8, 1.2, shape[1], dtype=np.float32) * np.ones(shape, np.float32)
    truth = []
    for i in range(n * n):
        y0, x0 = (step * k for k in divmod(i, n))
        x, y = rng.uniform(26, 30, 2)
        flux, sigma = rng.uniform(700, 3000), rng.uniform(1.8, 2.6)
        data[y0 : y0 + step, x0 : x0 + step] += gaussian((step, step), x, y, flux, sigma)
        yy, xx = np.mgrid[:step, :step]
        labels[y0 : y0 + step, x0 : x0 + step][np.hypot(xx - x, yy - y) < 4 * sigma] = i + 1
        truth.append((flux, sigma))
    flux, sigma = np.array(truth).T
    data = (data + 10 + noise * rng.standard_normal(shape)).astype(np.float32)
    image = BandImage("H", data, noise)
    options = CatalogOptions(apertures=(8.0,))
    table = measure(
        make_segmentation(labels), make_classification(shape), [image], options=options
    ).table
    assert (table["h_snr"] > 20).mean() > 0.9
    kron = 1 - np.exp(-(table["kron_semi_major"] ** 2) / (2 * sigma**2))
    kinds = {
        "iso": flux * (1 - np.exp(-8)),
        # within the aperture, whose size is measured; a Gaussian's minor axis is shorter by noise
        "kron": flux * kron,
        "aper_1": flux * (1 - np.exp(-16 / (2 * (sigma**2 + 1 / 12)))),
    }
    for kind, expected in kinds.items():
        difference = table[f"h_flux_{kind}"] - expected
        assert np.median(table[f"h_flux_{kind}"] / expected) == pytest.approx(1, abs=0.02), kind
        pull = difference / table[f"h_flux_{kind}_err"]
        assert pull.std() == pytest.approx(1, abs=0.15), kind
        assert abs(pull.mean()) < 0.3, kind


def test_an_exponential_disk_in_its_kron_aperture():
    """Of an exponential's light 1 - (1 + r) exp(-r) is within r scale lengths."""
    shape, scale = (301, 301), 5.0
    y, x = np.mgrid[:301, :301]
    r = np.hypot(x - 150, y - 150)
    data = (1e4 / (2 * np.pi * scale**2) * np.exp(-r / scale)).astype(np.float32)
    labels = (r < 8 * scale).astype(np.int32)
    image = BandImage("H", data, np.ones(shape, np.float32))
    row = measure(
        make_segmentation(labels), make_classification(shape), [image], options=NO_SKY
    ).table[0]
    r = row["kron_semi_major"] / scale
    assert 5 < r < 6.5  # 2.5 Kron radii; that of an exponential is 2 scale lengths
    assert row["h_flux_kron"] / 1e4 == pytest.approx(1 - (1 + r) * np.exp(-r), abs=2e-3)


def test_photon_noise_is_added_when_asked():
    segmentation, classification, image = one_source()
    image = dataclasses.replace(image, unit="ELECTRONS/S")
    quiet = measure(segmentation, classification, [image], options=NO_SKY).table[0]
    options = dataclasses.replace(NO_SKY, exposure={"H": 100.0})
    noisy = measure(segmentation, classification, [image], options=options).table[0]
    added = noisy["h_flux_iso_err"] ** 2 - quiet["h_flux_iso_err"] ** 2
    assert added == pytest.approx(1000 / 100, rel=1e-3)
    with pytest.raises(OptionError, match="photon noise"):
        measure(
            segmentation,
            classification,
            [dataclasses.replace(image, unit="nJy")],
            options=options,
        )


def test_flags(field):
    segmentation, classification, images = field
    mask = np.zeros(segmentation.shape, bool)
    mask[60, 93] = True  # not in the source, but in its Kron aperture
    images[0] = dataclasses.replace(
        images[0], mask=mask, calibration=Calibration(saturation=float(images[0].data.max()))
    )
    segmentation.sources["flags"] = [0, SourceFlag.DEBLENDED, 0]
    options = CatalogOptions(low_snr=60, apertures=(1.6,))
    table = measure(segmentation, classification, images, options=options).table
    flags = [SourceFlag(int(f)) for f in table["flags"]]
    assert [SourceFlag.SATURATED in f for f in flags] == [True, False, False]
    assert [SourceFlag.DEBLENDED in f for f in flags] == [False, True, False]
    assert [SourceFlag.CUT_APERTURE in f for f in flags] == [False, True, False]
    low = table["f160w_snr"] < 60
    assert [SourceFlag.LOW_SNR in f for f in flags] == low.tolist()
    assert not any(SourceFlag.NONPOSITIVE_FLUX in f for f in flags)


def test_a_source_at_the_edge_has_a_cut_aperture():
    data = gaussian((60, 60), 3, 30, 100, 2).astype(np.float32)
    labels = np.zeros((60, 60), np.int32)
    labels[25:36, :9] = 1
    image = BandImage("H", data, np.full((60, 60), 0.01, np.float32))
    classification = make_classification((60, 60))
    row = measure(make_segmentation(labels), classification, [image], options=NO_SKY).table[0]
    assert row["flags"] & SourceFlag.CUT_APERTURE


def test_sources_without_light_or_pixels(field):
    segmentation, classification, images = field
    images[0].data[segmentation.labels == 1] = -3
    images[0].data[segmentation.labels == 2] = np.nan
    images[1].data[segmentation.labels == 3] = np.inf
    table = measure(segmentation, classification, images, options=NO_SKY).table
    assert (table["flags"][:2] & SourceFlag.NONPOSITIVE_FLUX).all()
    assert not table["flags"][2] & SourceFlag.NONPOSITIVE_FLUX
    # of the second nothing is known, which the unweighted classes say
    assert (table["flags"] & SourceFlag.LOW_SNR).astype(bool).tolist() == [True, False, False]
    np.testing.assert_allclose(table["x"][:2], [30, 80])  # the middle of the pixels
    assert table["f160w_flux_iso"][0] == pytest.approx(-3 * 17**2)
    assert np.isnan([table["f160w_flux_iso"][1], table["f606w_flux_iso"][2]]).all()
    assert np.isnan(table["f606w_flux_kron"][2])
    assert np.isnan(table["f606w_flux_aper_1"][2])
    assert np.isfinite(table["f160w_flux_kron"][2])  # a band does not spoil another
    assert np.isfinite(table["f606w_flux_iso"][:2]).all()
    for name in ("spheroid", "disk", "irregular", "point_source"):
        assert np.isfinite(table[f"p_{name}"]).all()
    assert (table["class"] == "disk").all()


def test_portions_do_not_change_anything(field, monkeypatch):
    table = measure(*field).table
    monkeypatch.setattr(shapes, "_PORTION", 1)
    one_by_one = measure(*field).table
    for name in table.colnames:
        np.testing.assert_array_equal(table[name], one_by_one[name], err_msg=name)


def test_an_odd_source_does_not_stop_the_others(field, monkeypatch):
    table = measure(*field).table
    original = shapes.SourceCatalog.x_centroid

    def fails_for_two(self):
        if 2 in self.labels:
            raise ValueError("odd")
        return original.fget(self)

    monkeypatch.setattr(shapes.SourceCatalog, "x_centroid", property(fails_for_two))
    with pytest.warns(MosaicWarning, match="shapes of 1 sources could not be measured") as warned:
        catalog = measure(*field)
    assert len(warned) == 1
    assert catalog.provenance["bands"]["F160W"]["failed_sources"] == 1
    other = catalog.table
    for name in ("f160w_flux_kron", "f606w_flux_aper_1", "half_light_radius"):
        expected = table[name].copy()
        expected[1] = np.nan
        np.testing.assert_array_equal(other[name], expected)
    # the signal to noise is then the isophotal one, and the position that of the pixels
    assert other["f160w_snr"][1] == pytest.approx(
        table["f160w_flux_iso"][1] / table["f160w_flux_iso_err"][1]
    )
    assert (other["x"][1], other["y"][1]) == (80, 60)


def test_if_all_sources_fail_it_is_an_error(field, monkeypatch):
    def fails(self):
        raise IndexError("odd")

    monkeypatch.setattr(shapes.SourceCatalog, "x_centroid", property(fails))
    with pytest.raises(IndexError, match="odd"):
        measure(*field)


def test_a_gradient_is_no_noise():
    rng = np.random.default_rng(2)
    shape = (400, 400)
    data = np.linspace(0, 0.5, 400) + rng.normal(0, 0.02, shape)
    labels = np.zeros(shape, np.int32)
    labels[195:206, 195:206] = 1
    data[195:206, 195:206] += 1
    catalog = measure(
        make_segmentation(labels),
        make_classification(shape),
        [BandImage("H", data)],
        options=CatalogOptions(background="mesh", mesh_size=40, noise_scale="none"),
    )
    # Half a box from the edge of the image the mesh is flat.
    assert catalog.provenance["bands"]["H"]["sky_noise"] == pytest.approx(0.02, rel=0.15)
    assert catalog.table["h_flux_iso_err"][0] == pytest.approx(0.02 * 11, rel=0.15)


def test_a_source_with_masked_pixels_is_a_lower_limit(field):
    segmentation, classification, images = field
    mask = np.zeros(segmentation.shape, bool)
    mask[60, 80] = True
    images[1] = dataclasses.replace(images[1], mask=mask)
    options = CatalogOptions(apertures=())
    flags = measure(segmentation, classification, images, options=options).table["flags"]
    both = SourceFlag.MASKED | SourceFlag.CUT_APERTURE
    assert ((flags & both) == both).tolist() == [False, True, False]
    # One without a shape, and so without an aperture, too.
    images[0].data[segmentation.labels == 2] = -1
    flags = measure(segmentation, classification, images, options=options).table["flags"]
    assert flags[1] & both == both


def test_a_detection_band_that_is_not_there_is_told(field):
    segmentation, classification, images = field
    segmentation.provenance["detection_band"] = "K"
    with pytest.warns(MosaicWarning, match="separated in K.*those of F160W"):
        catalog = measure(segmentation, classification, images)
    assert catalog.provenance["detection_band"] == "F160W"


def test_the_provenance_does_not_describe_the_machine(field):
    software = measure(*field).provenance["software"]
    assert "photutils" in software
    assert not {"platform", "processor"} & set(software)


def test_no_source(field):
    segmentation, classification, images = field
    full = measure(segmentation, classification, images)
    nothing = make_segmentation(np.zeros(segmentation.shape, int), wcs=segmentation.wcs)
    empty = measure(nothing, classification, images)
    assert len(empty) == 0
    assert empty.table.colnames == full.table.colnames
    for name in full.table.colnames:
        assert empty.table[name].dtype.kind == full.table[name].dtype.kind
        assert empty.table[name].unit == full.table[name].unit


def test_nothing_but_sources():
    shape = (40, 40)
    labels = np.repeat([[1, 2]], 40, axis=0).repeat(20, axis=1)
    data = gaussian(shape, 10, 20, 100, 3) + gaussian(shape, 30, 20, 50, 3)
    image = BandImage("H", data.astype(np.float32))
    with pytest.warns(MosaicWarning, match="0 pixels of sky"):
        table = measure(make_segmentation(labels), make_classification(shape), [image]).table
    assert table["h_flux_iso"].sum() == pytest.approx(150, rel=0.01)
    assert np.isnan(table["h_flux_iso_err"]).all()


def test_rows_follow_the_labels(field):
    """The same sources under other numbers are the same rows in another order."""
    segmentation, classification, images = field
    table = measure(segmentation, classification, images).table
    new = np.array([0, 3, 1, 2])[segmentation.labels]
    other = measure(make_segmentation(new, wcs=segmentation.wcs), classification, images).table
    for name in table.colnames:
        if name not in ("id", "parent"):
            np.testing.assert_array_equal(table[name][[1, 2, 0]], other[name], err_msg=name)


def with_labels(segmentation, new):
    """The segmentation with the label 2 replaced."""
    labels = np.where(segmentation.labels == 2, new, segmentation.labels)
    return dataclasses.replace(segmentation, labels=labels.astype(np.int32))


def shifted(segmentation):
    wcs = segmentation.wcs.deepcopy()
    wcs.wcs.crpix += 1
    return dataclasses.replace(segmentation, wcs=wcs)


BAD = {
    "shape": lambda s, c, i: ((make_segmentation(s.labels[:-1]), c, i), {}),
    "classification": lambda s, c, i: ((s, make_classification((5, 5)), i), {}),
    "shifted": lambda s, c, i: ((shifted(s), c, i), {}),
    "gap": lambda s, c, i: ((with_labels(s, 0), c, i), {}),
    "more": lambda s, c, i: ((with_labels(s, 9), c, i), {}),
    "order": lambda s, c, i: ((dataclasses.replace(s, sources=s.sources[::-1]), c, i), {}),
    "statistic": lambda s, c, i: ((s, c, i), {"statistic": "variance"}),
    "twice": lambda s, c, i: ((s, c, [i[0], i[0]]), {}),
    "none": lambda s, c, i: ((s, c, []), {}),
    "option": lambda s, c, i: ((s, c, i), {"options": CatalogOptions(zero_points={"K": 25.0})}),
    "band": lambda s, c, i: ((s, c, i), {"detection_band": "K"}),
}


@pytest.mark.parametrize(
    ("what", "error", "text"),
    [
        ("shape", GridMismatchError, "one pixel grid"),
        ("classification", GridMismatchError, "one run"),
        ("shifted", GridMismatchError, "shifted"),
        ("gap", ProductError, "no pixel has the label 2 of 3.*relabel"),
        ("more", ProductError, "0 to 9 but the table lists 3"),
        ("order", ProductError, "order of the labels"),
        ("statistic", OptionError, "variance"),
        ("twice", OptionError, "different bands"),
        ("none", OptionError, "at least one"),
        ("option", OptionError, "K is no band"),
        ("band", OptionError, "K is no band"),
    ],
)
def test_bad_input(field, what, error, text):
    arguments, options = BAD[what](*field)
    with pytest.raises(error, match=text):
        measure(*arguments, **options)


@pytest.mark.parametrize(
    "options",
    [
        {"apertures": (0,)},
        {"apertures": (1, 1)},
        {"apertures": "12"},
        {"kron_params": (2.5,)},
        {"kron_params": (2.5, -1)},
        {"background": "local"},
        {"noise_scale": "guessed"},
        {"mesh_size": 2},
        {"mesh_size": 64.5},
        {"exposure": {"H": 0}},
        {"saturation": {"H": float("nan")}},
        {"zero_points": {"H": "25"}},
        {"low_snr": -1},
    ],
)
def test_options_out_of_range(options):
    with pytest.raises(MorpheusError):
        CatalogOptions(**options)
