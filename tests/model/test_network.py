"""The network as a PyTorch module and as a graph: against NumPy, each other, and the original."""

import dataclasses

import numpy as np
import openvino as ov
import pytest

from morpheus.errors import ModelError
from morpheus.model import Model, ModelConfig, UNetConfig, WindowRecipe
from morpheus.model.openvino_graph import _pack_factor, _packed, build_graph
from morpheus.model.resample import bicubic_doubling

try:
    import torch
except ModuleNotFoundError:  # an extra
    torch = None

needs_torch = pytest.mark.skipif(torch is None, reason="PyTorch is not installed")


def numpy_convolution(x, kernel, bias, pad):
    """3x3 convolution of (channel, y, x), straight from its definition."""
    if pad:
        x = np.pad(x, ((0, 0), (1, 1), (1, 1)))
    height, width = x.shape[1] - 2, x.shape[2] - 2
    y = np.broadcast_to(bias[:, None, None], (len(bias), height, width)).astype(np.float64)
    for i in range(3):
        for j in range(3):
            y = y + np.einsum(
                "oc,cyx->oyx", kernel[:, :, i, j], x[:, i : i + height, j : j + width]
            )
    return y


def numpy_unet(model, x):
    """Softmax of one window, layer by layer in float64 as the paper describes the network."""
    config, w = model.config.network, {k: v.astype(float) for k, v in model.weights.items()}

    def block(x, name):
        gamma, beta, mean, variance = (
            w[f"{name}.norm.{k}"][:, None, None]
            for k in ("weight", "bias", "running_mean", "running_var")
        )
        x = gamma * (x - mean) / np.sqrt(variance + config.batch_norm_epsilon) + beta
        y = numpy_convolution(x, w[f"{name}.conv.weight"], w[f"{name}.conv.bias"], pad=True)
        return np.maximum(y, 0)

    skips = []
    for i in range(config.depth):
        for j in range(config.down_convolutions):
            x = block(x, f"down.{i}.{j}")
        skips.append(x)
        c, height, width = x.shape
        x = x.reshape(c, height // 2, 2, width // 2, 2).max(axis=(2, 4))
    x = block(x, "middle")
    for i in range(config.depth):
        up = bicubic_doubling(x.shape[1]).astype(float)
        x = np.concatenate([up @ x @ up.T, skips[-1 - i]])
        for j in range(config.up_convolutions):
            x = block(x, f"up.{i}.{j}")
    logits = numpy_convolution(x, w["head.weight"], w["head.bias"], pad=True)
    e = np.exp(logits - logits.max(axis=0))
    return e / e.sum(axis=0)


def run_openvino(model, x, precision="f32"):
    graph = build_graph(model, model.config.network, len(x))
    network = ov.Core().compile_model(graph, "CPU", {"INFERENCE_PRECISION_HINT": precision})
    return network([x])[0]


def run_torch(model, x, margin):
    from morpheus.model.torch_network import build_network

    with torch.inference_mode():
        return torch.softmax(build_network(model)(torch.from_numpy(x), margin), 1).numpy()


def inside(y, margin):
    return y[..., margin : y.shape[-2] - margin, margin : y.shape[-1] - margin]


CONFIGURATIONS = {
    "small": UNetConfig((4, 8), 2, 4, (4, 8), 2),
    "one filter, one block": UNetConfig((1,), 1, 1, (1,), 1),
    "wide and odd": UNetConfig((5, 20), 3, 7, (17, 3), 1),
    "published": UNetConfig(),
}


@pytest.mark.parametrize("margin", [0, 1, 3, 5])
@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_both_forms_are_the_network_of_the_paper(name, margin, make_model):
    network = CONFIGURATIONS[name]
    config = ModelConfig(
        "m", ("H", "J", "V"), 0.06, "electron / s", WindowRecipe(24, margin, 1), network=network
    )
    model = make_model(config, seed=len(name))
    x = np.random.default_rng(0).normal(size=(2, 3, 24, 24)).astype(np.float32)
    expected = inside(np.stack([numpy_unet(model, window.astype(float)) for window in x]), margin)
    if torch is not None:
        np.testing.assert_allclose(run_torch(model, x, margin), expected, atol=2e-5)
    np.testing.assert_allclose(run_openvino(model, x), expected, atol=2e-5)


def test_the_published_network_gives_the_published_numbers(hausen2020, shared):
    reference = np.load(shared / "reference/hausen2020/forward.npz")
    x = np.ascontiguousarray(reference["x"].transpose(0, 3, 1, 2))
    expected = reference["softmax"].transpose(0, 3, 1, 2)
    if torch is not None:
        assert np.abs(run_torch(hausen2020, x, 0) - expected).max() < 1e-5
        assert np.abs(run_torch(hausen2020, x, 5) - inside(expected, 5)).max() < 1e-5
    assert np.abs(run_openvino(hausen2020, x) - inside(expected, 5)).max() < 1e-5


def test_packing_computes_adjacent_pixels():
    rng = np.random.default_rng(0)
    kernel, x = rng.normal(size=(3, 2, 3, 3)), rng.normal(size=(2, 6, 14))
    whole = numpy_convolution(x, kernel, np.zeros(3), pad=False)
    packed = _packed(kernel, 4)
    assert packed.shape == (12, 2, 3, 6)
    for n, start in enumerate(range(0, 12, 4)):
        patch = x[:, :, start : start + 6]
        at_once = np.array(
            [[(packed[k] * patch[:, y : y + 3]).sum() for y in range(4)] for k in range(12)]
        )
        np.testing.assert_allclose(
            at_once.reshape(4, 3, 4).transpose(1, 2, 0), whole[:, :, 4 * n : 4 * n + 4]
        )


@pytest.mark.parametrize(
    ("filters", "width", "factor"),
    [(8, 40, 2), (5, 30, 3), (16, 20, 1), (32, 40, 1), (8, 7, 1), (1, 40, 4)],
)
def test_pack_factor_fills_the_lanes_and_divides_the_row(filters, width, factor):
    assert _pack_factor(filters, width) == factor


@needs_torch
def test_torch_refuses_weights_of_another_network(small_model):
    from morpheus.model.torch_network import build_network

    other = Model.__new__(Model)  # past the constructor's own check
    object.__setattr__(other, "config", small_model.config)
    weights = dict(small_model.weights)
    weights["extra"] = np.zeros(3, np.float32)
    object.__setattr__(other, "weights", weights)
    with pytest.raises(ModelError, match="do not fit"):
        build_network(other)


def test_a_model_checks_its_weights(small_model):
    weights = dict(small_model.weights)
    weights["head.bias"] = np.zeros(4, np.float32)
    with pytest.raises(ModelError, match=r"head\.bias has shape \(4,\), expected \(5,\)"):
        dataclasses.replace(small_model, weights=weights)
