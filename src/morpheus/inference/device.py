"""The main loop on PyTorch's device: windows never come to the processor, only sums do.

It does what `predict` does with NumPy: the same windows, the same standardisation in float32, the
same integers. What a window gives depends neither on the windows beside it nor on their number, and
integers are added exactly, so neither do the sums.
"""

from itertools import groupby

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from morpheus.errors import ModelError
from morpheus.inference.accumulate import PROBABILITY_BITS, Accumulator
from morpheus.inference.blocks import Block, batches, blocks_of
from morpheus.inference.engine import TorchEngine
from morpheus.inference.options import Progress
from morpheus.inference.windows import Tile, WindowPlan
from morpheus.model import ModelConfig, UNetConfig

__all__ = ["DeviceLoop", "batch_size", "standardise", "windows_of"]

_SCALE = float(1 << PROBABILITY_BITS)
_CPU_BATCH, _MOST = 256, 8192  # a tile of windows has 16,384
_SHARE = 0.5  # of the free memory
_PLANES = 4  # of the widest layer, that are there at a time: in, normalised, padded, out


class DeviceLoop:
    """Cuts, standardises and sums on the device that the network is on.

    The image lies on the device as a whole. The sums do so for a strip of tiles at a time (120
    bytes a pixel for five classes), and are then added to those of the image by the processor.

    Parameters
    ----------
    data : ndarray of float32, shape (band, y, x)
        Finite pixel values.
    mask : ndarray of bool, shape (y, x)
        True where a pixel is invalid.
    config : ModelConfig
        Window recipe and classes, of a model with the normaliser 'joint-window'.
    engine : TorchEngine
        The network and its device.
    """

    def __init__(
        self,
        data: NDArray[np.float32],
        mask: NDArray[np.bool_],
        config: ModelConfig,
        engine: TorchEngine,
    ) -> None:
        self.data = data
        self.mask = mask
        self.window = config.window
        self.n_classes = len(config.classes)
        self.engine = engine
        self.batch_size = engine.asked_batch or batch_size(config, engine.device)

    @torch.inference_mode()
    def run(
        self, plan: WindowPlan, offset: tuple[int, int], progress: Progress | None
    ) -> Accumulator:
        """Sum over all windows of a plan.

        Parameters
        ----------
        plan : WindowPlan
            The windows.
        offset : tuple of int
            Position (y, x) of the first pixel here among those of the plan.
        progress : callable, optional
            Told how many windows were handed to the device.

        Returns
        -------
        Accumulator
            Of the extent of the image.

        Raises
        ------
        ModelError
            If the network gives no numbers.
        """
        total = Accumulator.zeros(self.n_classes, *self.mask.shape)
        n_windows, done = plan.n_windows(), 0
        if not n_windows:  # and perhaps no room for one
            return total
        cutter = _Cutter(self.data, self.mask, self.window.size, self.engine.device)
        for y, tiles in groupby(plan.tiles(), lambda tile: tile.y):
            strip: _Strip | None = None
            for tile in tiles:
                if strip is None:
                    origin = (y - offset[0], 0)
                    extent = (self.n_classes, tile.height, self.mask.shape[1])
                    strip = _Strip(extent, origin, self.window.inner, self.engine.device)
                masked = self._masked(tile, offset)
                for blocks in batches(_moved(blocks_of(tile), offset), self.batch_size):
                    self._add(strip, cutter, blocks, masked=masked)
                    done += sum(block.n_windows for block in blocks)
                    if progress is not None:
                        progress(done, n_windows)
            if strip is not None:
                total.merge(strip.sums(), *strip.origin)
        return total

    def _masked(self, tile: Tile, offset: tuple[int, int]) -> bool:
        y, x = tile.y - offset[0], tile.x - offset[1]
        return bool(self.mask[y : y + tile.height, x : x + tile.width].any())

    def _add(
        self, strip: "_Strip", cutter: "_Cutter", blocks: list[Block], *, masked: bool
    ) -> None:
        """Add a batch; where the memory is too small for it, in smaller ones."""
        rows = self._row_sums(cutter, blocks, masked=masked)
        if rows is None:
            n = sum(block.n_windows for block in blocks)
            self.batch_size = min(self.batch_size, (n + 1) // 2)
            torch.cuda.empty_cache()
            for smaller in batches(blocks, self.batch_size):
                self._add(strip, cutter, smaller, masked=masked)
            return
        # From here on no memory is asked for: a batch is added as a whole or not at all.
        margin = self.window.margin
        for block, sums in zip(blocks, rows, strict=True):
            strip.add(block, sums, margin)

    def _row_sums(
        self, cutter: "_Cutter", blocks: list[Block], *, masked: bool
    ) -> list[Tensor] | None:
        """Evaluate a batch and sum along x; None if the memory is too small for it."""
        try:
            windows = standardise(*cutter.cut(blocks, masked=masked))
            probabilities = self.engine.probabilities(windows)
            each = probabilities.split([block.n_windows for block in blocks])
            return [_summed_along_x(one, block) for one, block in zip(each, blocks, strict=True)]
        except torch.cuda.OutOfMemoryError:
            if sum(block.n_windows for block in blocks) == 1:
                raise
            return None


def _moved(blocks: list[Block], offset: tuple[int, int]) -> list[Block]:
    """Count from the first pixel that is here."""
    return [
        Block(b.y - offset[0], b.x - offset[1], b.row_step, b.step, b.rows, b.columns)
        for b in blocks
    ]


def batch_size(config: ModelConfig, device: torch.device) -> int:
    """Choose how many windows go in at once.

    Parameters
    ----------
    config : ModelConfig
        The model.
    device : torch.device
        Where it is evaluated.

    Returns
    -------
    int
        On a CUDA device as many as should take half of the memory that is free now, at most 8192;
        elsewhere 256.
    """
    if device.type != "cuda":
        return _CPU_BATCH
    free, _ = torch.cuda.mem_get_info(device)
    # What this process keeps for itself is free, too.
    free += torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    return max(1, min(_MOST, int(_SHARE * free) // _bytes_per_window(config)))


def _bytes_per_window(config: ModelConfig) -> int:
    """Estimate the memory that a window takes: layers in float32 and terms of the sums."""
    network, window = config.network, config.window
    assert isinstance(network, UNetConfig)  # noqa: S101 (for the type checker)
    widest = max(max(channels) for channels in network.block_channels(len(config.bands)).values())
    layers = 4 * _PLANES * widest * window.size**2
    return layers + 6 * 8 * len(config.classes) * window.inner**2


class _Cutter:
    """The image on the device, and windows of it: bands last, as the network takes them."""

    def __init__(
        self,
        data: NDArray[np.float32],
        mask: NDArray[np.bool_],
        size: int,
        device: torch.device,
    ) -> None:
        pixels = torch.from_numpy(np.ascontiguousarray(data)).to(device)
        self._windows = windows_of(pixels, size)
        self._valid = windows_of(torch.from_numpy(~mask).to(device)[None], size)

    def cut(self, blocks: list[Block], *, masked: bool) -> tuple[Tensor, Tensor | None]:
        """Copy windows, and which of their pixels are valid if not all are."""
        views = (self._windows, self._valid) if masked else (self._windows,)
        windows, *valid = (
            torch.cat([view[block.starts()].flatten(0, 1) for block in blocks]) for view in views
        )
        return windows, valid[0] if valid else None


def windows_of(pixels: Tensor, size: int) -> Tensor:
    """View an image as all its windows.

    Parameters
    ----------
    pixels : Tensor, shape (band, y, x)
        The image. It is copied with its bands last.
    size : int
        Side of a window.

    Returns
    -------
    Tensor, shape (y, x, size, size, band)
        By the windows' first pixels.
    """
    last = pixels.permute(1, 2, 0).contiguous()
    return last.unfold(0, size, 1).unfold(1, size, 1).permute(0, 1, 3, 4, 2)


def standardise(windows: Tensor, valid: Tensor | None = None) -> Tensor:
    """Do what `morpheus.model.normalise.standardise_jointly` does, on any device.

    Parameters
    ----------
    windows : Tensor of float32, shape (n, y, x, band)
        Finite pixel values.
    valid : Tensor of bool, shape (n, y, x, 1), optional
        False where a pixel takes no part. All pixels are valid if None.

    Returns
    -------
    Tensor of float32, shape (n, band, y, x)
        Standardised windows in memory format `channels_last`; they depend on nothing but the
        window.
    """
    flat = windows.flatten(1)
    if valid is None:
        weight = None
        # A tensor on the device: by a number PyTorch would divide in another way.
        count = flat.new_full((1, 1), flat.shape[1])
    else:
        weight = valid.expand_as(windows).flatten(1).to(flat.dtype)
        count = (valid.flatten(1).sum(1, keepdim=True) * windows.shape[-1]).clamp(min=1)
        count = count.to(flat.dtype)
        flat = flat * weight
    for _ in range(2):  # the second mean mends the rounding of the first
        flat = flat - _row_totals(flat) / count
        if weight is not None:
            flat *= weight
    deviation = (_row_totals(flat * flat) / count).sqrt()
    flat /= torch.maximum(deviation, 1 / count.sqrt())
    return flat.view_as(windows).permute(0, 3, 1, 2)


def _row_totals(values: Tensor) -> Tensor:
    """Sum each row, halves onto each other.

    PyTorch's own sum chooses an order that depends on the number of rows.
    """
    while (n := values.shape[1]) > 1:
        half = n // 2
        folded = values[:, :half] + values[:, half : 2 * half]
        values = torch.cat((folded, values[:, 2 * half :]), 1) if n % 2 else folded
    return values


def _summed_along_x(probabilities: Tensor, block: Block) -> Tensor:
    """Sum the windows of each row of a block.

    Along one axis first: 30 + 30 additions of large arrays, in place of 30 x 30.

    Parameters
    ----------
    probabilities : Tensor of float32, shape (n, class, inner, inner)
        Of a block's windows.
    block : Block
        Where they lie.

    Returns
    -------
    Tensor of int64, shape (inner, 3, class, rows, x)
        For each row of the windows, sums of p, p^2 and votes.
    """
    by_place = probabilities.unflatten(0, (block.rows, block.columns)).permute(4, 2, 0, 3, 1)
    by_place = by_place.contiguous()  # (x in window, class, row, y in window, column)
    inner, n_classes, rows, _, columns = by_place.shape
    terms = torch.empty((3, *by_place.shape), dtype=torch.int64, device=by_place.device)
    terms[0] = torch.round(by_place * _SCALE)
    torch.mul(terms[0], terms[0], out=terms[1])
    # The first of equals. What is not a number gets no vote, and is found by that.
    ranks = torch.arange(n_classes, device=by_place.device)[:, None, None, None]
    terms[2] = (by_place.argmax(1, keepdim=True) == ranks) & ~by_place.isnan()
    shape = (3, n_classes, rows, inner, (columns - 1) * block.step + inner)
    sums = torch.zeros(shape, dtype=torch.int64, device=by_place.device)
    for x in range(inner):
        sums[..., x : x + (columns - 1) * block.step + 1 : block.step] += terms[:, x]
    return sums.permute(3, 0, 1, 2, 4)


class _Strip:
    """Sums over the windows of a row of tiles, all across the image."""

    def __init__(
        self,
        extent: tuple[int, int, int],
        origin: tuple[int, int],
        inner: int,
        device: torch.device,
    ) -> None:
        self.origin = origin
        self._inner = inner
        self._sums = torch.zeros((3, *extent), dtype=torch.int64, device=device)
        self._n = np.zeros(extent[1:], np.uint32)
        self._expected = 0

    def add(self, block: Block, rows: Tensor, margin: int) -> None:
        """Add what was summed along x."""
        y, x = block.y - self.origin[0] + margin, block.x - self.origin[1] + margin
        height, width = block.reach(self._inner)
        columns = slice(x, x + width)
        for i, sums in enumerate(rows):
            first = y + i
            lines = slice(first, first + (block.rows - 1) * block.row_step + 1, block.row_step)
            self._sums[:, :, lines, columns] += sums
        self._n[y : y + height, columns] += block.count(self._inner)
        self._expected += block.n_windows * self._inner**2

    def sums(self) -> Accumulator:
        """Take the sums to the processor, when all are there."""
        total, squares, votes = self._sums
        if int(votes.sum()) != self._expected:
            raise ModelError("the network's output is not a number: the weights are unusable")
        return Accumulator(
            total.cpu().numpy(),
            squares.cpu().numpy(),
            votes.to(torch.int32).cpu().numpy().view(np.uint32),
            self._n,
        )
