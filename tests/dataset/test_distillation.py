"""Labels mixed with what a model says: a model that says the same of every pixel."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("galsim")

from morpheus.classes import BACKGROUND, CLASS_NAMES
from morpheus.dataset import Dataset, LabelledOptions, build_dataset, join_datasets
from morpheus.errors import DatasetError, OptionError, ProductError
from morpheus.model import Model, save_model
from morpheus.mosaic.sky import measure_sky
from morpheus.pipeline.distillation import (
    DistillationOptions,
    _by_source,
    _check_fit,
    _choose,
    _survey_noise,
    distil,
)

SAYS = np.array([0.1, 0.2, 0.6, 0.06, 0.04])
POINTS = {"F160W": 25.946, "F125W": 26.230}
AS_IS = DistillationOptions(share=0.25, depth="")


@pytest.fixture
def dataset(make_sources, tmp_path):
    """Its zero points are the survey's, so that its unit is."""
    path = tmp_path / "labelled.zarr"
    build_dataset(path, make_sources(), LabelledOptions(size=32, grow=0, zero_points=POINTS))
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

    def look(data, mask, *rest, **named):
        seen.append((data.copy(), mask.copy()))
        return kept(data, mask, *rest, **named)

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
    other = teacher(dense_config, tmp_path / "other", np.log(SAYS), ("F606W", "F814W"))
    with pytest.raises(DatasetError, match="has no F606W, which says needs; it has F160W, F125W"):
        distil(tmp_path / "new.zarr", dataset.path, other, AS_IS)
    (tmp_path / "file").touch()
    with pytest.raises(ProductError, match="exists"):
        distil(tmp_path / "file", dataset.path, other, AS_IS)
    with pytest.raises(OptionError, match="seed is -1"):
        distil(tmp_path / "new.zarr", dataset.path, other, DistillationOptions(0.5, "", seed=-1))
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


def test_the_input_is_never_replaced(dataset, says, tmp_path, monkeypatch):
    link = tmp_path / "link.zarr"
    link.symlink_to(dataset.path)
    monkeypatch.chdir(tmp_path)
    for output in (dataset.path, link, Path("labelled.zarr"), Path("sub/../labelled.zarr")):
        with pytest.raises(ProductError, match="is an input"):
            distil(output, dataset.path, says, AS_IS, overwrite=True)
    with pytest.raises(ProductError, match="lies in the input"):
        distil(dataset.path / "new.zarr", dataset.path, says, AS_IS)
    with pytest.raises(ProductError, match="is an input"):
        join_datasets(link, [dataset.path, tmp_path / "b.zarr"], overwrite=True)
    dataset.verify()


def test_a_copy_is_of_the_same_sky(says, tmp_path):
    from morpheus.simulate import DatasetOptions, make_dataset

    for seed in (3, 4):
        options = DatasetOptions(n=2, size=64, density=100, seed=seed)
        make_dataset(tmp_path / f"{seed}.zarr", options)
    distil(tmp_path / "new.zarr", tmp_path / "3.zarr", says, AS_IS)
    copy, original, other = (Dataset.open(tmp_path / f"{n}.zarr") for n in ("new", 3, 4))
    np.testing.assert_array_equal(copy.areas, original.areas)
    np.testing.assert_array_equal(copy.areas, copy.cells)
    assert not set(other.areas) & set(copy.areas)


def test_it_is_said_how_many_changed(dataset, says, dense_config, tmp_path):
    said = distil(tmp_path / "new.zarr", dataset.path, says, AS_IS)["distilled"]
    labelled = sum(dataset.sources[f"votes_{name}"] for name in CLASS_NAMES[:BACKGROUND]) > 0
    assert 3 <= said["changed"] <= said["asked"] == labelled.sum()
    blind = teacher(dense_config, tmp_path / "blind", np.log([0.1, 0.1, 0.1, 0.1, 0.6]))
    said = distil(tmp_path / "blind.zarr", dataset.path, blind, AS_IS)["distilled"]
    assert (said["asked"], said["changed"]) == (labelled.sum(), 0)


def test_the_noise_is_of_the_datasets_unit(dataset):
    wanted = _survey_noise(dataset, [0], "candels-deep")[0][0]
    assert wanted == pytest.approx(0.0039)
    dataset.card["zero_points"] = [31.4, 31.4]  # nJy
    found = _survey_noise(dataset, [0], "candels-deep")[0][0]
    assert found == pytest.approx(0.0039 * 10 ** (0.4 * (31.4 - 25.946)))
    dataset.card |= {"zero_points": [None, None], "units": ["electrons/sec", "nJy"]}
    assert _survey_noise(dataset, [0], "candels-deep")[0][0] == wanted
    with pytest.raises(DatasetError, match=r"no zero point of F125W, and is in nJy.*--depth"):
        _survey_noise(dataset, [1], "candels-deep")


def test_a_dense_model_does_with_fewer_bands(dataset, dense_config, tmp_path):
    bands = ("F160W", "F606W", "F125W")
    other = teacher(dense_config, tmp_path / "other", np.log(SAYS), bands)
    said = distil(tmp_path / "new.zarr", dataset.path, other, AS_IS)["distilled"]
    assert said["changed"] >= 3
    assert said["bands"] == {
        "given": ["F160W", "F125W"],
        "absent": ["F606W"],
        "substituted": {},
    }


def test_what_does_not_fit_the_model_is_refused(dataset, dense_config, small_config):
    config = dataclasses.replace(small_config, bands=("F160W", "F606W"))
    with pytest.raises(DatasetError, match="has no F606W"):
        _choose(dataset, config)
    dataset.card["units"] = ["nJy", "nJy"]
    _check_fit(dataset, dense_config)  # counts in units of the noise
    with pytest.raises(DatasetError, match="is in nJy, but small was trained on electron / s"):
        _check_fit(dataset, config)
    dataset.card["pixel_scale"] = 0.03
    with pytest.raises(DatasetError, match="trained at 0"):
        _check_fit(dataset, dense_config)


def test_a_source_is_seen_with_half_of_its_flux():
    owner = np.repeat(np.array([[1, 2]], np.int32), 10, axis=0)
    maps = np.tile(np.float32(SAYS)[:, None, None], (1, 10, 2))
    maps[BACKGROUND, 6:, 0] = 0.9  # 6 of 10 pixels are seen
    maps[BACKGROUND, 4:, 1] = 0.9
    said = _by_source(maps, np.ones((10, 2), np.float32), owner)
    assert np.isfinite(said[1]).all()
    assert np.isnan(said[2]).all()
