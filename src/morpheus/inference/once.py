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
from morpheus.model import WindowRecipe
from morpheus.model.normalise import Normaliser, SkyNormaliser

__all__ = ["Place", "predict_once"]

_Evaluate: TypeAlias = Callable[[NDArray[np.float32], NDArray[np.bool_]], NDArray[np.float32]]
_Job: TypeAlias = tuple[list[tuple[int, int]], Future[NDArray[np.float32]]]


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
    """

    origin: tuple[int, int] = (0, 0)
    core: tuple[slice, slice] | None = None
    shape: tuple[int, int] | None = None


class _Span(NamedTuple):
    """Along one axis: wanted pixels that a window classifies, in the coordinates of what was read.

    The window starts at `start` (it may be negative: what is not there is masked).
    """

    start: int
    first: int
    last: int


def predict_once(
    data: NDArray[np.float32],
    mask: NDArray[np.bool_],
    recipe: WindowRecipe,
    n_classes: int,
    engine: Engine,
    normaliser: Normaliser,
    place: Place,
    progress: Progress | None = None,
) -> Statistics:
    r"""Evaluate a network once for every pixel.

    Window (i, j) starts at pixel :math:`(i s - m, j s - m)` of the whole image, of inner size s and
    margin m, and what it says counts for the s x s pixels from :math:`(i s, j s)` on. Around the
    image all pixels are masked. So each pixel is classified by one window, whose place depends
    neither on what else is classified nor on how.

    Parameters
    ----------
    data : ndarray of float32, shape (band, y, x)
        Finite pixel values of the bands that are there.
    mask : ndarray of bool, shape (y, x)
        True where a pixel is invalid.
    recipe : WindowRecipe
        Size and margin of the windows.
    n_classes : int
        Number of classes.
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
    rows, columns = (
        _spans(part, origin, recipe) for part, origin in zip(core, place.origin, strict=True)
    )
    wanted = mask[core]
    mean = np.full((n_classes, *wanted.shape), np.nan, np.float32)
    cutter, network = _Cutter(data, mask, recipe), _network(engine, normaliser)
    # What is masked as a whole needs no network.
    todo = [
        (i, j)
        for i, row in enumerate(rows)
        for j, column in enumerate(columns)
        if not mask[row.first : row.last, column.first : column.last].all()
    ]

    def evaluate(windows: list[tuple[int, int]]) -> NDArray[np.float32]:
        return network(*cutter.cut([(rows[i].start, columns[j].start) for i, j in windows]))

    batches = [todo[k : k + engine.batch_size] for k in range(0, len(todo), engine.batch_size)]
    done = 0
    for windows, job in _evaluated(batches, evaluate, engine.workers):
        for (i, j), probabilities in zip(windows, job.result(), strict=True):
            _write(mean, probabilities, (rows[i], columns[j]), core, recipe.margin)
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


def _spans(wanted: slice, origin: int, recipe: WindowRecipe) -> list[_Span]:
    """Windows along one axis that classify wanted pixels."""
    first, last = wanted.start + origin, wanted.stop + origin
    return [
        _Span(
            i * recipe.inner - recipe.margin - origin,
            max(i * recipe.inner, first) - origin,
            min((i + 1) * recipe.inner, last) - origin,
        )
        for i in range(first // recipe.inner, (last - 1) // recipe.inner + 1)
    ]


def _write(
    mean: NDArray[np.float32],
    probabilities: NDArray[np.float32],
    spans: tuple[_Span, _Span],
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

    def __init__(
        self, data: NDArray[np.float32], mask: NDArray[np.bool_], recipe: WindowRecipe
    ) -> None:
        self.data, self.mask, self.size = data, mask, recipe.size

    def cut(self, starts: list[tuple[int, int]]) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """Copy the windows that start at these pixels, and tell which pixels are valid."""
        shape = (len(starts), len(self.data), self.size, self.size)
        windows = np.zeros(shape, np.float32)
        valid = np.zeros((len(starts), self.size, self.size), bool)
        for k, (y, x) in enumerate(starts):
            rows, columns = (
                slice(max(0, start), min(n, start + self.size))
                for start, n in zip((y, x), self.mask.shape, strict=True)
            )
            inside = (
                k,
                ...,
                slice(rows.start - y, rows.stop - y),
                slice(columns.start - x, columns.stop - x),
            )
            windows[inside] = self.data[:, rows, columns]
            valid[inside] = ~self.mask[rows, columns]
        return windows, valid


def _evaluated(
    batches: list[list[tuple[int, int]]],
    evaluate: Callable[[list[tuple[int, int]]], NDArray[np.float32]],
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
