"""The main loop: windows, normalise, network, accumulate."""

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from morpheus.errors import ModelError
from morpheus.inference.accumulate import Accumulator, Statistics
from morpheus.inference.engine import Engine
from morpheus.inference.options import Edges, InferenceOptions
from morpheus.inference.windows import Run, Tile, WindowPlan
from morpheus.model import ModelConfig, WindowRecipe
from morpheus.model.normalise import NORMALISERS, Normaliser

__all__ = ["Progress", "edges_done", "predict"]

_T = TypeVar("_T", bound=np.generic)

Progress = Callable[[int, int], None]
"""Called with the number of windows done and their total number."""


def predict(
    data: NDArray[np.float32],
    mask: NDArray[np.bool_],
    config: ModelConfig,
    engine: Engine,
    options: InferenceOptions,
    progress: Progress | None = None,
) -> Statistics:
    """Evaluate a network on every window of an image and gather what they say about each pixel.

    Parameters
    ----------
    data : ndarray of float32, shape (band, y, x)
        Finite pixel values, bands in the model's order.
    mask : ndarray of bool, shape (y, x)
        True where a pixel is invalid: it takes no part in the normalisation of any window, and no
        window votes on it.
    config : ModelConfig
        Window recipe, normaliser and classes.
    engine : Engine
        What evaluates the network.
    options : InferenceOptions
        Where windows are placed, and what is done at the edges.
    progress : callable, optional
        Told how far the work is.

    Returns
    -------
    Statistics
        Maps (class, y, x) of the image's shape; they do not depend on batches, tiles or threads.

    Raises
    ------
    ModelError
        If the number of bands differs, the normaliser is unknown, or the network gives no numbers.
    OptionError
        If the window spacing leaves gaps.
    """
    if len(data) != len(config.bands):
        raise ModelError(f"{config.name} takes {len(config.bands)} bands, not {len(data)}")
    if config.normaliser not in NORMALISERS:
        raise ModelError(f"{config.name} needs the unknown normaliser {config.normaliser!r}")
    pad_y, pad_x = _padding(mask.shape, config.window, options)
    pads = (pad_y, pad_x)
    data = np.pad(data, ((0, 0), *pads), mode="reflect") if any(map(any, pads)) else data
    padded_mask = np.pad(mask, pads, mode="reflect") if any(map(any, pads)) else mask
    height, width = padded_mask.shape
    plan = WindowPlan(height, width, config.window, options.stride, options.lattice)
    total = _Loop(data, padded_mask, config, engine).run(plan, progress)
    inside = (
        slice(pad_y[0], pad_y[0] + mask.shape[0]),
        slice(pad_x[0], pad_x[0] + mask.shape[1]),
    )
    return total.cropped(*inside).statistics(mask)


def edges_done(shape: tuple[int, ...], window: WindowRecipe, options: InferenceOptions) -> Edges:
    """Tell what is done at the edges of an image.

    Parameters
    ----------
    shape : tuple of int
        Size (y, x) of the image in pixels.
    window : WindowRecipe
        Size of the windows.
    options : InferenceOptions
        What was asked for.

    Returns
    -------
    {'skip', 'pad'}
        'pad' if that was asked for, or if the image is smaller than a window.
    """
    return options.edges if min(shape) >= window.size else "pad"


def _padding(
    shape: tuple[int, ...], window: WindowRecipe, options: InferenceOptions
) -> tuple[tuple[int, int], tuple[int, int]]:
    """Pixels to add before and behind each axis."""
    if edges_done(shape, window, options) == "skip":
        return (0, 0), (0, 0)
    before_and_behind = []
    for n in shape:
        # So that the first and last pixel are in the part of a window that counts; and at least a
        # window.
        missing = max(2 * window.margin, window.size - n)
        before_and_behind.append((missing // 2, missing - missing // 2))
    return before_and_behind[0], before_and_behind[1]


class _Portion(NamedTuple):
    """A batch that is being evaluated, and the tile that its windows belong to."""

    tile: Tile
    runs: list[Run]
    probabilities: Future[NDArray[np.float32]]
    is_last: bool


class _Loop:
    """Cuts, normalises and sums here, while the network is evaluated in the engine's threads.

    One thread does all that is Python, so that nobody waits for the interpreter's lock, and the
    sums need no locks of their own. It takes about 6% of the network's time (docs/performance.md).
    """

    def __init__(
        self,
        data: NDArray[np.float32],
        mask: NDArray[np.bool_],
        config: ModelConfig,
        engine: Engine,
    ) -> None:
        size = config.window.size
        self.mask = mask
        self.windows = sliding_window_view(data, (size, size), axis=(1, 2))
        self.valid = sliding_window_view(~mask, (size, size))
        self.config = config
        self.engine = engine
        self.normalise: Normaliser = NORMALISERS[config.normaliser]

    def run(self, plan: WindowPlan, progress: Progress | None) -> Accumulator:
        """Sum over all windows."""
        n_classes, margin = len(self.config.classes), self.config.window.margin
        total = Accumulator.zeros(n_classes, plan.height, plan.width)
        part: Accumulator | None = None
        n_windows, done = plan.n_windows(), 0
        for portion in self._evaluated(plan):
            tile = portion.tile
            if part is None:
                part = Accumulator.zeros(n_classes, tile.height, tile.width)
            probabilities, start = portion.probabilities.result(), 0
            for run in portion.runs:
                place = (run.y - tile.y + margin, run.x - tile.x + margin)
                part.add(probabilities[start : start + run.count], *place, run.step)
                start += run.count
            done += start
            if portion.is_last:
                total.merge(part, tile.y, tile.x)
                part = None
            if progress is not None:
                progress(done, n_windows)
        return total

    def _evaluated(self, plan: WindowPlan) -> Iterator[_Portion]:
        """Hand batches to the engine, always a few ahead, and give them back in order."""
        ahead: deque[_Portion] = deque()
        pool = ThreadPoolExecutor(self.engine.workers, thread_name_prefix="morpheus")
        try:
            for tile in plan.tiles():
                area = (slice(tile.y, tile.y + tile.height), slice(tile.x, tile.x + tile.width))
                masked = bool(self.mask[area].any())
                batches = list(_batches(tile.runs, self.engine.batch_size))
                for i, runs in enumerate(batches):
                    windows = self._normalised(runs, masked=masked)
                    probabilities = pool.submit(self.engine, windows)
                    ahead.append(_Portion(tile, runs, probabilities, i == len(batches) - 1))
                    if len(ahead) > 2 * self.engine.workers:
                        yield ahead.popleft()
            yield from ahead
        finally:
            # After an error or an interruption, what has not begun is not begun any more.
            pool.shutdown(cancel_futures=True)

    def _normalised(self, runs: list[Run], *, masked: bool) -> NDArray[np.float32]:
        windows = np.concatenate([_cut(self.windows, run).swapaxes(0, 1) for run in runs])
        valid = np.concatenate([_cut(self.valid, run) for run in runs]) if masked else None
        return self.normalise(windows, valid)


def _cut(windows: NDArray[_T], run: Run) -> NDArray[_T]:
    stop = run.x + (run.count - 1) * run.step + 1
    return windows[..., run.y, run.x : stop : run.step, :, :]


def _batches(runs: tuple[Run, ...], size: int) -> Iterator[list[Run]]:
    """Fill batches of `size` windows, cutting runs where they do not fit."""
    batch: list[Run] = []
    free = size
    for run in runs:
        rest: Run | None = run
        while rest is not None:
            piece, rest = rest.divide(free)
            batch.append(piece)
            free -= piece.count
            if free == 0:
                yield batch
                batch, free = [], size
    if batch:
        yield batch
