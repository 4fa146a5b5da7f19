"""Examples: which ones are drawn, from where, and how they are unpacked."""

import dataclasses
import shutil

import numpy as np
import pytest
import torch
import zarr
from numpy.testing import assert_allclose, assert_array_equal

from morpheus.classes import BACKGROUND
from morpheus.dataset import Dataset
from morpheus.errors import DatasetError
from morpheus.model.config import DenseConfig, UNetConfig, WindowRecipe
from morpheus.train.batches import Batches
from morpheus.train.data import Unpacked, needed_bands, open_datasets, unpack
from morpheus.train.examples import Draws, Example
from morpheus.train.options import (
    AugmentOptions,
    DataOptions,
    LossOptions,
    ModelOptions,
    OptimiserOptions,
    ValidationOptions,
)

from .conftest import small

SIZE = 20


def arrays(n=8, size=SIZE, first=0, **options):
    """Examples whose pixels say which one they are, and where in it."""
    place = np.arange(size * size, dtype=np.float32).reshape(size, size)
    images = place + 1000 * (first + np.arange(n, dtype=np.float32))[:, None, None, None]
    classes = np.zeros((n, 5, size, size), np.float16)
    classes[:, BACKGROUND] = 1
    owner = np.zeros((n, size, size), np.int32)
    owner[:, :4, :4], owner[:, 10:, 10:15] = 1, 2
    return Unpacked(
        DataOptions("a", **options),
        {},
        ("A",),
        images,
        classes,
        owner,
        None,
        np.arange(n)[: n // 2],
        np.arange(n)[n // 2 :],
    )


def options_of(crop=16, **changes):
    model = ModelOptions(bands=("A",), network=DenseConfig((4, 4)))
    optimiser = OptimiserOptions(crop=crop, batch=3)
    return small("a", model=model, optimiser=optimiser, **changes)


def equal(one, other):
    return all(
        torch.equal(
            torch.nan_to_num(getattr(one, f.name)), torch.nan_to_num(getattr(other, f.name))
        )
        for f in dataclasses.fields(Example)
    )


def numbers(draws):
    """Which example each draw is from."""
    return [int(np.nanmax(draws[i].images.numpy()) // 1000) for i in range(len(draws))]


def test_an_item_depends_on_the_seed_and_its_number_only():
    data = [arrays(), arrays(first=8)]
    draws = Draws(data, options_of(), 0, 10, 18)
    later = Draws(data, options_of(), 5, 3, 18)
    assert equal(draws[7], later[2])
    assert equal(draws[7], Draws(data, options_of(), 0, 10, 18)[7])
    assert not equal(draws[7], draws[6])
    other = Draws(data, options_of(seed=5), 0, 10, 18)
    assert sum(equal(draws[i], other[i]) for i in range(10)) < 3
    held = Draws(data, options_of(), 0, 10, 18, validation=True)
    assert not any(equal(draws[i], held[i]) for i in range(10))


def test_batches_depend_on_their_number_only():
    data, options = [arrays(n=16, size=40)], options_of(augment=AugmentOptions())
    batches, later = Batches(data, options, 0, 6), Batches(data, options, 4, 2)
    assert torch.equal(batches[5].images, later[1].images)
    assert not torch.equal(batches[5].images, batches[4].images)
    assert len(batches) == len(list(batches.loader())) == 6
    first = next(iter(Batches(data, options, 4, 1).loader()))
    assert torch.equal(first.images, batches[4].images)
    held = Batches(data, options, 4, 1, validation=True)[0]
    assert not torch.equal(held.images, first.images)


def test_examples_that_follow_each_other_are_no_repetition():
    data, options = [arrays(n=16, size=40)], options_of(augment=AugmentOptions.none())
    drawn = torch.cat([batch.images for batch in Batches(data, options, 0, 10).loader()])
    assert len({tuple(one.flatten().tolist()) for one in drawn}) > 25


def test_training_and_validation_share_nothing():
    data = [arrays(), arrays(first=8)]
    train = set(numbers(Draws(data, options_of(), 0, 120, 18)))
    validation = set(numbers(Draws(data, options_of(), 0, 120, 18, validation=True)))
    assert train == {0, 1, 2, 3, 8, 9, 10, 11}
    assert validation == {4, 5, 6, 7, 12, 13, 14, 15}


def test_datasets_have_their_shares():
    data = [arrays(share=3.0), arrays(first=8, share=1.0), arrays(first=16, share=0.0)]
    drawn = np.array(numbers(Draws(data, options_of(), 0, 400, 18))) // 8
    assert_allclose(np.bincount(drawn, minlength=3) / 400, [0.75, 0.25, 0], atol=0.06)


def test_larger_examples_are_cut_anywhere():
    draws = Draws([arrays()], options_of(crop=8), 0, 300, 8)
    corners = np.array([float(draws[i].images[0, 0, 0]) % 1000 for i in range(300)])
    assert all(bool(draws[i].images.isfinite().all()) for i in range(300))
    assert set(corners // SIZE) == set(corners % SIZE) == set(range(13))


def test_a_margin_around_the_crop_may_lie_outside():
    for i in range(50):
        one = Draws([arrays()], options_of(crop=16), i, 1, 18)[0]
        assert bool(one.images[0, 1:-1, 1:-1].isfinite().all())


@pytest.mark.parametrize("side", [32, 34])
def test_smaller_examples_have_no_data_around_them(side):
    seen = set()
    for i in range(60):
        one = Draws([arrays()], options_of(crop=32), i, 1, side)[0]
        there = one.images[0].isfinite()
        assert int(there.sum()) == SIZE**2
        assert torch.equal(there, one.classes.sum(0) > 0)
        assert float(one.weight[~there].abs().max()) == 0
        assert int(one.owner[~there].max()) == 0
        assert torch.equal(one.images[0][there] % 1000, torch.arange(400.0))
        rows = there.any(1).nonzero()
        assert float(rows.float().mean()) - (side - 1) / 2 == pytest.approx(0, abs=6)
        seen.add(int(rows[0]))
    assert len(seen) > 8


def test_pixels_of_large_sources_weigh_less():
    one = Draws([arrays()], options_of(crop=20), 0, 1, 20)[0]
    assert_allclose(one.weight[one.owner == 1], 16**-0.5)
    assert_allclose(one.weight[one.owner == 2], 50**-0.5)
    options = options_of(crop=20, loss=LossOptions(size_power=0.0))
    assert_allclose(Draws([arrays()], options, 0, 1, 20)[0].weight, 1)


def test_the_noise_of_a_band_is_that_of_its_dataset():
    one = Draws([arrays(noise={"A": (1.5, 4.0)})], options_of(), 0, 1, 18)[0]
    assert one.noise.tolist() == [[1.5, 4.0]]
    assert Draws([arrays()], options_of(), 0, 1, 18)[0].noise.tolist() == [[1.0, 1.0]]


def test_needed_bands():
    assert needed_bands(("A", "B"), {"B": ("C", "D"), "A": ("E",)}) == ["A", "B", "E", "C", "D"]


BANDS = ModelOptions(bands=("F160W", "F140W", "F606W"), alternatives={"F606W": ("F850LP",)})


def test_unpacked_is_what_the_store_holds(deep, tmp_path):
    (one,) = unpack(small(deep, model=BANDS), tmp_path / "unpacked")
    store = Dataset.open(deep)
    batch = store.read(0, len(store))
    assert one.bands == ("F160W", "F140W", "F606W", "F850LP")
    assert_array_equal(one.images[:, [0, 2, 3]], batch.images[:, [0, 2, 3]])
    assert bool(np.isnan(one.images[:, 1]).all())
    assert_array_equal(one.classes, batch.classes)
    assert_array_equal(one.owner, batch.owner)
    assert sorted([*one.training, *one.validation]) == list(range(32))
    assert not set(store.cells[one.training]) & set(store.cells[one.validation])


def test_unpacking_is_gone_on_with_and_not_repeated(deep, tmp_path):
    (first,) = unpack(small(deep), tmp_path)
    (folder,) = tmp_path.iterdir()
    expected = np.array(first.images)
    shutil.rmtree(folder)
    left = folder.with_name(folder.name + ".partial")
    left.mkdir()
    (left / "images.npy").write_bytes(b"half")
    (again,) = unpack(small(deep), tmp_path)
    assert_array_equal(again.images, expected)
    assert [item.name for item in tmp_path.iterdir()] == [folder.name]
    before = (folder / "images.npy").stat().st_mtime_ns
    unpack(small(deep), tmp_path)
    assert (folder / "images.npy").stat().st_mtime_ns == before
    unpack(small(deep, model=BANDS), tmp_path)  # other bands are another folder
    assert len(list(tmp_path.iterdir())) == 2


def test_pixels_without_weight_have_no_data(deep, tmp_path):
    path = tmp_path / "copy.zarr"
    shutil.copytree(deep, path)
    weights = zarr.open_group(path, mode="r+")["weights"]
    weights[3, 1, 10:20, 10:20] = 0
    (one,) = unpack(small(path), tmp_path / "unpacked")
    assert bool(np.isnan(one.images[3, 1, 10:20, 10:20]).all())
    assert int(np.isnan(one.images).sum()) == 100


def test_datasets_that_cannot_be_used(deep, tmp_path):
    def refused(message, path=deep, **changes):
        with pytest.raises(DatasetError, match=message):
            open_datasets(small(path, **changes))

    refused("has no F105W, the model's first band; it has F160W", model=ModelOptions(("F105W",)))
    published = ModelOptions(("F160W", "F140W"), {}, UNetConfig(), WindowRecipe(40, 5, 1))
    refused(
        "has no F140W, which the published architecture",
        model=published,
        optimiser=OptimiserOptions(crop=40),
        augment=AugmentOptions(drop_band=0.0, only_first=0.0),
    )
    refused("does not exist", tmp_path / "none.zarr")
    (tmp_path / "empty").mkdir()
    refused("is no dataset", tmp_path / "empty")
    data = (DataOptions(str(deep), noise={"F105W": (1.0, 2.0)}),)
    refused("the noise of F105W is to be raised", data=data)
    path = tmp_path / "copy.zarr"
    shutil.copytree(deep, path)
    store = zarr.open_group(path, mode="r+")
    store.attrs["class_names"] = ["a", "b", "c", "d", "e"]
    refused("has other classes: a, b", path)


def test_one_field_cannot_be_split(deep, tmp_path, monkeypatch):
    monkeypatch.setattr(Dataset, "cells", np.zeros(32, np.int64))
    options = small(deep, validation=ValidationOptions(share=0.5))
    with pytest.raises(DatasetError, match="all examples are of one field"):
        open_datasets(options)
