"""Labels mixed with what a model says: a model that says the same of every pixel."""

import dataclasses

import numpy as np
import pytest

pytest.importorskip("galsim")

from morpheus.classes import BACKGROUND
from morpheus.dataset import Dataset, LabelledOptions, build_dataset
from morpheus.errors import DatasetError, OptionError, ProductError
from morpheus.model import Model, save_model
from morpheus.mosaic.sky import measure_sky
from morpheus.pipeline.distillation import DistillationOptions, distil

SAYS = np.array([0.1, 0.2, 0.6, 0.06, 0.04])
AS_IS = DistillationOptions(share=0.25, depth="")


@pytest.fixture
def dataset(make_sources, tmp_path):
    path = tmp_path / "labelled.zarr"
    build_dataset(path, make_sources(), LabelledOptions(size=32, grow=0))
    return Dataset.open(path)


def teacher(dense_config, folder, logits, bands=("F160W", "F125W")):
    """A model whose logits are the same everywhere."""
    config = dataclasses.replace(dense_config, name="says", bands=bands, alternatives={})
    shapes = config.network.parameter_shapes(len(bands), len(config.classes))
    weights = {name: np.zeros(shape, np.float32) for name, shape in shapes.items()}
    for name in weights:
        if name.endswith("running_var"):
            weights[name] += 1
    weights["head.bias"] = np.repeat(logits, 4).astype(np.float32)
    save_model(Model(config, weights), folder, "# says\n")
    return folder


@pytest.fixture
def says(dense_config, tmp_path):
    return teacher(dense_config, tmp_path / "says", np.log(SAYS))


def test_labels_are_mixed(dataset, says, tmp_path):
    card = distil(tmp_path / "new.zarr", dataset.path, says, AS_IS)
    new = Dataset.open(tmp_path / "new.zarr")
    new.verify()
    assert (card["distilled"]["model"], card["distilled"]["share"]) == ("says", 0.25)
    said = SAYS[:BACKGROUND] / SAYS[:BACKGROUND].sum()
    names = [f"votes_{name}" for name in ("spheroid", "disk", "irregular", "point_source")]
    compared = 0
    for before, after in zip(dataset.sources, new.sources, strict=True):
        votes = np.array([before[name] for name in names], float)
        mixed = 0.75 * votes + 0.25 * said if votes.sum() else votes
        np.testing.assert_allclose([after[name] for name in names], mixed, atol=1e-3)
        old, pixels = dataset.read(0, len(dataset)), new.read(0, len(new))
        here = old.owner[before["example"]] == before["id"]
        known = old.classes[before["example"]].sum(0)[here] > 0.5
        shares = pixels.classes[before["example"]][:BACKGROUND, here][:, known]
        if votes.sum() and known.any():  # in another cell's example a source is unknown
            compared += 1
            np.testing.assert_allclose(shares, np.tile(mixed[:, None], shares.shape[1]), atol=1e-3)
    assert compared >= 3
    # Everything but the classes of sources is as it was.
    for name in ("images", "weights", "owner"):
        np.testing.assert_array_equal(getattr(old, name), getattr(pixels, name))
    np.testing.assert_array_equal(old.classes[:, BACKGROUND], pixels.classes[:, BACKGROUND])
    np.testing.assert_array_equal(
        old.classes.astype(float).sum(1) > 0, pixels.classes.astype(float).sum(1) > 0
    )
    np.testing.assert_array_equal(dataset.cells, new.cells)


def test_what_the_model_does_not_see_stays(dataset, dense_config, tmp_path):
    blind = teacher(dense_config, tmp_path / "blind", np.log([0.1, 0.1, 0.1, 0.1, 0.6]))
    distil(tmp_path / "new.zarr", dataset.path, blind, AS_IS)
    new = Dataset.open(tmp_path / "new.zarr")
    np.testing.assert_array_equal(
        dataset.read(0, len(dataset)).classes, new.read(0, len(new)).classes
    )


def test_noise_is_raised_for_the_model_only(dataset, says, tmp_path, monkeypatch):
    from morpheus.pipeline import distillation
    from morpheus.simulate import find_survey
    from morpheus.simulate.psf import sky_sigma

    seen = []

    def look(data, mask, *rest):
        seen.append((data.copy(), mask.copy()))
        return kept(data, mask, *rest)

    kept = distillation.predict
    monkeypatch.setattr(distillation, "predict", look)
    survey = find_survey("candels-deep")
    # The images have a noise of 0.01, which is above the survey's: nothing is added.
    distil(tmp_path / "as_is.zarr", dataset.path, says, DistillationOptions(0.5, "candels-deep"))
    first = dataset.read(0, 1).images[0]
    np.testing.assert_array_equal(seen[0][0], np.where(seen[0][1], 0, first))
    deep = dataclasses.replace(survey.bands[0], sky_sigma=0.05)
    shallow = dataclasses.replace(survey, bands=(deep, *survey.bands[1:]))
    monkeypatch.setattr(distillation, "find_survey", lambda name: shallow)
    seen.clear()
    distil(tmp_path / "raised.zarr", dataset.path, says, DistillationOptions(0.5, "candels-deep"))
    noises = [measure_sky(data[0], mask).noise for data, mask in seen]
    assert np.mean(noises) == pytest.approx(sky_sigma(shallow, deep), rel=0.15)
    new = Dataset.open(tmp_path / "raised.zarr")
    np.testing.assert_array_equal(dataset.read(0, 2).images, new.read(0, 2).images)


@pytest.mark.parametrize("share", [0.0, 1.5, float("nan")])
def test_shares_are_checked(dataset, says, tmp_path, share):
    with pytest.raises(OptionError, match="share"):
        distil(tmp_path / "new.zarr", dataset.path, says, DistillationOptions(share, ""))
    assert not (tmp_path / "new.zarr").exists()


def test_mistakes_are_told(dataset, dense_config, tmp_path):
    other = teacher(dense_config, tmp_path / "other", np.log(SAYS), ("F160W", "F606W"))
    with pytest.raises(DatasetError, match="has no F606W, which says needs; it has F160W, F125W"):
        distil(tmp_path / "new.zarr", dataset.path, other, AS_IS)
    with pytest.raises(ProductError, match="exists"):
        distil(dataset.path, dataset.path, other, AS_IS)
    with pytest.raises(OptionError, match="dss"):
        distil(tmp_path / "new.zarr", dataset.path, other, DistillationOptions(0.5, "dss"))


def test_faint_sources_are_not_asked_about(says, tmp_path):
    from morpheus.simulate import DatasetOptions, make_dataset

    path = tmp_path / "simulated.zarr"
    make_dataset(path, DatasetOptions(n=4, size=64, density=400, seed=3))
    distil(tmp_path / "new.zarr", path, says, DistillationOptions(0.5, "", faintest=24.0))
    before, after = (Dataset.open(one).sources for one in (path, tmp_path / "new.zarr"))
    changed = np.abs(before["votes_irregular"] - after["votes_irregular"]) > 1e-6
    bright = before["mag_f160w"] <= 24
    assert not changed[~bright].any()
    assert changed[bright].mean() > 0.7


def test_magnitudes_are_needed_to_tell_faint_sources(dataset, says, tmp_path):
    with pytest.raises(DatasetError, match="no column mag_f160w"):
        distil(tmp_path / "new.zarr", dataset.path, says, DistillationOptions(0.5, "", faintest=24))
