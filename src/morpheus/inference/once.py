"""The loop of a model that sees every pixel once: windows side by side over the whole image."""

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from morpheus.errors import ModelError
from morpheus.inference.accumulate import Statistics
from morpheus.inference.engine import Engine, TorchEngine
from morpheus.inference.options import Progress
from morpheus.model import ModelConfig
from morpheus.model.normalise import Normaliser, SkyNormaliser

__all__ = ["Place", "predict_once", "seen_around"]

_STEP = 64  # of the sizes of windows at an end: the engine prepares for each that there is

_Evaluate: TypeAlias = Callable[[NDArray[np.float32], NDArray[np.bool_]], NDArray[np.float32]]


@dataclass(frozen=True)
class Place:
    """Where pixels that were read lie in the whole image.

    Parameters
    ----------
    origin : tuple of int, optional
        Position (y, x) of the first of them in the whole image, which windows are counted from.
    core : tuple of slice or None, optional
        Rows and columns of them that are wanted; all if None. The others are context.
    shape : tuple of int or None, optional
        Size (y, x) of the whole image; None: what was read is the whole.

    Raises
    ------
    ValueError
        If what was read begins elsewhere and the shape is not given.
    """

    origin: tuple[int, int] = (0, 0)
    core: tuple[slice, slice] | None = None
    shape: tuple[int, int] | None = None

    def __post_init__(self) -> None:
        if self.shape is None and self.origin != (0, 0):
            raise ValueError("a part of an image has a place in the whole, whose shape is needed")


class _Span(NamedTuple):
    """Along one axis: wanted pixels that a window classifies, in the coordinates of what was read.

    The window has `size` pixels from `start` on (it may be negative: what is not there is masked).
    """

    start: int
    size: int
    first: int
    last: int


_Window: TypeAlias = tuple[_Span, _Span]
_Job: TypeAlias = tuple[list[_Window], Future[NDArray[np.float32]]]


def seen_around(
    wanted: tuple[slice, slice], shape: tuple[int, int], config: ModelConfig
) -> tuple[slice, slice]:
    """Find the pixels that the windows see which classify some.

    Parameters
    ----------
    wanted : tuple of slice
        Rows and columns that are to be classified, at least one of each.
    shape : tuple of int
        Size (y, x) of the whole image.
    config : ModelConfig
        The model.

    Returns
    -------
    tuple of slice
        Rows and columns to read for `predict_once`.
    """
    spans = [_spans(part, 0, n, config) for part, n in zip(wanted, shape, strict=True)]
    rows, columns = (
        slice(max(0, part[0].start), min(n, part[-1].start + part[-1].size))
        for part, n in zip(spans, shape, strict=True)
    )
    return rows, columns


def predict_once(
    data: NDArray[np.float32],
    mask: NDArray[np.bool_],
    config: ModelConfig,
    engine: Engine,
    normaliser: Normaliser,
    place: Place,
    progress: Progress | None = None,
) -> Statistics:
    r"""Evaluate a network once for every pixel.

    Window (i, j) starts at pixel :math:`(i s - m, j s - m)` of the whole image, of inner size s and
    margin m, and what it says counts for the s x s pixels from :math:`(i s, j s)` on. Around the
    image all pixels are masked; a window of which more than a margin lies behind the end of the
    image is made smaller. So each pixel is classified by one window, whose place and size depend
    neither on what else is classified nor on how.

    Parameters
    ----------
    data : ndarray of float32, shape (band, y, x)
        Finite pixel values of the bands that are there.
    mask : ndarray of bool, shape (y, x)
        True where a pixel is invalid.
    config : ModelConfig
        Size and margin of the windows, and the classes.
    engine : Engine
        What evaluates the network.
    normaliser : callable
        What makes its input, prepared on the image.
    place : Place
        Where the pixels lie in the whole image, and which are wanted.
    progress : callable, optional
        Told how far the work is.

    Returns
    -------
    Statistics
        Maps of the pixels that are wanted: probabilities and `n`, 0 where a pixel is masked and
        1 elsewhere. There is neither a variance nor votes.

    Raises
    ------
    ModelError
        If the network gives no numbers.
    """
    core = (slice(0, mask.shape[0]), slice(0, mask.shape[1])) if place.core is None else place.core
    whole = mask.shape if place.shape is None else place.shape
    rows, columns = (_spans(*one, config) for one in zip(core, place.origin, whole, strict=True))
    wanted = mask[core]
    mean = np.full((len(config.classes), *wanted.shape), np.nan, np.float32)
    cutter, network = _Cutter(data, mask), _network(engine, normaliser)
    # What is masked as a whole needs no network.
    todo = [
        (row, column)
        for row in rows
        for column in columns
        if not mask[row.first : row.last, column.first : column.last].all()
    ]

    def evaluate(windows: list[_Window]) -> NDArray[np.float32]:
        return network(*cutter.cut(windows))

    done = 0
    for windows, job in _evaluated(_batches(todo, engine.batch_size), evaluate, engine.workers):
        for window, probabilities in zip(windows, job.result(), strict=True):
            _write(mean, probabilities, window, core, config.window.margin)
        done += len(windows)
        if progress is not None:
            progress(done, len(todo))
    if not np.isfinite(mean.sum(axis=0, dtype=np.float32)[~wanted]).all():
        raise ModelError("the network's output is not a number: the weights are unusable")
    mean[:, wanted] = np.nan
    return Statistics(mean, None, None, (~wanted).astype(np.uint32))


def _network(engine: Engine, normaliser: Normaliser) -> _Evaluate:
    """Normalise, and evaluate the network: where it is, if that can be."""
    if isinstance(engine, TorchEngine) and isinstance(normaliser, SkyNormaliser):
        from morpheus.inference.device_sky import evaluate_from_the_sky  # noqa: PLC0415 (torch)

        return partial(evaluate_from_the_sky, engine, normaliser)
    return lambda windows, valid: engine(normaliser(windows, valid))


def _spans(wanted: slice, origin: int, whole: int, config: ModelConfig) -> list[_Span]:
    """Windows along one axis that classify wanted pixels."""
    first, last = wanted.start + origin, wanted.stop + origin
    inner, margin = config.window.inner, config.window.margin
    step = max(_STEP, config.network.multiple)
    return [
        _Span(
            i * inner - margin - origin,
            min(config.window.size, -(-(whole - i * inner + 2 * margin) // step) * step),
            max(i * inner, first) - origin,
            min((i + 1) * inner, last) - origin,
        )
        for i in range(first // inner, (last - 1) // inner + 1)
    ]


def _batches(windows: list[_Window], most: int) -> list[list[_Window]]:
    """Put windows of the same size together."""
    of_size: dict[tuple[int, int], list[_Window]] = {}
    for row, column in windows:
        of_size.setdefault((row.size, column.size), []).append((row, column))
    return [some[k : k + most] for some in of_size.values() for k in range(0, len(some), most)]


def _write(
    mean: NDArray[np.float32],
    probabilities: NDArray[np.float32],
    spans: _Window,
    core: tuple[slice, slice],
    margin: int,
) -> None:
    """Put down what a window says of the pixels that it classifies."""
    target, source = (
        tuple(
            slice(span.first - away, span.last - away)
            for span, away in zip(spans, aways, strict=True)
        )
        for aways in (
            [part.start for part in core],
            [span.start + margin for span in spans],
        )
    )
    mean[:, *target] = probabilities[:, *source]


class _Cutter:
    """Cuts windows that may reach beyond the image."""

    def __init__(self, data: NDArray[np.float32], mask: NDArray[np.bool_]) -> None:
        self.data, self.mask = data, mask

    def cut(self, windows: list[_Window]) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """Copy windows of one size, and tell which of their pixels are valid."""
        shape = tuple(span.size for span in windows[0])
        pixels = np.zeros((len(windows), len(self.data), *shape), np.float32)
        valid = np.zeros((len(windows), *shape), bool)
        for k, window in enumerate(windows):
            rows, columns = (
                slice(max(0, span.start), min(n, span.start + span.size))
                for span, n in zip(window, self.mask.shape, strict=True)
            )
            inside = (
                k,
                ...,
                slice(rows.start - window[0].start, rows.stop - window[0].start),
                slice(columns.start - window[1].start, columns.stop - window[1].start),
            )
            pixels[inside] = self.data[:, rows, columns]
            valid[inside] = ~self.mask[rows, columns]
        return pixels, valid


def _evaluated(
    batches: list[list[_Window]],
    evaluate: Callable[[list[_Window]], NDArray[np.float32]],
    workers: int,
) -> Iterator[_Job]:
    """Hand batches to threads, always a few ahead, and give them back in order.

    Windows are normalised in these threads too: NumPy computes without the interpreter's lock.
    """
    ahead: deque[_Job] = deque()
    pool = ThreadPoolExecutor(workers, thread_name_prefix="morpheus")
    try:
        for windows in batches:
            ahead.append((windows, pool.submit(evaluate, windows)))
            if len(ahead) > 2 * workers:
                yield ahead.popleft()
        yield from ahead
    finally:
        # After an error or an interruption, what has not begun is not begun any more.
        pool.shutdown(cancel_futures=True)
