"""The main loop: windows, normalise, network, accumulate."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from morpheus.errors import ModelError
from morpheus.inference.accumulate import Accumulator, Statistics
from morpheus.inference.engine import Engine
from morpheus.inference.options import InferenceOptions
from morpheus.inference.windows import Run, Tile, WindowPlan
from morpheus.model import ModelConfig, WindowRecipe
from morpheus.model.normalise import NORMALISERS, Normaliser

__all__ = ["Progress", "predict"]

Progress = Callable[[int, int], None]
"""Called with the number of windows done and their total number, from any thread."""


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
    worker = _Worker(data, padded_mask, config, engine)
    total = Accumulator.zeros(len(config.classes), height, width)
    _work(worker, plan, total, engine.workers, progress)
    inside = (
        slice(pad_y[0], pad_y[0] + mask.shape[0]),
        slice(pad_x[0], pad_x[0] + mask.shape[1]),
    )
    return total.cropped(*inside).statistics(mask)


def _padding(
    shape: tuple[int, ...], window: WindowRecipe, options: InferenceOptions
) -> tuple[tuple[int, int], tuple[int, int]]:
    """Pixels to add before and behind each axis."""
    if options.edges == "skip" and min(shape) >= window.size:
        return (0, 0), (0, 0)
    before_and_behind = []
    for n in shape:
        # So that the first and last pixel are in the part of a window that counts; and at least a
        # window.
        missing = max(2 * window.margin, window.size - n)
        before_and_behind.append((missing // 2, missing - missing // 2))
    return before_and_behind[0], before_and_behind[1]


def _work(
    worker: "_Worker",
    plan: WindowPlan,
    total: Accumulator,
    n_workers: int,
    progress: Progress | None,
) -> None:
    """Work off all tiles in threads. An error or an interruption stops the others soon."""
    n_windows, done = plan.n_windows(), 0
    lock, stop = threading.Lock(), threading.Event()
    tiles = plan.tiles()

    def serve() -> None:
        nonlocal done
        while not stop.is_set():
            with lock:
                tile = next(tiles, None)
            if tile is None:
                return
            accumulator = worker.evaluate(tile, stop)
            with lock:
                total.merge(accumulator, tile.y, tile.x)
                done += tile.n_windows
                if progress is not None:
                    progress(done, n_windows)

    with ThreadPoolExecutor(n_workers, thread_name_prefix="morpheus") as pool:
        futures = [pool.submit(serve) for _ in range(n_workers)]
        try:
            finished, _ = wait(futures, return_when=FIRST_EXCEPTION)
        finally:
            stop.set()
    for future in finished:
        future.result()


class _Worker:
    """Turns a tile into sums."""

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

    def evaluate(self, tile: Tile, stop: threading.Event) -> Accumulator:
        """Sum over the windows of a tile; incomplete once `stop` is set."""
        accumulator = Accumulator.zeros(len(self.config.classes), tile.height, tile.width)
        area = (slice(tile.y, tile.y + tile.height), slice(tile.x, tile.x + tile.width))
        masked = bool(self.mask[area].any())
        margin = self.config.window.margin
        for runs in _batches(tile.runs, self.engine.batch_size):
            if stop.is_set():
                break
            windows = np.concatenate([self._cut(self.windows, run).swapaxes(0, 1) for run in runs])
            valid = np.concatenate([self._cut(self.valid, run) for run in runs]) if masked else None
            probabilities = self.engine(self.normalise(windows, valid))
            start = 0
            for run in runs:
                accumulator.add(
                    probabilities[start : start + run.count],
                    run.y - tile.y + margin,
                    run.x - tile.x + margin,
                    run.step,
                )
                start += run.count
        return accumulator

    @staticmethod
    def _cut(windows: NDArray[np.generic], run: Run) -> NDArray[np.generic]:
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
