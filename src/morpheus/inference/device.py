"""The main loop on PyTorch's device: windows never come to the processor, only sums do.

It does what `predict` does with NumPy: the same windows, the same standardisation in float32, the
same integers. What a window gives depends neither on the windows beside it nor on their number, and
integers are added exactly, so neither do the sums.
"""

from dataclasses import replace
from itertools import groupby

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from morpheus.errors import ModelError
from morpheus.inference.accumulate import Accumulator
from morpheus.inference.blocks import Block, batches, blocks_of
from morpheus.inference.device_windows import standardise, sum_along_x, windows_of
from morpheus.inference.engine import TorchEngine
from morpheus.inference.options import Progress
from morpheus.inference.windows import Tile, WindowPlan
from morpheus.model import ModelConfig, UNetConfig, WindowRecipe

__all__ = ["DeviceLoop", "batch_size"]

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
        for y, group in groupby(plan.tiles(), lambda tile: tile.y):
            tiles = list(group)
            extent = (self.n_classes, tiles[0].height, self.mask.shape[1])
            strip = _Strip(extent, y - offset[0], self.window, self.engine.device)
            for tile in tiles:
                masked = self._masked(tile, offset)
                for blocks in batches(_moved(blocks_of(tile), offset), self.batch_size):
                    self._add(strip, cutter, blocks, masked=masked)
                    done += sum(block.n_windows for block in blocks)
                    if progress is not None:
                        progress(done, n_windows)
            total.merge(strip.sums(), y - offset[0])
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
        for block, sums in zip(blocks, rows, strict=True):
            strip.add(block, sums)

    def _row_sums(
        self, cutter: "_Cutter", blocks: list[Block], *, masked: bool
    ) -> list[Tensor] | None:
        """Evaluate a batch and sum along x; None if the memory is too small for it."""
        try:
            windows = standardise(*cutter.cut(blocks, masked=masked))
            probabilities = self.engine.probabilities(windows)
            each = probabilities.split_with_sizes([block.n_windows for block in blocks])
            return [sum_along_x(one, block) for one, block in zip(each, blocks, strict=True)]
        except torch.cuda.OutOfMemoryError:
            if sum(block.n_windows for block in blocks) == 1:
                raise
            return None


def _moved(blocks: list[Block], offset: tuple[int, int]) -> list[Block]:
    """Count from the first pixel that is here."""
    return [replace(b, y=b.y - offset[0], x=b.x - offset[1]) for b in blocks]


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


class _Strip:
    """Sums over the windows of a row of tiles, all across the image, from row `y` of it on."""

    def __init__(
        self, extent: tuple[int, int, int], y: int, window: WindowRecipe, device: torch.device
    ) -> None:
        self._y, self._margin = y, window.margin
        self._inner = window.inner
        self._sums = torch.zeros((3, *extent), dtype=torch.int64, device=device)
        self._n = np.zeros(extent[1:], np.uint32)
        self._expected = 0

    def add(self, block: Block, rows: Tensor) -> None:
        """Add what was summed along x."""
        y, x = block.y - self._y + self._margin, block.x + self._margin
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
