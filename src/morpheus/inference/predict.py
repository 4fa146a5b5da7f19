"""The main loop: windows, normalise, network, accumulate."""

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple, Protocol, TypeAlias, TypeVar

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from morpheus.inference.accumulate import Accumulator, Statistics
from morpheus.inference.engine import Engine, TorchEngine
from morpheus.inference.once import Place, predict_once
from morpheus.inference.options import PRESETS, Edges, InferenceOptions, Progress, check_placement
from morpheus.inference.windows import Run, Tile, WindowPlan
from morpheus.model import ModelConfig, WindowRecipe
from morpheus.model.normalise import Normaliser, prepare_normaliser, standardise_jointly

__all__ = ["placement", "predict"]

_T = TypeVar("_T", bound=np.generic)


def predict(
    data: NDArray[np.float32],
    mask: NDArray[np.bool_],
    config: ModelConfig,
    engine: Engine,
    options: InferenceOptions,
    progress: Progress | None = None,
    *,
    normaliser: Normaliser | None = None,
    place: Place | None = None,
) -> Statistics:
    """Evaluate a network on every window of an image and gather what they say about each pixel.

    Parameters
    ----------
    data : ndarray of float32, shape (band, y, x)
        Finite pixel values, bands in the model's order; those that `normaliser` was prepared for,
        or else all.
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
    normaliser : callable, optional
        What makes the network's input, prepared on the whole image; by default on `data`.
    place : Place, optional
        Where the pixels lie in the whole image, and which of them are wanted. By default they are
        the whole image, and all.

    Returns
    -------
    Statistics
        Maps (class, y, x) of the pixels that are wanted; they do not depend on batches, tiles or
        threads.

    Raises
    ------
    ModelError
        If the number of bands differs, the normaliser is unknown, or the network gives no numbers.
    OptionError
        If the window spacing leaves gaps, or the model's windows have places of their own.
    """
    if normaliser is None:
        normaliser = prepare_normaliser(config, data, mask)
    place = Place() if place is None else place
    if config.is_dense:
        _check_preset(config, options)
        return predict_once(data, mask, config, engine, normaliser, place, progress)
    make_loop: _MakeLoop = partial(_Loop, config=config, engine=engine, normaliser=normaliser)
    if isinstance(engine, TorchEngine) and normaliser is standardise_jointly:
        from morpheus.inference.device import DeviceLoop  # noqa: PLC0415 (imports torch)

        make_loop = partial(DeviceLoop, config=config, engine=engine)
    return _predict_windows(make_loop, data, mask, config.window, options, place, progress)


class _WindowLoop(Protocol):
    """Evaluates windows of an image and sums what they say."""

    def run(
        self, plan: WindowPlan, offset: tuple[int, int], progress: Progress | None
    ) -> Accumulator:
        """Sum over all windows of a plan, in which the image's first pixel is at `offset`."""
        ...  # pragma: no cover


_MakeLoop: TypeAlias = Callable[[NDArray[np.float32], NDArray[np.bool_]], _WindowLoop]


class _Axis(NamedTuple):
    """Along one axis: how what was read is padded, and which windows see what is wanted.

    Windows are counted on the whole image with its padding, on which the first pixel that was read
    (with its padding) is `offset`.
    """

    length: int
    before: int
    behind: int
    offset: int
    starts: range


def _axis(
    n: int, whole: int, origin: int, core: slice, window: WindowRecipe, *, pad: bool
) -> _Axis:
    before = behind = 0
    if pad:
        # So that the first and last pixel are in the part of a window that counts; and at least a
        # window.
        missing = max(2 * window.margin, window.size - whole)
        before, behind = missing // 2, missing - missing // 2
    first, last = core.start + origin + before, core.stop - 1 + origin + before
    length = whole + before + behind
    starts = range(
        max(0, first - (window.size - window.margin - 1)),
        max(0, min(length - window.size, last - window.margin) + 1),
    )
    return _Axis(
        length,
        before if origin == 0 else 0,
        behind if origin + n == whole else 0,
        origin + before if origin else 0,
        starts,
    )


def _predict_windows(
    make_loop: _MakeLoop,
    data: NDArray[np.float32],
    mask: NDArray[np.bool_],
    window: WindowRecipe,
    options: InferenceOptions,
    place: Place,
    progress: Progress | None,
) -> Statistics:
    """Sum over windows that overlap."""
    whole = mask.shape if place.shape is None else place.shape
    core = (slice(0, mask.shape[0]), slice(0, mask.shape[1])) if place.core is None else place.core
    pad = _edges_done(whole, window, options) == "pad"
    y, x = (
        _axis(*one, window, pad=pad)
        for one in zip(mask.shape, whole, place.origin, core, strict=True)
    )
    pads = ((y.before, y.behind), (x.before, x.behind))
    plan = WindowPlan(
        y.length, x.length, window, options.stride, options.lattice, y.starts, x.starts
    )
    loop = make_loop(_padded(data, pads), _padded(mask, pads))
    total = loop.run(plan, (y.offset, x.offset), progress)
    inside = (
        slice(core[0].start + y.before, core[0].stop + y.before),
        slice(core[1].start + x.before, core[1].stop + x.before),
    )
    return total.cropped(*inside).statistics(mask[core])


def _padded(pixels: NDArray[_T], pads: tuple[tuple[int, int], tuple[int, int]]) -> NDArray[_T]:
    """Continue an image by reflection."""
    if not any(map(any, pads)):
        return pixels
    return np.pad(pixels, ((0, 0),) * (pixels.ndim - 2) + pads, mode="reflect")


def placement(
    shape: tuple[int, ...], config: ModelConfig, options: InferenceOptions
) -> dict[str, Any]:
    """Tell how windows are placed on an image.

    Parameters
    ----------
    shape : tuple of int
        Size (y, x) of the image in pixels.
    config : ModelConfig
        The model.
    options : InferenceOptions
        What was asked for.

    Returns
    -------
    dict
        For reports: `stride`; `lattice`; `edges`, which is 'pad' if that was asked for or the image
        is smaller than a window, 'skip', or 'masked' for a dense model: all pixels around the image
        are masked, and every pixel of it is classified.
    """
    if config.is_dense:
        return {"stride": config.window.stride, "lattice": False, "edges": "masked"}
    return {
        "stride": options.stride,
        "lattice": options.lattice,
        "edges": _edges_done(shape, config.window, options),
    }


def _check_preset(config: ModelConfig, options: InferenceOptions) -> None:
    """Refuse windows that are placed as no preset places them: someone wanted that."""
    presets = {(p.stride, p.lattice, p.edges) for p in PRESETS.values()}
    if (options.stride, options.lattice, options.edges) not in presets:
        plain = InferenceOptions()
        chosen = {
            name: value
            for name in ("stride", "lattice", "edges")
            if (value := getattr(options, name)) != getattr(plain, name)
        }
        check_placement(config, **chosen)


def _edges_done(shape: tuple[int, ...], window: WindowRecipe, options: InferenceOptions) -> Edges:
    return options.edges if min(shape) >= window.size else "pad"


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
        normaliser: Normaliser,
    ) -> None:
        self.data = data
        self.mask = mask
        self.config = config
        self.engine = engine
        self.normalise = normaliser

    def run(
        self, plan: WindowPlan, offset: tuple[int, int], progress: Progress | None
    ) -> Accumulator:
        """Sum over all windows of a plan, in which the first pixel here is at `offset`."""
        n_classes, margin = len(self.config.classes), self.config.window.margin
        total = Accumulator.zeros(n_classes, *self.mask.shape)
        part: Accumulator | None = None
        n_windows, done = plan.n_windows(), 0
        if not n_windows:  # and perhaps no room for one
            return total
        for portion in self._evaluated(plan, offset):
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
                total.merge(part, tile.y - offset[0], tile.x - offset[1])
                part = None
            if progress is not None:
                progress(done, n_windows)
        return total

    def _evaluated(self, plan: WindowPlan, offset: tuple[int, int]) -> Iterator[_Portion]:
        """Hand batches to the engine, always a few ahead, and give them back in order."""
        size = self.config.window.size
        views = (
            sliding_window_view(self.data, (size, size), axis=(1, 2)),
            sliding_window_view(~self.mask, (size, size)),
        )
        ahead: deque[_Portion] = deque()
        pool = ThreadPoolExecutor(self.engine.workers, thread_name_prefix="morpheus")
        try:
            for tile in plan.tiles():
                y, x = tile.y - offset[0], tile.x - offset[1]
                masked = bool(self.mask[y : y + tile.height, x : x + tile.width].any())
                batches = list(_batches(tile.runs, self.engine.batch_size))
                for i, runs in enumerate(batches):
                    here = [replace(run, y=run.y - offset[0], x=run.x - offset[1]) for run in runs]
                    windows = self._normalised(views, here, masked=masked)
                    probabilities = pool.submit(self.engine, windows)
                    ahead.append(_Portion(tile, runs, probabilities, i == len(batches) - 1))
                    if len(ahead) > 2 * self.engine.workers:
                        yield ahead.popleft()
            yield from ahead
        finally:
            # After an error or an interruption, what has not begun is not begun any more.
            pool.shutdown(cancel_futures=True)

    def _normalised(
        self,
        views: tuple[NDArray[np.float32], NDArray[np.bool_]],
        runs: list[Run],
        *,
        masked: bool,
    ) -> NDArray[np.float32]:
        windows = np.concatenate([_cut(views[0], run).swapaxes(0, 1) for run in runs])
        valid = np.concatenate([_cut(views[1], run) for run in runs]) if masked else None
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
