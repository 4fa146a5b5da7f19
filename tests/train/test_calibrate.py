"""Calibration: what is known of logits is found, and becomes part of the last layer."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose

from morpheus.classes import BACKGROUND
from morpheus.model import ModelConfig
from morpheus.model.config import DenseConfig, UNetConfig, WindowRecipe
from morpheus.model.torch_network import build_network
from morpheus.train import calibrate

from .conftest import small

DENSE = ModelConfig(
    name="dense",
    bands=("F160W", "F125W", "F606W", "F850LP"),
    pixel_scale=0.06,
    unit="electron / s",
    window=WindowRecipe(64, 16, 32),
    normaliser="sky-noise",
    network=DenseConfig(widths=(8, 16)),
)
UNET = ModelConfig(
    name="unet",
    bands=DENSE.bands,
    pixel_scale=0.06,
    unit="electron / s",
    window=WindowRecipe(40, 5, 1),
    network=UNetConfig(down_filters=(4, 8), up_filters=(4, 8), middle_filters=4),
)


@pytest.fixture
def logits():
    """Logits z of pixels whose true probabilities are softmax(z)."""
    return 2 * torch.randn(8, 5, 16, 16, generator=torch.Generator().manual_seed(3))


def fit(monkeypatch, make_model, said, truth, config=DENSE):
    weight = torch.rand(said[:, 0].shape, generator=torch.Generator().manual_seed(4)) + 0.1
    monkeypatch.setattr(calibrate, "_gather", lambda *_: (said, truth, weight))
    model = make_model(config)
    made, fitted = calibrate.calibrated(model, small("a"), [])
    return model, made, fitted


def test_what_is_calibrated_stays(monkeypatch, make_model, logits):
    *_, fitted = fit(monkeypatch, make_model, logits, logits.softmax(1))
    assert fitted == pytest.approx(
        {"class_temperature": 1, "source_temperature": 1, "background_offset": 0}, abs=1e-3
    )


@pytest.mark.parametrize(("of_classes", "of_source", "offset"), [(3, 3, 0.7), (2, 0.5, -1.2)])
def test_temperatures_and_offset_are_found(
    monkeypatch, make_model, logits, of_classes, of_source, offset
):
    classes = logits[:, :BACKGROUND]
    mean = classes.mean(1, keepdim=True)
    said = of_source * (logits - offset)
    said[:, :BACKGROUND] = of_source * mean + of_classes * (classes - mean)
    *_, fitted = fit(monkeypatch, make_model, said, logits.softmax(1))
    assert fitted["class_temperature"] == pytest.approx(of_classes, rel=1e-2)
    assert fitted["source_temperature"] == pytest.approx(of_source, rel=1e-2)
    assert fitted["background_offset"] == pytest.approx(offset, abs=1e-2)


def test_unknown_pixels_do_not_count(monkeypatch, make_model, logits):
    said, truth = logits.clone(), logits.softmax(1)
    said[:, :, 8:] = 100 * torch.randn(8, 5, 8, 16, generator=torch.Generator().manual_seed(5))
    truth[:, :, 8:] = 0
    *_, fitted = fit(monkeypatch, make_model, said, truth)
    assert fitted["class_temperature"] == pytest.approx(1, abs=1e-2)
    assert fitted["background_offset"] == pytest.approx(0, abs=1e-2)


@pytest.mark.parametrize("config", [DENSE, UNET], ids=["dense", "unet"])
def test_the_mapped_head_maps_the_logits(monkeypatch, make_model, logits, config):
    said = 3 * logits
    said[:, BACKGROUND] += 2
    model, made, fitted = fit(monkeypatch, make_model, said, logits.softmax(1), config)
    channels = 8 if config is DENSE else 4
    x = torch.randn(2, channels, 40, 40, generator=torch.Generator().manual_seed(6))
    with torch.no_grad():
        before, after = (build_network(one)(x) for one in (model, made))
    classes = before[:, :BACKGROUND]
    mean = classes.mean(1, keepdim=True)
    expected = torch.empty_like(before)
    expected[:, :BACKGROUND] = (
        mean / fitted["source_temperature"] + (classes - mean) / fitted["class_temperature"]
    )
    expected[:, BACKGROUND] = (
        before[:, BACKGROUND] / fitted["source_temperature"] + fitted["background_offset"]
    )
    assert_allclose(after, expected, atol=1e-4 * float(before.abs().max()))
    assert float((after - before).abs().max()) > 0.5  # it is not the same for having done nothing
    assert made.config == model.config
    assert [name for name in made.weights if made.weights[name] is not model.weights[name]] == [
        "head.weight",
        "head.bias",
    ]


def test_afterwards_the_mean_probability_is_the_truth_s(deep, tmp_path, make_model):
    from morpheus.train.data import unpack

    options = small(deep)
    data = unpack(options, tmp_path)
    model = make_model(DENSE, seed=5)
    made, _ = calibrate.calibrated(model, options, data)

    def off(one):
        logits, truth, _ = calibrate._gather(one, options, data)
        known = truth.sum(1) > 0
        said = logits.softmax(1)[:, BACKGROUND][known]
        return float(said.mean() - truth[:, BACKGROUND][known].mean())

    assert abs(off(model)) > 0.1
    assert abs(off(made)) < 2e-3
    assert all(np.isfinite(array).all() for array in made.weights.values())
