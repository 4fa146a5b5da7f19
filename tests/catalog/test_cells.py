"""Fields measured in pieces: the same catalogue, bit by bit, from wherever the pixels come."""

import dataclasses
import itertools
import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from morpheus.catalog import BandImage, CatalogOptions, lattice, measure, shapes
from morpheus.catalog.assemble import assemble_catalog
from morpheus.catalog.band_sky import measure_band_sky
from morpheus.catalog.cell import measure_cell
from morpheus.catalog.lattice import cells_of, cutouts_of, find_boxes
from morpheus.catalog.pixels import FieldInMemory, grown, whole
from morpheus.catalog.setup import CatalogSetup
from morpheus.catalog.thinned import assemble, thinned_sky
from morpheus.classes import CLASS_NAMES
from morpheus.errors import ProductError
from morpheus.inference import Classification, ClassMaps
from morpheus.inference.accumulate import Statistics
from morpheus.mosaic import MosaicWarning, sky
from morpheus.mosaic.sky import grid_step
from morpheus.segmentation.flags import SourceFlag

from .conftest import gaussian, make_segmentation, make_wcs

SHAPE = (250, 330)
# x, y, flux, sigma, q, theta, half of the label's box: on borders of cells of 64 pixels, in their
# corners, at edges of the image, larger than a cell, and touching each other.
SOURCES = [
    *((64 * i + 1.3, 64 * j - 0.4, 90, 2.0, 0.7, 0.4 * i, 6) for i in (1, 3) for j in (1, 2)),
    (200, 150, 6000, 15.0, 0.6, 0.5, 45),
    (290, 215, 900, 7.0, 0.4, 1.5, 20),
    (2, 30, 60, 2.0, 1.0, 0.0, 6),
    (20, 248, 60, 1.5, 1.0, 0.0, 5),
    (100, 20, 40, 1.5, 1.0, 0.0, 5),
    (110, 20, 80, 2.0, 0.5, 2.0, 5),
    (30, 100, 50, 1.5, 1.0, 0.0, 4),
    (300, 70, 50, 1.8, 0.8, 0.3, 5),
]


class Reader:
    """A field of which every section is read anew, and what was read is written down."""

    def __init__(self, *field):
        self._field = FieldInMemory(*field)
        self.shape = self._field.shape
        self.asked = []

    def labels(self, section):
        self.asked.append(("labels", section))
        return self._field.labels(section).copy()

    def masked(self, section):
        self.asked.append(("masked", section))
        return self._field.masked(section).copy()

    def probabilities(self, section):
        self.asked.append(("probabilities", section))
        return over(self._field.probabilities(section))

    def scatter(self, section):
        self.asked.append(("scatter", section))
        return over(self._field.scatter(section))

    def band(self, name, section):
        self.asked.append((name, section))
        return over(self._field.band(name, section))


@pytest.fixture
def crowded():
    """Sources of many sizes in two bands, one with errors; one without light, one masked."""
    rng, wcs = np.random.default_rng(4), make_wcs(SHAPE)
    true, labels = np.zeros(SHAPE), np.zeros(SHAPE, np.int32)
    for i, (x, y, flux, sigma, q, theta, half) in enumerate(SOURCES, start=1):
        true += gaussian(SHAPE, x, y, flux, sigma, q, theta)
        rows, columns = (slice(max(0, round(c) - half), round(c) + half + 1) for c in (y, x))
        labels[rows, columns] = np.where(labels[rows, columns], labels[rows, columns], i)
    data = [(f * true + 0.5 + rng.normal(0, 0.02, SHAPE)).astype(np.float32) for f in (1, 0.3)]
    data[0][labels == 11] = -1
    data[0][labels == 12] = np.nan
    mask = rng.random(SHAPE) < 1e-3
    error = rng.uniform(0.015, 0.025, SHAPE).astype(np.float32)
    images = [
        BandImage("H", data[0], unit="electron / s", wcs=wcs),
        BandImage("V", data[1], error, mask, unit="electron / s", wcs=wcs),
    ]
    p = rng.dirichlet(np.ones(5), SHAPE).transpose(2, 0, 1).astype(np.float32)
    maps = ClassMaps(CLASS_NAMES, p)
    classification = Classification(
        maps, ClassMaps(CLASS_NAMES, p / 10), maps, np.full(SHAPE, 4, np.uint32), mask
    )
    return make_segmentation(labels, mask=rng.random(SHAPE) < 1e-3, wcs=wcs), classification, images


@pytest.fixture
def small_cells(monkeypatch):
    """Many cells, every halo needed, and a grid of every second pixel."""
    monkeypatch.setattr(lattice, "CELL", 64)
    monkeypatch.setattr(lattice, "HALOS", (16, 48, 130))
    monkeypatch.setattr(sky, "_SAMPLE", 30_000)


def tiles(shape, rng):
    """Cut an image into rectangles of any size."""
    stack, result = [whole(shape)], []
    while stack:
        rows, columns = stack.pop()
        axis = int(rng.integers(2))
        side = (rows, columns)[axis]
        if side.stop - side.start < 2 or rng.random() < 0.3:
            result.append((rows, columns))
            continue
        at = int(rng.integers(side.start + 1, side.stop))
        parts = slice(side.start, at), slice(at, side.stop)
        stack += [(part, columns) if axis == 0 else (rows, part) for part in parts]
    return [result[i] for i in rng.permutation(len(result))]


def in_pieces(field, rng, *, statistic="mean", options=None):
    """Measure as separate processes would, in any order; the catalogue, and what was read."""
    segmentation, classification, images = field
    setup = CatalogSetup(
        bands=tuple(image.band for image in images),
        units=tuple(image.unit for image in images),
        classes=classification.classes,
        detection=images[0].band,
        statistic=statistic,
        options=options or CatalogOptions(),
        wcs=segmentation.wcs,
    )
    step = grid_step(segmentation.shape)
    blocks, read = [], []

    def reader():
        return Reader(segmentation, classification, statistic, images)

    for tile in tiles(segmentation.shape, rng):
        pixels = reader()
        blocks.append((tile, over(thinned_sky(pixels, tile, step, setup.bands))))
        read.append((grown(tile, 6, pixels.shape), pixels.asked))
    thinned = assemble(segmentation.shape, step, blocks)
    skies = {
        band: over(measure_band_sky(reader(), band, over(thinned), setup.options))
        for band in setup.bands
    }
    boxes = find_boxes(segmentation.labels)
    cells = list(cells_of(boxes, segmentation.shape))
    results = []
    for i in rng.permutation(len(cells)):
        pixels = reader()
        results.append(over(measure_cell(pixels, over(cells[i]), skies, over(setup))))
        read.append((cells[i], pixels.asked))
    return assemble_catalog(setup, segmentation.sources, boxes, skies, results), read


def over(what):
    """To another process."""
    return pickle.loads(pickle.dumps(what))


def same(one, other, **tolerance):
    assert one.colnames == other.colnames
    for name in one.colnames:
        a, b = np.asarray(one[name]), np.asarray(other[name])
        if tolerance and a.dtype.kind == "f":
            np.testing.assert_allclose(b, a, err_msg=name, **tolerance)
        else:
            np.testing.assert_array_equal(a, b, err_msg=name)


OPTIONS = {
    "default": {},
    "mesh": {"background": "mesh", "mesh_size": 50},
    "none": {"background": "none", "noise_scale": "none", "apertures": ()},
    "photons": {"exposure": {"H": 100.0}, "zero_points": {"H": 25.0}, "saturation": {"V": 5.0}},
}


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
def test_pieces_give_the_same_catalogue(crowded, small_cells, options):
    options = CatalogOptions(**options)
    catalog = measure(*crowded, options=options)
    for seed in range(2):
        other, _ = in_pieces(crowded, np.random.default_rng(seed), options=options)
        same(catalog.table, other.table)
        assert catalog.provenance["bands"] == other.provenance["bands"]
        assert list(catalog.provenance) == list(other.provenance)
    assert np.isfinite(catalog.table["h_flux_kron"]).sum() == len(SOURCES) - 2
    assert np.isnan(catalog.table["h_flux_iso"][11])


def test_no_more_is_read_than_the_largest_cutout(crowded, small_cells):
    """And each of the halos is used: one source in the wrong cutout would be measured as well."""
    _, read = in_pieces(crowded, np.random.default_rng(0))
    used = set()
    for allowed, asked in read:
        if isinstance(allowed, lattice.Cell):
            cutouts = cutouts_of(allowed, SHAPE)
            assert all(section in cutouts for _, section in asked)
            used |= {cutouts.index(section) for what, section in asked if what == "probabilities"}
            assert all(section != whole(SHAPE) for _, section in asked)
        else:
            for _, (rows, columns) in asked:
                assert allowed[0].start <= rows.start <= rows.stop <= allowed[0].stop
                assert allowed[1].start <= columns.start <= columns.stop <= allowed[1].stop
    assert used == {0, 1, 2}


@pytest.mark.parametrize("background", ["global", "mesh"])
def test_the_size_of_cells_does_not_matter(crowded, monkeypatch, background):
    """But to rounding: photutils adds up coordinates."""
    # Kron apertures that reach much further than the sources.
    options = CatalogOptions(background=background, mesh_size=50, kron_params=(2.5, 5.0))
    expected = measure(*crowded, options=options)
    monkeypatch.setattr(lattice, "HALOS", (16, 48, 400))
    for cell in (64, 100):
        monkeypatch.setattr(lattice, "CELL", cell)
        catalog = measure(*crowded, options=options)
        same(expected.table, catalog.table, rtol=1e-6, atol=1e-9)
        assert catalog.provenance["bands"] == expected.provenance["bands"]


def test_a_source_that_no_cutout_holds_is_flagged(crowded, monkeypatch):
    segmentation, classification, images = crowded
    images = [dataclasses.replace(image, mask=None) for image in images]
    field = segmentation, classification, images
    expected = measure(*field).table
    monkeypatch.setattr(lattice, "CELL", 32)
    monkeypatch.setattr(lattice, "HALOS", (8, 20, 30))
    table = measure(*field).table
    same(table, in_pieces(field, np.random.default_rng(0))[0].table)
    assert table["area"][4] < expected["area"][4]
    assert table["x_max"][4] == expected["x_max"][4]
    cut, before = (one["flags"] & SourceFlag.CUT_APERTURE > 0 for one in (table, expected))
    assert np.flatnonzero(cut & ~before).tolist() == [4]
    fit = ~cut | before
    same(expected[fit], table[fit], rtol=1e-6, atol=1e-9)


def single_pass(classification):
    """What a dense model says: every pixel once."""
    mean, n = classification.mean.array, np.ones(SHAPE, np.uint32)
    return Classification.from_statistics(
        CLASS_NAMES,
        Statistics(mean, None, None, n),
        mask=classification.mask,
        wcs=None,
        provenance={},
    )


@pytest.mark.parametrize("statistic", ["mean", "votes"])
@pytest.mark.parametrize("single", [True, False])
def test_statistics_of_models(crowded, small_cells, statistic, single):
    segmentation, classification, images = crowded
    if single:
        classification = single_pass(classification)
    field = segmentation, classification, images
    catalog = measure(*field, statistic=statistic)
    other, _ = in_pieces(field, np.random.default_rng(0), statistic=statistic)
    same(catalog.table, other.table)
    assert np.isnan(catalog.table["p_disk_err"]).all() == single
    own = segmentation.labels == 3
    background = classification.maps(statistic)["background"][own]
    assert catalog.table["p_background"][2] == pytest.approx(background.mean(dtype=float))


@pytest.mark.parametrize("n", [0, 1])
def test_next_to_no_sources(crowded, small_cells, n):
    segmentation, classification, images = crowded
    few = make_segmentation(np.where(segmentation.labels == 5, n, 0), wcs=segmentation.wcs)
    catalog = measure(few, classification, images)
    assert len(catalog) == n
    other, _ = in_pieces((few, classification, images), np.random.default_rng(0))
    same(catalog.table, other.table)


def test_a_failure_in_one_cell_is_none_of_the_field(crowded, small_cells, monkeypatch):
    """Sources that are alone in their cells fail alone; only if all do, it is an error."""
    original = shapes.SourceCatalog.x_centroid
    table = measure(*crowded).table
    odd = {table["area"][7]}

    def fails_for_some(self):
        if odd & set(self.area.value):
            raise ValueError("odd")
        return original.fget(self)

    monkeypatch.setattr(shapes.SourceCatalog, "x_centroid", property(fails_for_some))
    with pytest.warns(MosaicWarning, match="shapes of 1 sources"):
        catalog = measure(*crowded)
    assert catalog.provenance["bands"]["H"]["failed_sources"] == 1
    failed = np.isnan(catalog.table["v_flux_kron"]) & ~np.isnan(table["v_flux_kron"])
    assert np.flatnonzero(failed).tolist() == [7]

    def fails_for_all(self):
        raise ValueError("all odd")

    monkeypatch.setattr(shapes.SourceCatalog, "x_centroid", property(fails_for_all))
    with pytest.raises(ValueError, match="all odd"):
        measure(*crowded)


def test_every_source_is_measured_once(crowded, small_cells):
    segmentation, classification, images = crowded
    boxes = find_boxes(segmentation.labels)
    cells = list(cells_of(boxes, SHAPE))
    labels = np.concatenate([cell.sources.label for cell in cells])
    assert np.sort(labels).tolist() == list(range(1, len(SOURCES) + 1))
    for cell in cells:
        for label in cell.sources.label:
            y, x = np.argwhere(segmentation.labels == label)[0]
            assert cell.section[0].start <= y < cell.section[0].stop
            assert cell.section[1].start <= x < cell.section[1].stop
    setup = CatalogSetup(("H",), (None,), CLASS_NAMES, "H", "mean", CatalogOptions(), None)
    pixels = FieldInMemory(segmentation, classification, "mean", images)
    thinned = thinned_sky(pixels, whole(SHAPE), 1, ["H"])
    skies = {"H": measure_band_sky(pixels, "H", thinned, setup.options)}
    results = [measure_cell(pixels, cell, skies, setup) for cell in cells[1:]]
    with pytest.raises(ProductError, match="were measured of 12"):
        assemble_catalog(setup, segmentation.sources, boxes, skies, results)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 7))
def test_the_even_grid_does_not_depend_on_blocks(seed, step):
    rng = np.random.default_rng(seed)
    shape = tuple(rng.integers(1, 60, 2).tolist())
    labels = (rng.random(shape) < 0.005).astype(np.int32)
    labels[0, 0] = 1
    data = rng.standard_normal(shape).astype(np.float32)
    data[rng.random(shape) < 0.05] = np.nan
    image = BandImage("H", data, mask=rng.random(shape) < 0.1)
    maps = ClassMaps(CLASS_NAMES, np.zeros((5, *shape), np.float32))
    n = np.ones(shape, np.uint32)
    segmentation = make_segmentation(labels, mask=rng.random(shape) < 0.1)
    field = segmentation, Classification(maps, maps, maps, n, n == 0), "mean", [image]
    pixels = Reader(*field)
    expected = thinned_sky(pixels, whole(shape), step, ["H"])
    blocks = ((tile, thinned_sky(pixels, tile, step, ["H"])) for tile in tiles(shape, rng))
    found = assemble(shape, step, blocks)
    np.testing.assert_array_equal(found.blank, expected.blank)
    np.testing.assert_array_equal(found.far, expected.far)
    np.testing.assert_array_equal(found.data["H"], expected.data["H"])
    np.testing.assert_array_equal(found.valid["H"], expected.valid["H"])
    # By hand: the largest distance along an axis to the nearest source is more than 6.
    far = np.ones(shape, bool)
    for y, x in itertools.product(range(0, shape[0], step), range(0, shape[1], step)):
        far[y, x] = not labels[max(0, y - 6) : y + 7, max(0, x - 6) : x + 7].any()
    seen = ~segmentation.mask[::step, ::step]
    np.testing.assert_array_equal(expected.far, far[::step, ::step] & seen)


def test_the_even_grid_tells_as_much_as_all_pixels():
    """Of 3 million pixels, level and noise are as well known as a quarter of them allows."""
    shape, rng = (1700, 1800), np.random.default_rng(8)
    labels = np.zeros(shape, np.int32)
    labels[100:140, 200:260] = 1
    data = rng.normal(3, 2, shape).astype(np.float32)
    maps = ClassMaps(CLASS_NAMES, np.broadcast_to(np.float32(0.2), (5, *shape)))
    n = np.broadcast_to(np.uint32(1), shape)
    classification = Classification(maps, maps, maps, n, np.zeros(shape, bool))
    pixels = FieldInMemory(
        make_segmentation(labels), classification, "mean", [BandImage("H", data)]
    )
    step = grid_step(shape)
    assert step == 2
    options = CatalogOptions(noise_scale="none")
    thin, full = (
        measure_band_sky(pixels, "H", thinned_sky(pixels, whole(shape), k, ["H"]), options)
        for k in (step, 1)
    )
    assert thin.n_pixels == pytest.approx(full.n_pixels / 4, rel=1e-3)
    # Standard errors of a median and of a median absolute deviation.
    assert abs(thin.level - full.level) < 4 * 1.2533 * 2 / np.sqrt(thin.n_pixels)
    assert abs(thin.noise - full.noise) < 4 * 1.1664 * 2 / np.sqrt(thin.n_pixels)
