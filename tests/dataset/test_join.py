"""Datasets put together."""

import numpy as np
import pytest
import zarr

from morpheus.dataset import Dataset, LabelledOptions, build_dataset, join_datasets
from morpheus.errors import DatasetError, OptionError, ProductError

from .conftest import BANDS, SIZE, make_images, make_votes, make_wcs

OPTIONS = LabelledOptions(size=SIZE, grow=0, cell=1)


@pytest.fixture
def parts(tmp_path, make_sources, segmap):
    """Three datasets; the last is of the same sky as the first, a little different."""

    def build(name, seed, votes, *, wcs=True, options=OPTIONS):
        images = make_images(segmap, seed)
        images = {b: (i, make_wcs()) if wcs else i for b, i in zip(BANDS, images, strict=True)}
        path = tmp_path / name
        build_dataset(path, make_sources(images=images, votes=votes), options)
        return path

    votes = make_votes()
    votes["id"] = ["a", "bb", "ccc"]
    return (
        build("a.zarr", 0, make_votes()),
        build("b.zarr", 1, votes, wcs=False),
        build("c.zarr", 2, make_votes()),
    )


@pytest.mark.parametrize("group", [1, 4, 100])
def test_a_joined_dataset_is_its_parts(parts, tmp_path, monkeypatch, group):
    monkeypatch.setattr("morpheus.dataset.join.group_size", lambda *_: group)
    told = []
    join_datasets(tmp_path / "all.zarr", parts, progress=lambda *numbers: told.append(numbers))
    joined = Dataset.open(tmp_path / "all.zarr")
    joined.verify()
    opened = [Dataset.open(path) for path in parts]
    assert len(joined) == 9
    assert told[-1] == (9, 9)
    for name in ("images", "weights", "classes", "owner"):
        expected = np.concatenate([getattr(one, name)[:] for one in opened])
        np.testing.assert_array_equal(getattr(joined, name)[:], expected)
    for number, one in enumerate(opened):
        rows = joined.sources[joined.sources["example"] // 3 == number]
        rows["example"] -= 3 * number
        assert rows.colnames == one.sources.colnames
        for name in rows.colnames:
            np.testing.assert_array_equal(rows[name], one.sources[name])
            assert rows[name].unit == one.sources[name].unit
    card = joined.card
    assert (card["kind"], [part["n"] for part in card["parts"]]) == ("labelled", [3, 3, 3])
    for what, counts in card["counts"].items():
        for name, number in counts.items():
            total = sum(one.card["counts"][what].get(name, 0) for one in opened)
            assert number == pytest.approx(total, abs=0.2)


def test_the_same_sky_has_the_same_cells(parts, tmp_path):
    join_datasets(tmp_path / "all.zarr", parts)
    cells = Dataset.open(tmp_path / "all.zarr").cells
    np.testing.assert_array_equal(cells[:3], cells[6:])
    assert not set(cells[3:6]) & set(cells[:3])  # without a WCS it is the image's own


def test_a_joined_dataset_can_be_joined(parts, tmp_path):
    join_datasets(tmp_path / "two.zarr", parts[:2])
    join_datasets(tmp_path / "all.zarr", [tmp_path / "two.zarr", parts[2]])
    join_datasets(tmp_path / "once.zarr", parts)
    first, second = (Dataset.open(tmp_path / name) for name in ("all.zarr", "once.zarr"))
    assert first.card["checksum"] == second.card["checksum"]


def change(path, **attributes):
    zarr.open(path, mode="r+").attrs.update(attributes)


@pytest.mark.parametrize(
    ("attributes", "message"),
    [
        ({"bands": ["F160W", "F606W"]}, r"its bands are \['F160W', 'F606W'\], not"),
        ({"unit": "nJy"}, "its unit is nJy, not"),
        ({"unit": "not a unit"}, "its unit is not a unit, not"),
        ({"pixel_scale": 0.03}, "its pixels are of 0.03 arcsec, not 0.06"),
        ({"zero_points": [25.0, None]}, "the zero point of F160W is 25, not 26"),
        ({"cell": 30.0}, "their cells are of 1 and 30 arcsec"),
    ],
)
def test_what_does_not_fit_is_refused(parts, tmp_path, attributes, message):
    change(parts[0], zero_points=[26.0, None])
    change(parts[2], **attributes)
    before = sorted(tmp_path.iterdir())
    with pytest.raises(DatasetError, match=message):
        join_datasets(tmp_path / "all.zarr", [parts[0], parts[2]])
    assert sorted(tmp_path.iterdir()) == before


def test_other_mistakes_are_refused(parts, tmp_path):
    with pytest.raises(OptionError, match="two datasets or more"):
        join_datasets(tmp_path / "all.zarr", parts[:1])
    with pytest.raises(DatasetError, match="are the same"):
        join_datasets(tmp_path / "all.zarr", [parts[0], parts[0]])
    with pytest.raises(DatasetError, match="does not exist"):
        join_datasets(tmp_path / "all.zarr", [parts[0], tmp_path / "d.zarr"])
    with pytest.raises(ProductError, match="--overwrite"):
        join_datasets(parts[0], parts[1:])


def test_simulated_datasets_join_labelled_ones(tmp_path, make_sources):
    pytest.importorskip("galsim")
    from morpheus.simulate import DatasetOptions, make_dataset

    simulated = tmp_path / "s.zarr"
    options = DatasetOptions(survey="euclid-vis", size=SIZE, n=5, density=20, seed=1)
    card = make_dataset(simulated, options)
    image = make_sources().images["F160W"]
    build_dataset(tmp_path / "b.zarr", make_sources(images={"VIS": image}), OPTIONS)
    change(tmp_path / "b.zarr", unit=card["unit"], pixel_scale=card["pixel_scale"])
    change(tmp_path / "b.zarr/sources/flux_sum_vis", unit=card["unit"])
    joined = join_datasets(tmp_path / "all.zarr", [simulated, tmp_path / "b.zarr"])
    data = Dataset.open(tmp_path / "all.zarr")
    data.verify()
    assert (joined["kind"], len(data)) == ("joined", 8)
    assert {"example", "id", "class", "votes_disk", "flux_sum_vis"} <= set(data.sources.colnames)
    assert len(set(data.cells[:5].tolist())) == 1
    assert Dataset.open(simulated).cells.tolist() == [0] * 5


@pytest.mark.parametrize("key", ["kind", "checksum", "created", "zero_points"])
def test_a_card_without_a_key_is_damaged(parts, key):
    store = zarr.open(parts[0], mode="r+")
    attributes = store.attrs.asdict()
    del attributes[key]
    store.attrs.put(attributes)
    with pytest.raises(DatasetError, match=f"is damaged: its card has no '{key}'"):
        Dataset.open(parts[0])


def test_a_folder_that_is_no_store_is_told_in_plain_words(tmp_path):
    with pytest.raises(DatasetError, match="no dataset: there is no Zarr store in it"):
        Dataset.open(tmp_path)
