"""The same U-Net as an OpenVINO graph: the fast path on processors.

The graph computes what `morpheus.model.unet` does, rearranged for speed. What was measured (on two
cores with AVX-512, see docs/performance.md):

- In the last expanding block only what the part of the window that counts needs is computed. Its
  convolutions then see no padding, so batch normalisation is folded into their kernels; 62 instead
  of 81 MFLOP a window.
- A convolution with few filters leaves vector lanes idle. Two adjacent output pixels of an 8-filter
  convolution are computed as one pixel of a 16-filter convolution with stride 2 (`_packed`); in
  channels-last memory the result is already in place. 1.7 times faster for these layers.
- The convolution of `[up-sampled, skip]` is the sum of two convolutions, which is faster than
  concatenating first.
"""

from dataclasses import dataclass

import numpy as np
import openvino as ov
from numpy.typing import NDArray
from openvino import opset13 as ops

from morpheus.model.config import UNetConfig
from morpheus.model.folder import Model
from morpheus.model.resample import bicubic_doubling

__all__ = ["build_graph"]

Array = NDArray[np.float64]

_LANES = 16  # float32 values in the widest vector register (AVX-512)
_MOST_PACKED = 4  # beyond that the widened kernels mostly multiply zeros
_CHANNELS_LAST = (0, 2, 3, 1)
_CHANNELS_FIRST = (0, 3, 1, 2)


def build_graph(model: Model, config: UNetConfig, batch_size: int) -> ov.Model:
    """Build the graph from normalised windows to class probabilities.

    Parameters
    ----------
    model : Model
        Configuration and weights.
    config : UNetConfig
        Shape of its network.
    batch_size : int
        Number of windows that go in at once.

    Returns
    -------
    openvino.Model
        One input, float32 (batch_size, band, size, size); one output, float32 (batch_size, class,
        inner, inner): the softmax over the classes of the window's part that counts.
    """
    window = model.config.window
    builder = _Builder(model, config, batch_size)
    shape = [batch_size, len(model.config.bands), window.size, window.size]
    source = ops.parameter(shape, np.float32)
    x: ov.Node = source
    skips = []
    for i in range(config.depth):
        x = builder.padded(x, [f"down.{i}.{j}" for j in range(config.down_convolutions)])
        skips.append(x)
        x = ops.max_pool(x, [2, 2], [1, 1], [0, 0], [0, 0], [2, 2]).output(0)
    x = builder.padded(x, ["middle"])
    trim = window.margin - config.context  # < 0: too near the edge to leave the padding out
    for i, skip in enumerate(reversed(skips)):
        names = [f"up.{i}.{j}" for j in range(config.up_convolutions)]
        if i == config.depth - 1 and trim >= 0:
            x = builder.unpadded_join(builder.upsample(x, trim), _crop(skip, trim), names[0])
            for name in names[1:]:
                x = builder.unpadded(x, name)
        else:
            x = builder.padded(ops.concat([builder.upsample(x, 0), skip], 1), names)
    probabilities = builder.head(x) if trim >= 0 else _crop(builder.padded_head(x), window.margin)
    return ov.Model([probabilities], [source], model.config.name)


@dataclass(frozen=True)
class _Affine:
    """Batch normalisation in evaluation: `scale x + shift`, per channel."""

    scale: Array
    shift: Array


class _Builder:
    """Adds the network's pieces to a graph."""

    def __init__(self, model: Model, config: UNetConfig, batch_size: int) -> None:
        self.weights = {name: w.astype(np.float64) for name, w in model.weights.items()}
        self.epsilon = config.batch_norm_epsilon
        self.batch_size = batch_size

    def norm(self, name: str) -> _Affine:
        gamma, beta, mean, variance = (
            self.weights[f"{name}.norm.{k}"]
            for k in ("weight", "bias", "running_mean", "running_var")
        )
        scale = gamma / np.sqrt(variance + self.epsilon)
        return _Affine(scale, beta - mean * scale)

    def padded(self, x: ov.Node, names: list[str]) -> ov.Node:
        """Blocks of batch normalisation, zero-padded 3x3 convolution and ReLU, one after another.

        The padding is 0 after the normalisation, so that cannot be folded into the kernel. It is
        applied to the output of the block before, where it costs nothing.
        """
        x = _apply(self.norm(names[0]), x)
        for name, following in zip(names, [*names[1:], None], strict=True):
            kernel, bias = self.weights[f"{name}.conv.weight"], self.weights[f"{name}.conv.bias"]
            _, _, height, width = x.shape
            n = _pack_factor(len(bias), width)
            x = ops.relu(_convolution(x, _packed(kernel, n), np.tile(bias, n), pad=True, step=n))
            if following is not None:
                norm = self.norm(following)
                x = _apply(_Affine(np.tile(norm.scale, n), np.tile(norm.shift, n)), x)
            if n > 1:
                shape = [self.batch_size, height, width, len(bias)]
                x = _transpose(_reshape(_transpose(x, _CHANNELS_LAST), shape), _CHANNELS_FIRST)
        return x

    def unpadded(self, x: ov.Node, name: str) -> ov.Node:
        """Batch normalisation, 3x3 convolution without padding, ReLU."""
        return ops.relu(_convolution(x, *self.folded(name), pad=False))

    def folded(self, name: str) -> tuple[Array, Array]:
        """Kernel and bias of an unpadded convolution with the normalisation before it."""
        kernel, bias = self.weights[f"{name}.conv.weight"], self.weights[f"{name}.conv.bias"]
        norm = self.norm(name)
        shift = np.einsum("oikl,i->o", kernel, norm.shift)
        return kernel * norm.scale[:, None, None], bias + shift

    def unpadded_join(self, up: ov.Node, skip: ov.Node, name: str) -> ov.Node:
        """Block `name` without padding on `[up, skip]`."""
        kernel, bias = self.folded(name)
        n_up = up.shape[1]
        y = _convolution(skip, kernel[:, n_up:], None, pad=False)
        z = _convolution(up, kernel[:, :n_up], bias, pad=False)
        return ops.relu(ops.add(z, y))

    def upsample(self, x: ov.Node, trim: int) -> ov.Node:
        """Double the resolution, leaving out `trim` pixels around the result."""
        _, channels, height, width = x.shape
        rows, columns = (bicubic_doubling(n)[trim : 2 * n - trim] for n in (height, width))
        y = _transpose(x, _CHANNELS_LAST)
        y = _reshape(y, [self.batch_size, height, width * channels])
        y = ops.matmul(_constant(rows), y, False, False)  # noqa: FBT003
        y = _reshape(y, [self.batch_size, len(rows), width, channels])
        y = ops.matmul(_constant(columns), y, False, False)  # noqa: FBT003
        return _transpose(y, _CHANNELS_FIRST)

    def head(self, x: ov.Node) -> ov.Node:
        """Last convolution, without padding, and softmax."""
        kernel, bias = self.weights["head.weight"], self.weights["head.bias"]
        n_classes, height, width = len(bias), x.shape[2] - 2, x.shape[3] - 2
        n = _pack_factor(n_classes, width)
        y = _convolution(x, _packed(kernel, n), np.tile(bias, n), pad=False, step=n)
        y = _reshape(y, [self.batch_size, n, n_classes, height, width // n])
        y = _transpose(ops.softmax(y, 2), (0, 2, 3, 4, 1))
        return _reshape(y, [self.batch_size, n_classes, height, width])

    def padded_head(self, x: ov.Node) -> ov.Node:
        """Last convolution, zero-padded, and softmax."""
        kernel, bias = self.weights["head.weight"], self.weights["head.bias"]
        return ops.softmax(_convolution(x, kernel, bias, pad=True), 1)


def _apply(norm: _Affine, x: ov.Node) -> ov.Node:
    return ops.add(ops.multiply(x, _channels(norm.scale)), _channels(norm.shift))


def _pack_factor(filters: int, width: int) -> int:
    """How many adjacent pixels of a row to compute at once, to fill the vector lanes."""
    most = min(_MOST_PACKED, max(1, _LANES // filters))
    return max(n for n in range(1, most + 1) if width % n == 0)


def _packed(kernel: Array, n: int) -> Array:
    """Kernel that computes `n` adjacent pixels of a row as `n` groups of filters."""
    filters, channels, height, width = kernel.shape
    packed = np.zeros((n, filters, channels, height, width + n - 1))
    for k in range(n):
        packed[k, ..., k : k + width] = kernel
    return packed.reshape(n * filters, channels, height, width + n - 1)


def _convolution(
    x: ov.Node, kernel: Array, bias: Array | None, *, pad: bool, step: int = 1
) -> ov.Node:
    padding = [1, 1] if pad else [0, 0]
    y = ops.convolution(x, _constant(kernel), [1, step], padding, padding, [1, 1])
    return y if bias is None else ops.add(y, _channels(bias))


def _crop(x: ov.Node, margin: int) -> ov.Node:
    if margin == 0:
        return x
    _, _, height, width = x.shape
    start, stop = [margin, margin], [height - margin, width - margin]
    return ops.slice(x, *(ops.constant(v) for v in (start, stop, [1, 1], [2, 3])))


def _channels(values: Array) -> ov.Node:
    return _constant(values.reshape(1, -1, 1, 1))


def _constant(values: NDArray[np.floating]) -> ov.Node:
    return ops.constant(np.ascontiguousarray(values, dtype=np.float32))


def _transpose(x: ov.Node, order: tuple[int, ...]) -> ov.Node:
    return ops.transpose(x, ops.constant(list(order)))


def _reshape(x: ov.Node, shape: list[int]) -> ov.Node:
    return ops.reshape(x, ops.constant(shape), False)  # noqa: FBT003
