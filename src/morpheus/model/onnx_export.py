"""A model with its normalisation as one ONNX file, for other programs and languages.

The graphs are built from the weights by hand, so that PyTorch is not needed. Values and shapes are
those of `morpheus.model.dense` and `morpheus.model.unet`.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from morpheus.errors import ModelError
from morpheus.model.config import DenseConfig, ModelConfig, UNetConfig
from morpheus.model.folder import Model
from morpheus.model.resample import bicubic_doubling
from morpheus.mosaic.products import replacing
from morpheus.provenance import morpheus_version

__all__ = ["build_onnx", "export_onnx"]

_OPSET, _IR_VERSION = 18, 9  # of 2023: runtimes since then read them
_LARGEST = float(np.finfo(np.float32).max)

Array = NDArray[np.floating[Any]]

_SKY = (
    "sky and noise: median and 1.4826 times the median absolute deviation of the valid pixels of a"
    " band in the whole image, of at most about a million of them on an even grid, clipped at"
    " 3 noise around the median up to 10 times. A band that is missing is NaN everywhere; its sky"
    " is 0 and its noise 1."
)
_EDGES = (
    "Pixels around the image count as no data: surround it with NaN, {margin} pixels or more at"
    " each edge, until both sides are multiples of {multiple}, and crop the result. (Morpheus has"
    " {margin} pixels before the image, as many as make a multiple of 64 behind it, and windows of"
    " {size} in large ones.)"
)


def export_onnx(model: Model, path: Path, *, overwrite: bool = False) -> None:
    """Write a model as an ONNX file.

    Parameters
    ----------
    model : Model
        Configuration and weights.
    path : Path
        The file.
    overwrite : bool, optional
        Whether to replace a file that exists.

    Raises
    ------
    ModelError
        If the network cannot be expressed.
    ProductError
        If the file exists and `overwrite` is false, or cannot be written.
    """
    raw = build_onnx(model).SerializeToString()
    with replacing(path, overwrite=overwrite) as temporary:
        temporary.write_bytes(raw)


def build_onnx(model: Model) -> onnx.ModelProto:
    """Build the graph from raw pixels to class probabilities.

    Parameters
    ----------
    model : Model
        Configuration and weights.

    Returns
    -------
    onnx.ModelProto
        Of a dense model: inputs `image`, float32 (1, band, y, x) in any unit with NaN where there
        is no data, and `sky` and `noise`, float32 (band,); output `probabilities`, float32
        (1, class, y, x), NaN where a pixel is masked. y and x are any multiples of
        2 to the power of the depth. Of a model of windows: input `windows`, float32
        (n, band, size, size); output `probabilities`, float32 (n, class, inner, inner). The
        metadata say what the axes are, and how sky and noise are measured.
    """
    config, network = model.config, model.config.network
    graph = _Graph(model)
    n_bands, n_classes = len(config.bands), len(config.classes)
    if isinstance(network, DenseConfig):
        inputs: dict[str, list[Any]] = {
            "image": [1, n_bands, "y", "x"],
            "sky": [n_bands],
            "noise": [n_bands],
        }
        shape: list[Any] = [1, n_classes, "y", "x"]
        result = _dense(graph, network, n_bands)
        multiple = network.multiple
        edges = _EDGES.format(
            margin=config.window.margin, multiple=multiple, size=config.window.size
        )
        notes = {"normalisation": _SKY, "edges": edges, "multiple_of": str(multiple)}
    else:
        size, inner = config.window.size, config.window.inner
        inputs = {"windows": ["n", n_bands, size, size]}
        shape = ["n", n_classes, inner, inner]
        result = _windows(graph, network, config)
        notes = {
            "normalisation": "in the graph: mean and standard deviation of each window; NaN where"
            " there is no data",
            "window": f"{size} pixels, of which the inner {inner} are given; stride"
            f" {config.window.stride}, averaged over windows",
        }
    graph.add("Identity", [result], name="probabilities")
    proto = helper.make_graph(
        graph.nodes,
        config.name,
        [_value(name, shape) for name, shape in inputs.items()],
        [_value("probabilities", shape)],
        graph.constants,
    )
    made = helper.make_model(
        proto,
        producer_name="morpheus",
        producer_version=morpheus_version(),
        opset_imports=[helper.make_opsetid("", _OPSET)],
        ir_version=_IR_VERSION,
    )
    helper.set_model_props(made, _metadata(config) | notes)
    try:
        onnx.checker.check_model(made, full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        raise ModelError(f"{config.name} cannot be expressed in ONNX: {error}") from error
    return made


def _metadata(config: ModelConfig) -> dict[str, str]:
    return {
        "model": config.name,
        "weights_sha256": config.weights_sha256,
        "bands": json.dumps(config.bands),
        "alternatives": json.dumps(config.alternatives),
        "classes": json.dumps(config.classes),
        "pixel_scale_arcsec": f"{config.pixel_scale:g}",
        "unit": "any" if config.is_dense else config.unit,
    }


def _value(name: str, shape: list[Any]) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)


class _Graph:
    """Nodes and constants, with names of their own."""

    def __init__(self, model: Model) -> None:
        self.weights = {name: w.astype(np.float64) for name, w in model.weights.items()}
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

    def add(self, kind: str, inputs: list[str], *, name: str = "", **attributes: Any) -> str:
        """Add a node; give the name of its output."""
        output = name or f"{kind.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, inputs, [output], output, **attributes))
        return output

    def constant(self, values: Any, dtype: type[np.generic] = np.float32) -> str:
        """Add a constant; give its name."""
        name = f"constant_{len(self.constants)}"
        array = np.ascontiguousarray(np.asarray(values, dtype))
        # ascontiguousarray makes scalars one-dimensional.
        array = array.reshape(np.shape(values))
        self.constants.append(numpy_helper.from_array(array, name))
        return name

    def integers(self, values: list[int]) -> str:
        return self.constant(values, np.int64)

    def channels(self, values: Array) -> str:
        """Add a constant for each channel."""
        return self.constant(np.asarray(values).reshape(1, -1, 1, 1))

    def convolution(
        self, x: str, kernel: Array, bias: Array, *, stride: int = 1, pad: int = 1
    ) -> str:
        return self.add(
            "Conv",
            [x, self.constant(kernel), self.constant(bias)],
            strides=[stride, stride],
            pads=[pad] * 4,
        )

    def affine(self, name: str, epsilon: float) -> tuple[Array, Array]:
        """Batch normalisation in evaluation: scale and shift of each channel."""
        gamma, beta, mean, variance = (
            self.weights[f"{name}.norm.{k}"]
            for k in ("weight", "bias", "running_mean", "running_var")
        )
        scale = gamma / np.sqrt(variance + epsilon)
        return scale, beta - mean * scale

    def finite(self, x: str) -> str:
        """Tell where there is data, as True."""
        return self.add("Not", [self.add("Or", [self.add("IsNaN", [x]), self.add("IsInf", [x])])])

    def reduced(self, kind: str, x: str, axes: list[int]) -> str:
        return self.add(kind, [x, self.integers(axes)], keepdims=1)

    def pooled(self, x: str) -> str:
        return self.add("MaxPool", [x], kernel_shape=[2, 2], strides=[2, 2])


def _dense(graph: _Graph, config: DenseConfig, n_bands: int) -> str:
    """Normalisation, dense network and softmax."""
    zero, one = graph.constant(0.0), graph.constant(1.0)
    finite = graph.finite("image")
    there = graph.add("Cast", [finite], to=TensorProto.FLOAT)
    # A band without a pixel is missing; one that has some masks the pixels that it lacks.
    given = graph.reduced("ReduceMax", there, [2, 3])
    lacking = graph.add("Sub", [one, given])
    usable = graph.reduced("ReduceMin", graph.add("Add", [there, lacking]), [1])
    valid = graph.add("Mul", [given, usable])
    filled = graph.add("Where", [finite, "image", zero])
    shape = graph.integers([1, n_bands, 1, 1])
    sky, noise = (graph.add("Reshape", [name, shape]) for name in ("sky", "noise"))
    scaled = graph.add("Div", [graph.add("Sub", [filled, sky]), noise])
    scaled = graph.add("Clip", [scaled, graph.constant(-_LARGEST), graph.constant(_LARGEST)])
    scaled = graph.add("Mul", [graph.add("Asinh", [scaled]), graph.constant(0.5)])
    x = graph.add("Concat", [graph.add("Mul", [scaled, valid]), valid], axis=1)

    weights = graph.weights

    def level(x: str, name: str, count: int) -> str:
        for j in range(count):
            block = f"{name}.{j}"
            scale, shift = graph.affine(block, config.batch_norm_epsilon)
            kernel = weights[f"{block}.conv.weight"] * scale[:, None, None, None]
            stride = 2 if kernel.shape[-1] == 4 else 1  # noqa: PLR2004 (halves the resolution)
            y = graph.add("Relu", [graph.convolution(x, kernel, shift, stride=stride)])
            residual = stride == 1 and kernel.shape[0] == kernel.shape[1]
            x = graph.add("Add", [x, y]) if residual else y
        return x

    seen = []
    for i in range(config.depth):
        x = level(graph.pooled(x) if i else x, f"down.{i}", config.down_convolutions[i])
        seen.append(x)
    double = graph.constant([1.0, 1.0, 2.0, 2.0])
    for i in reversed(range(config.depth - 1)):
        kernel, bias = weights[f"lateral.{i}.weight"], weights[f"lateral.{i}.bias"]
        x = graph.convolution(x, kernel, bias, pad=0)
        x = graph.add(
            "Resize",
            [x, "", double],
            mode="nearest",
            coordinate_transformation_mode="asymmetric",
            nearest_mode="floor",
        )
        x = level(graph.add("Add", [x, seen[i]]), f"up.{i}", config.up_convolutions)
    x = graph.convolution(x, weights["head.weight"], weights["head.bias"])
    x = graph.add("DepthToSpace", [x], blocksize=2, mode="CRD")
    seen_at_all = graph.add("Greater", [usable, zero])
    return graph.add(
        "Where", [seen_at_all, graph.add("Softmax", [x], axis=1), graph.constant(np.nan)]
    )


def _windows(graph: _Graph, network: UNetConfig, config: ModelConfig) -> str:
    """Joint standardisation, U-Net, softmax, and the part of a window that counts."""
    n_bands, margin, size = len(config.bands), config.window.margin, config.window.size
    x = _standardised(graph, n_bands)

    def block(x: str, name: str) -> str:
        scale, shift = graph.affine(name, network.batch_norm_epsilon)
        # The padding comes after the normalisation: a padded pixel is 0 *there*.
        x = graph.add("Mul", [x, graph.channels(scale)])
        x = graph.add("Add", [x, graph.channels(shift)])
        kernel, bias = graph.weights[f"{name}.conv.weight"], graph.weights[f"{name}.conv.bias"]
        return graph.add("Relu", [graph.convolution(x, kernel, bias)])

    skips = []
    for i in range(network.depth):
        for j in range(network.down_convolutions):
            x = block(x, f"down.{i}.{j}")
        skips.append(x)
        x = graph.pooled(x)
    x = block(x, "middle")
    side = size // 2**network.depth
    for i, skip in enumerate(reversed(skips)):
        matrix = bicubic_doubling(side)
        x = graph.add("MatMul", [graph.constant(matrix), x])
        x = graph.add("MatMul", [x, graph.constant(matrix.T)])
        side *= 2
        x = graph.add("Concat", [x, skip], axis=1)
        for j in range(network.up_convolutions):
            x = block(x, f"up.{i}.{j}")
    x = graph.convolution(x, graph.weights["head.weight"], graph.weights["head.bias"])
    places = ([margin] * 2, [size - margin] * 2, [2, 3])
    x = graph.add("Slice", [x, *(graph.integers(values) for values in places)])
    return graph.add("Softmax", [x], axis=1)


def _standardised(graph: _Graph, n_bands: int) -> str:
    """Standardise windows jointly over their bands; what is invalid in one band is in all."""
    axes = [1, 2, 3]
    finite = graph.finite("windows")
    usable = graph.reduced("ReduceMin", graph.add("Cast", [finite], to=TensorProto.FLOAT), [1])
    count = graph.add("Mul", [graph.reduced("ReduceSum", usable, axes), graph.constant(n_bands)])
    count = graph.add("Max", [count, graph.constant(1.0)])
    x = graph.add("Mul", [graph.add("Where", [finite, "windows", graph.constant(0.0)]), usable])
    for _ in range(2):
        mean = graph.add("Div", [graph.reduced("ReduceSum", x, axes), count])
        x = graph.add("Mul", [graph.add("Sub", [x, mean]), usable])
    squares = graph.reduced("ReduceSum", graph.add("Mul", [x, x]), axes)
    deviation = graph.add("Sqrt", [graph.add("Div", [squares, count])])
    least = graph.add("Div", [graph.constant(1.0), graph.add("Sqrt", [count])])
    return graph.add("Div", [x, graph.add("Max", [deviation, least])])
