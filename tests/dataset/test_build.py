"""Labelled images become datasets."""

from dataclasses import replace

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table

from morpheus.classes import BACKGROUND, CLASS_NAMES
from morpheus.dataset import Dataset, LabelledOptions, LabelledSources, build_dataset
from morpheus.dataset.build import group_size
from morpheus.dataset.store import Partial
from morpheus.errors import DatasetError, GridMismatchError, OptionError, ProductError

from .conftest import (
    BANDS,
    CENTERS,
    SHAPE,
    SIZE,
    VOTES,
    make_images,
    make_votes,
    make_wcs,
)

OPTIONS = LabelledOptions(size=SIZE, grow=0, cell=36000)


@pytest.fixture
def build(tmp_path, make_sources):
    """Builds a dataset with parts of the sources or options replaced."""

    def run(name="made.zarr", *, overwrite=False, **changes):
        options = {k: changes.pop(k) for k in vars(OPTIONS) if k in changes}
        path = tmp_path / name
        build_dataset(
            path, make_sources(**changes), replace(OPTIONS, **options), overwrite=overwrite
        )
        data = Dataset.open(path)
        data.verify()
        return data

    return run


def examples(data):
    """The arrays, by the number of the segment at the centre."""
    batch, table = data.read(0, len(data)), data.sources
    centers = table["segment"][table["id"] == 1]
    return {
        int(n): (
            batch.images[k],
            batch.weights[k],
            batch.classes[k].astype(float),
            batch.owner[k],
            table[table["example"] == k],
        )
        for k, n in enumerate(centers)
    }


def test_each_pixel_is_what_the_votes_say(build, segmap):
    data = build()
    made = examples(data)
    assert set(made) == set(VOTES)
    for number in (3, 9):
        x, y = CENTERS[number]
        row, column = max(0, y - SIZE // 2), max(0, x - SIZE // 2)
        part = segmap[row : row + SIZE, column : column + SIZE]
        images, weights, classes, owner, table = made[number]
        np.testing.assert_array_equal(
            images, np.array(make_images(segmap))[:, row : row + SIZE, column : column + SIZE]
        )
        assert (weights > 0).all()
        np.testing.assert_array_equal(classes[BACKGROUND], part == 0)
        for label, votes in VOTES.items():
            for votes_of_class, share in zip(classes, votes, strict=False):
                assert (votes_of_class[part == label] == np.float16(share)).all()
        assert not classes[:, part == 7].any()  # it has no votes
        numbers = dict(zip(table["segment"], table["id"], strict=True))
        expected = np.array([numbers.get(n, 0) for n in part.ravel()]).reshape(part.shape)
        np.testing.assert_array_equal(owner, expected)
        own = table[0]
        assert (own["x"], own["y"]) == (x - column, y - row)
        assert own["source_id"] == str(number)
        flux = images[0][owner == 1].sum()
        assert own["flux_sum_f160w"] == pytest.approx(flux, rel=1e-6)
    total = data.classes[:].astype(float).sum(axis=1)
    assert (np.isclose(total, 1, atol=5e-4) | (total == 0)).all()


def test_what_is_outside_is_unknown(build):
    data = build(size=72)  # larger than the image is high, smaller than it is wide
    images, weights, classes, owner, _ = examples(data)[3]
    outside = np.isnan(images).all(axis=0)
    assert outside.sum() == 12 * 72
    assert outside[:6].all()
    assert outside[-6:].all()
    assert not weights[:, outside].any()
    assert not classes[:, outside].any()
    assert not owner[outside].any()


def test_the_table_and_the_card(build):
    data = build(survey="made up", reference="nobody", zero_points={"f160w": 25.9})
    table = data.sources
    assert list(data.card["counts"]["centers"].values()) == [1, 0, 1, 1]
    neighbour = table[(table["segment"] == 7)]
    assert set(neighbour["class"]) == {"unknown"}
    assert np.isnan(neighbour["votes_disk"]).all()
    assert set(table["class"][table["segment"] == 9]) == {"irregular"}
    sky = make_wcs().pixel_to_world_values(*CENTERS[9])
    own = table[table["segment"] == 9][0]
    np.testing.assert_allclose([own["ra"], own["dec"]], sky, atol=1e-8)
    card = data.card
    assert (card["kind"], card["survey"], card["n"], card["size"]) == ("labelled", "made up", 3, 32)
    assert card["bands"] == list(BANDS)
    assert card["class_names"] == list(CLASS_NAMES)
    assert card["zero_points"] == [25.9, None]
    assert card["pixel_scale"] == pytest.approx(0.06)
    assert card["labels"]["reference"] == "nobody"
    assert card["labels"]["rows"]["used"] == 3


def test_sky_beside_a_segment_is_unknown(build, segmap):
    _, _, classes, owner, _ = examples(build(grow=1.5))[9]
    sky = classes[BACKGROUND] == 1
    source = owner > 0
    beside = np.zeros_like(source)
    for dy in (-1, 0, 1):
        for dx in (-1, 0, 1):
            beside |= np.roll(source, (dy, dx), (0, 1))
    np.testing.assert_array_equal(sky, ~beside)
    assert not classes[:, beside & ~source].any()


def test_masked_pixels_are_unknown(build, segmap):
    images = dict(zip(BANDS, make_images(segmap), strict=True))
    images["F125W"][40, 58:61] = np.nan
    weights = {band: np.full(SHAPE, 4.0, np.float32) for band in BANDS}
    weights["F160W"][30, 70] = 0
    images = {band: (image, make_wcs()) for band, image in images.items()}
    pixels, weight, classes, owner, table = examples(build(images=images, weights=weights))[9]
    lost = np.isnan(pixels[0])
    np.testing.assert_array_equal(np.isnan(pixels[1]), lost)
    assert np.argwhere(lost).tolist() == [[2 + 4, 26], [16, 14], [16, 15], [16, 16]]
    np.testing.assert_array_equal(weight, np.where(lost, 0, 4)[None].repeat(2, 0))
    assert not classes[:, lost].any()
    assert table["flux_sum_f125w"][0] == pytest.approx(np.nansum(pixels[1][owner == 1]), rel=1e-6)


def test_the_noise_of_the_sky_weighs_where_no_map_does(build):
    data = build()
    assert data.card["weights"] == "noise of the sky"
    np.testing.assert_allclose(data.weights[:] ** -0.5, 0.01, rtol=0.05)
    with pytest.raises(OptionError, match="for every band"):
        build("other.zarr", weights={"F160W": np.ones(SHAPE, np.float32)})


def test_parts_of_the_map_may_be_unknown(build, segmap):
    negative = segmap.copy()
    negative[:, 65:] = -1
    known = np.ones(SHAPE, np.int16)
    known[:, 65:] = 0
    first, second = examples(build(segmap=negative)), examples(build("b.zarr", known=known))
    for number in VOTES:
        for one, other in zip(first[number][:4], second[number][:4], strict=True):
            np.testing.assert_array_equal(one, other)
    assert not first[9][2][:, :, 65 - 44 :].any()


def test_sources_that_many_cannot_classify_are_unknown(build):
    votes = make_votes()
    votes["unknown"][1] = 1.5  # of 2.5
    data = build(votes=votes)
    assert set(examples(data)) == {3, 40}
    assert data.card["labels"]["rows"]["unclassifiable"] == 1
    assert set(examples(build("b.zarr", votes=votes, most_unknown=0.6))) == set(VOTES)
    votes["unknown"] = 9.0
    with pytest.raises(OptionError, match=r"more than 0.5 of the votes .* 3 sources"):
        build("c.zarr", votes=votes)


def test_votes_count_in_the_examples_of_their_own_cell_only(build):
    votes = make_votes(VOTES | {7: (1, 0, 0, 0)})
    together = examples(build(votes=votes))
    data = build("b.zarr", votes=votes, cell=1)
    apart = examples(data)
    assert len(set(data.cells.tolist())) > 1
    cells = dict(zip(apart, data.cells.tolist(), strict=True))
    for number in VOTES:
        _, _, classes, owner, table = apart[number]
        for label, segment in zip(table["id"], table["segment"], strict=True):
            known = classes[:, owner == label].any()
            assert known == (cells[int(segment)] == cells[number])
    assert together[3][2][0, together[3][3] == 2].all()
    assert not apart[3][2][:, apart[3][3] == 2].any()


def test_cells_are_of_the_sky_and_not_of_the_image(build, make_sources, tmp_path):
    """The same sources in a part of the image have the same cells."""
    whole = build(cell=1)
    sources = make_sources()
    wcs, section = make_wcs(), (slice(5, 60), slice(0, 75))
    images = {band: (image[section], wcs[section]) for band, (image, _) in sources.images.items()}
    votes = make_votes()
    votes["y"] -= 5
    part = build("b.zarr", images=images, segmap=sources.segmap[section], votes=votes, cell=1)
    cells = [dict(zip(examples(d), d.cells.tolist(), strict=True)) for d in (whole, part)]
    assert cells[0] == cells[1]
    bare = {band: image for band, (image, _) in sources.images.items()}
    assert len(set(build("c.zarr", images=bare, cell=1).cells.tolist())) == 1
    data = build("d.zarr", images=bare, cell=1.2, pixel_scale=0.06)
    assert data.card["pixel_scale"] == 0.06
    assert len(set(data.cells.tolist())) == 3


def test_identifiers_are_segments_where_there_are_no_positions(build):
    votes = make_votes()
    del votes["x"], votes["y"]
    data = build(votes=votes)
    _, _, _, _, table = examples(data)[9]
    assert (table["x"][0], table["y"][0]) == (60 - 44, 40 - 24)
    votes["id"] = [100, 101, 102]
    with pytest.raises(OptionError, match="no identifier of the labels"):
        build("b.zarr", votes=votes)
    votes["id"] = ["a", "b", "c"]
    with pytest.raises(OptionError, match="have no positions"):
        build("c.zarr", votes=votes)


def test_other_numbers_of_segments_make_the_same_examples(build, segmap):
    other = np.where(segmap > 0, 1000 - segmap, 0)
    a, b = build(), build("b.zarr", segmap=other)
    centers = [d.sources["source_id"][d.sources["id"] == 1].tolist() for d in (a, b)]
    order = [centers[1].index(name) for name in centers[0]]
    for name in ("images", "weights", "classes"):
        first, second = getattr(a, name)[:], getattr(b, name)[:][order]
        np.testing.assert_array_equal(first, second)
    np.testing.assert_array_equal(a.owner[:] > 0, b.owner[:][order] > 0)


def test_several_sources_with_one_example_share_it(build):
    data = build(size=80)
    assert data.card["labels"]["rows"]["used"] == 3
    assert len(data) == 1
    assert (data.sources["class"] != "unknown").sum() == 3


@pytest.fixture
def small_groups(monkeypatch):
    monkeypatch.setattr("morpheus.dataset.build.group_size", lambda *_: 2)


@pytest.mark.usefixtures("small_groups")
def test_an_interrupted_build_goes_on(build, monkeypatch, tmp_path):
    whole = build("whole.zarr")
    write = Partial.write

    def interrupted(self, *arguments):
        if self.done:
            raise KeyboardInterrupt
        write(self, *arguments)

    monkeypatch.setattr(Partial, "write", interrupted)
    with pytest.raises(KeyboardInterrupt):
        build()
    monkeypatch.setattr(Partial, "write", write)
    with pytest.raises(DatasetError, match="grow"):
        build(grow=1.0)
    assert build().card["checksum"] == whole.card["checksum"]
    assert sorted(item.name for item in tmp_path.iterdir()) == ["made.zarr", "whole.zarr"]


def test_chunks_hold_four_megabytes():
    assert group_size(128, 4) == 16
    assert group_size(1024, 4) == 1


def test_nothing_is_replaced_unasked(build, tmp_path):
    before = build().card["checksum"]
    with pytest.raises(ProductError, match="--overwrite"):
        build()
    assert build(overwrite=True, grow=1.0).card["checksum"] != before
    (tmp_path / "folder").mkdir()
    with pytest.raises(ProductError, match="no dataset"):
        build("folder", overwrite=True)


def moved(votes, x=0.0, y=0.0):
    votes["x"] += x
    votes["y"] += y
    return votes


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"votes": moved(make_votes(), 500)}, OptionError, "none of the 3 labelled sources lies"),
        ({"votes": moved(make_votes(), 10, 8)}, OptionError, "lie in no segment"),
        ({"segmap": np.ones((10, 10), int)}, GridMismatchError, "10x10 while the F160W .* 80x60"),
        ({"segmap": np.full(SHAPE, 0.5)}, OptionError, "whole numbers"),
        ({"segmap": np.zeros(SHAPE, int)}, OptionError, "no source"),
        ({"known": np.zeros(SHAPE, int)}, OptionError, "no source"),
        ({"votes": Table({"x": [1.0], "y": [1.0]})}, OptionError, "no votes: .* there are x, y"),
        ({"votes": make_votes()[:0]}, OptionError, "none of the 0 rows"),
        ({"images": [np.ones(SHAPE)]}, OptionError, "names no filter; give it with --band"),
        ({"size": 8}, OptionError, "the size is 8; it must be 16 to 1024"),
        ({"grow": -1.0}, OptionError, "the grow is -1"),
        ({"most_unknown": 1.5}, OptionError, "unknown share is 1.5"),
        ({"zero_points": {"Z": 25.0}}, OptionError, "zero point of Z: the bands are F160W"),
        ({"vote_kind": "polls"}, OptionError, "one of experts, galaxy-zoo"),
    ],
)
def test_what_does_not_fit_is_refused_and_leaves_nothing(build, tmp_path, changes, error, message):
    with pytest.raises(error, match=message):
        build(**changes)
    assert list(tmp_path.iterdir()) == []


def test_two_labels_on_one_segment_are_nobody_s(build):
    votes = make_votes()
    votes.add_row((50, 61.0, 41.0, 1.0, 0, 0, 0, 0))
    data = build(votes=votes)
    assert set(examples(data)) == {3, 40}
    assert data.card["labels"]["rows"]["ambiguous"] == 2


def test_sky_positions_need_a_wcs(build, make_sources):
    votes = make_votes()
    sky = make_wcs().pixel_to_world_values(votes["x"], votes["y"])
    votes["ra"], votes["dec"] = sky
    del votes["x"], votes["y"]
    assert set(examples(build(votes=votes))) == set(VOTES)
    bare = {band: image for band, (image, _) in make_sources().images.items()}
    with pytest.raises(OptionError, match="the image has no WCS"):
        build("b.zarr", votes=votes, images=bare)


def test_real_stamps_with_the_votes_of_experts(shared, tmp_path):
    frame = shared / "real/candels_GDS_ers2_15757"
    bands = ("F160W", "F125W", "F606W", "F850LP")
    images = [frame / f"{band.lower()}_sci.fits" for band in bands]
    labels = Table.read(shared / "real/labels.csv")
    sources = LabelledSources(images, frame / "segmap.fits", shared / "real/labels.csv")
    card = build_dataset(tmp_path / "a.zarr", sources, LabelledOptions(size=64))
    data = Dataset.open(tmp_path / "a.zarr")
    assert card["bands"] == list(bands)
    assert card["labels"]["rows"] | {"used": 2, "outside": 27} == card["labels"]["rows"]
    segmap = fits.getdata(frame / "segmap.fits")
    images_of = np.array([fits.getdata(image) for image in images])
    for example in range(len(data)):
        own = data.sources[data.sources["example"] == example][0]
        label = labels[labels["id"] == own["source_id"]][0]
        number = int(own["source_id"].rsplit("_", 1)[1])
        assert own["segment"] == number
        shift = round(label["x"] - own["x"]), round(label["y"] - own["y"])
        part = (slice(shift[1], shift[1] + 64), slice(shift[0], shift[0] + 64))
        np.testing.assert_array_equal(data.images[example], images_of[(slice(None), *part)])
        classes = data.classes[example].astype(float)
        votes = [label[name] for name in CLASS_NAMES[:BACKGROUND]]
        pixels = classes[:BACKGROUND, segmap[part] == number]
        np.testing.assert_allclose(
            pixels, np.array(votes)[:, None] * np.ones_like(pixels), atol=1e-3
        )
        others = ~np.isin(segmap[part], [0, 15757, 15821])
        assert others.any()
        assert not classes[:, others].any()
        assert (classes[BACKGROUND] <= (segmap[part] == 0)).all()


def test_a_dataset_with_an_input_in_it_is_not_replaced(make_sources, files, tmp_path):
    path = tmp_path / "mine.zarr"
    build_dataset(path, make_sources(), LabelledOptions(size=32, grow=0))
    image = (files / "f160w.fits").rename(path / "f160w.fits")
    images = {"F160W": image, "F125W": files / "f125w.fits"}
    with pytest.raises(ProductError, match="holds the input"):
        build_dataset(
            path, make_sources(images=images), LabelledOptions(size=32, grow=0), overwrite=True
        )
    assert image.exists()
