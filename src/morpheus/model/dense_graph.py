"""The dense network as an OpenVINO graph: the fast path on processors.

Batch normalisation follows each convolution, so it is folded into kernel and bias exactly.
"""

import numpy as np
import openvino as ov
from numpy.typing import NDArray
from openvino import opset13 as ops

from morpheus.model.config import DenseConfig
from morpheus.model.folder import Model

__all__ = ["build_dense_graph"]

Array = NDArray[np.float64]


def build_dense_graph(
    model: Model, config: DenseConfig, batch_size: int, shape: tuple[int, int]
) -> ov.Model:
    """Build the graph from normalised windows to class probabilities.

    Parameters
    ----------
    model : Model
        Configuration and weights.
    config : DenseConfig
        Shape of its network.
    batch_size : int
        Number of windows that go in at once.
    shape : tuple of int
        Size (y, x) of a window in pixels.

    Returns
    -------
    openvino.Model
        One input, float32 (batch_size, 2 * band, y, x); one output, float32 (batch_size, class, y,
        x) without the margins: the softmax over the classes of the window's part that counts.
    """
    margin, n_bands = model.config.window.margin, len(model.config.bands)
    weights = {name: values.astype(np.float64) for name, values in model.weights.items()}
    source = ops.parameter([batch_size, 2 * n_bands, *shape], np.float32)

    def block(x: ov.Node, name: str) -> ov.Node:
        scale = weights[f"{name}.norm.weight"] / np.sqrt(
            weights[f"{name}.norm.running_var"] + config.batch_norm_epsilon
        )
        kernel = weights[f"{name}.conv.weight"] * scale[:, None, None, None]
        bias = weights[f"{name}.norm.bias"] - weights[f"{name}.norm.running_mean"] * scale
        y = ops.relu(_convolution(x, kernel, bias))
        n_out, n_in, side, _ = kernel.shape
        return ops.add(x, y) if n_out == n_in and side == 3 else y  # noqa: PLR2004

    def level(x: ov.Node, name: str, count: int) -> ov.Node:
        for j in range(count):
            x = block(x, f"{name}.{j}")
        return x

    x: ov.Node = source
    seen = []
    for i in range(config.depth):
        if i:
            x = ops.max_pool(x, [2, 2], [1, 1], [0, 0], [0, 0], [2, 2]).output(0)
        x = level(x, f"down.{i}", config.down_convolutions[i])
        seen.append(x)
    for i in reversed(range(config.depth - 1)):
        x = _convolution(x, weights[f"lateral.{i}.weight"], weights[f"lateral.{i}.bias"])
        x = level(ops.add(_doubled(x), seen[i]), f"up.{i}", config.up_convolutions)
    x = _convolution(x, weights["head.weight"], weights["head.bias"])
    x = ops.depth_to_space(x, "depth_first", 2)
    if margin:
        corner, end = [margin] * 2, [side - margin for side in shape]
        x = ops.slice(x, *(_integers(v) for v in (corner, end, [1, 1], [2, 3])))
    return ov.Model([ops.softmax(x, 1)], [source], model.config.name)


def _convolution(x: ov.Node, kernel: Array, bias: Array) -> ov.Node:
    """Convolve; a kernel of 4 pixels halves the resolution, one of 3 or 1 keeps it."""
    side = kernel.shape[-1]
    stride, pad = (2, 1) if side == 4 else (1, side // 2)  # noqa: PLR2004
    y = ops.convolution(x, _constant(kernel), [stride] * 2, [pad] * 2, [pad] * 2, [1, 1], name=None)
    return ops.add(y, _constant(bias.reshape(1, -1, 1, 1)))


def _doubled(x: ov.Node) -> ov.Node:
    """Double the resolution by repeating each pixel."""
    return ops.interpolate(
        x,
        ops.constant(np.array([2.0, 2.0], np.float32)),
        "nearest",
        "scales",
        axes=_integers([2, 3]),
        coordinate_transformation_mode="asymmetric",
        nearest_mode="floor",
    )


def _constant(values: Array) -> ov.Node:
    return ops.constant(values.astype(np.float32))


def _integers(values: list[int]) -> ov.Node:
    return ops.constant(np.array(values, np.int64))
