"""Models as ONNX files, run by ONNX Runtime, against what the program itself gives."""

import dataclasses
import json

import numpy as np
import pytest

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

import onnxruntime

import morpheus
from morpheus.errors import ProductError
from morpheus.inference import InferenceOptions, make_engine
from morpheus.model import UNetConfig, WindowRecipe, save_model
from morpheus.model.normalise import standardise_jointly
from morpheus.model.onnx_export import build_onnx, export_onnx


def session(model):
    return onnxruntime.InferenceSession(build_onnx(model).SerializeToString())


@pytest.fixture(scope="module")
def dense(dense_model, tmp_path_factory):
    folder = tmp_path_factory.mktemp("model") / "dense"
    return folder, save_model(dense_model, folder, "# dense\n")


@pytest.mark.parametrize("shape", [(61, 83), (4, 5), (24, 24)])
@pytest.mark.parametrize("bands", [("F160W", "F125W", "F606W"), ("F125W",), ("F606W", "F160W")])
def test_raw_pixels_of_any_size_to_probabilities(dense, shape, bands):
    folder, model = dense
    config, margin = model.config, model.config.window.margin
    rng = np.random.default_rng(0)
    planes = {band: rng.normal(7, 3, shape).astype(np.float32) for band in bands}
    planes[bands[0]][0, 1] = np.nan
    planes[bands[-1]][1, 1] = np.inf
    expected = morpheus.classify(planes, model=folder)

    height, width = ((n + 2 * margin + 3) // 4 * 4 for n in shape)
    image = np.full((1, 3, height, width), np.nan, np.float32)
    sky, noise = np.zeros(3, np.float32), np.ones(3, np.float32)
    inside = (slice(margin, margin + shape[0]), slice(margin, margin + shape[1]))
    for k, band in enumerate(config.bands):
        if band in planes:
            image[0, k][inside] = planes[band]
            measured = expected.provenance["sky"][band]
            sky[k], noise[k] = measured["level"], measured["noise"]
    (found,) = session(model).run(None, {"image": image, "sky": sky, "noise": noise})
    assert found.shape == (1, 5, height, width)
    np.testing.assert_allclose(found[0][:, *inside], expected.mean.array, atol=1e-5)
    assert np.isnan(found[0][:, margin, margin + 1]).all()


@pytest.mark.parametrize("margin", [1, 4])
def test_windows(make_model, small_config, margin):
    """Margins that the graph of the processor treats in different ways."""
    config = dataclasses.replace(small_config, window=WindowRecipe(16, margin, 1))
    model = make_model(config)
    check_windows(model)


def check_windows(model):
    rng = np.random.default_rng(1)
    size, n_bands = model.config.window.size, len(model.config.bands)
    windows = rng.normal(30, 0.2, (7, n_bands, size, size)).astype(np.float32)
    windows[3, 0, :5, :6] = np.nan
    windows[4, 1, 3, 3] = -np.inf
    windows[5] = 2.0  # constant
    windows[6] = np.nan
    valid = np.isfinite(windows).all(axis=1)
    normalised = standardise_jointly(np.where(valid[:, None], windows, 0), valid)
    engine = make_engine(model, InferenceOptions())
    (found,) = session(model).run(None, {"windows": windows})
    np.testing.assert_allclose(found, engine(normalised), atol=1e-5)
    assert np.ptp(found[0], axis=(1, 2)).max() > 0.01


def test_the_published_network(hausen2020):
    check_windows(hausen2020)


def test_deeper_and_wider(make_model, small_config):
    network = UNetConfig((3, 4, 5), 2, 6, (5, 4, 3), 1)
    config = dataclasses.replace(small_config, window=WindowRecipe(24, 4, 2), network=network)
    check_windows(make_model(config))


def test_the_file_says_what_it_is(dense, tmp_path):
    _, model = dense
    export_onnx(model, tmp_path / "m.onnx")
    opened = onnxruntime.InferenceSession(tmp_path / "m.onnx")
    said = opened.get_modelmeta().custom_metadata_map
    assert json.loads(said["bands"]) == ["F160W", "F125W", "F606W"]
    assert json.loads(said["classes"]) == list(model.config.classes)
    assert json.loads(said["alternatives"]) == {"F125W": ["F105W", "F110W"], "F606W": ["F814W"]}
    assert said["pixel_scale_arcsec"] == "0.06"
    assert said["weights_sha256"] == model.config.weights_sha256 != ""
    assert said["multiple_of"] == "4"
    assert "median" in said["normalisation"]
    assert "NaN" in said["edges"]
    assert [one.name for one in opened.get_inputs()] == ["image", "sky", "noise"]
    with pytest.raises(ProductError, match="exists"):
        export_onnx(model, tmp_path / "m.onnx")
    export_onnx(model, tmp_path / "m.onnx", overwrite=True)
    assert [path.name for path in tmp_path.iterdir()] == ["m.onnx"]
