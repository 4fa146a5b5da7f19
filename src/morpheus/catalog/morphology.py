"""The class of a source: the flux-weighted mean of its pixels."""

from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from morpheus.inference import ClassMaps

__all__ = ["SourceClasses", "SourcePixels", "classify_sources"]

_BACKGROUND = "background"
_T = TypeVar("_T", bound=np.generic)


class SourcePixels:
    """The pixels of all sources, for sums over each.

    Only pixels of sources are held, so that memory grows with their area and not with the field.

    Parameters
    ----------
    labels : ndarray of int, shape (y, x)
        0 for the sky, 1 to N for the sources.
    n_sources : int
        N.
    """

    def __init__(self, labels: NDArray[np.int32], n_sources: int) -> None:
        self.n_sources = n_sources
        self.index = np.flatnonzero(labels)
        self.source = labels.ravel()[self.index] - 1

    def of(self, image: NDArray[_T]) -> NDArray[_T]:
        """Take the values of an image in the sources' pixels.

        Parameters
        ----------
        image : ndarray, shape (y, x)
            The image.

        Returns
        -------
        ndarray, shape (pixel,)
            Its values.
        """
        return image.ravel()[self.index]

    def sum(self, values: NDArray[Any] | None = None) -> NDArray[np.float64]:
        """Add up over the pixels of each source.

        Parameters
        ----------
        values : ndarray, shape (pixel,), optional
            What to add, float64 in the sums; 1 if None.

        Returns
        -------
        ndarray of float64, shape (source,)
            The sums.
        """
        return np.bincount(self.source, values, minlength=self.n_sources).astype(np.float64)


@dataclass(frozen=True, eq=False)
class SourceClasses:
    """Class probabilities of sources.

    Parameters
    ----------
    names : tuple of str
        The classes, without background.
    probability : ndarray of float64, shape (class, source)
        Adds up to 1 over the classes; never NaN.
    error : ndarray of float64, shape (class, source)
        Standard deviations; NaN where they are not known.
    background : ndarray of float64, shape (source,)
        Mean probability of background over the pixels of the source.
    unweighted : ndarray of bool, shape (source,)
        True where no pixel has positive flux, so that all pixels count alike.
    """

    names: tuple[str, ...]
    probability: NDArray[np.float64]
    error: NDArray[np.float64]
    background: NDArray[np.float64]
    unweighted: NDArray[np.bool_]

    @property
    def dominant(self) -> NDArray[np.str_]:
        """Name of the most probable class of each source; of equal ones the first."""
        names = np.array(self.names)
        dominant: NDArray[np.str_] = names[self.probability.argmax(axis=0)]
        return dominant

    @property
    def margin(self) -> NDArray[np.float64]:
        """Probability of the first class minus that of the second."""
        ordered = np.sort(np.vstack([np.zeros_like(self.background), self.probability]), axis=0)
        margin: NDArray[np.float64] = ordered[-1] - ordered[-2]
        return margin

    @property
    def agreement(self) -> NDArray[np.float64]:
        """One minus the entropy in units of its maximum: 0 if all classes are alike, 1 if one."""
        p = self.probability
        entropy = -np.sum(p * np.log(np.where(p > 0, p, 1)), axis=0)
        agreement: NDArray[np.float64] = np.clip(
            1 - entropy / np.log(max(2, len(self.names))), 0, 1
        )
        return agreement


def classify_sources(
    pixels: SourcePixels,
    flux: NDArray[np.floating],
    maps: ClassMaps,
    scatter: ClassMaps | None,
) -> SourceClasses:
    r"""Give each source the flux-weighted mean class of its pixels.

    With the weights :math:`w_i = \max(f_i, 0)` of the pixels :math:`i` of a source and their class
    probabilities :math:`p_{ci}`, for the classes other than background (Hausen & Robertson 2020,
    section 4),

    .. math:: p_c = S_c / D, \quad S_c = \sum_i w_i p_{ci}, \quad D = \sum_c S_c .

    Pixels without flux or probability (masked or NaN) weigh nothing. Where all weights are 0, or
    the weighted classes are, pixels count alike; where these are 0 too, all classes are equal.

    The error follows from the variance :math:`v_{ci}` over the windows. Neighbouring pixels are
    seen by nearly the same windows, so their deviations are taken as fully correlated and add up
    linearly. In every window the classes add up to 1 - P(background), and the background is
    improbable in a source, so that :math:`D` is nearly the same in all windows, and

    .. math:: \sigma(p_c) = \sigma(S_c) / D = \sum_i w_i \sqrt{v_{ci}} / D .

    It says how much the windows differ, not how often the network is wrong. Where the background
    is probable, :math:`D` varies with the classes, and the error is an upper limit. Where every
    pixel was seen once, nothing is known of it, and it is NaN.

    Parameters
    ----------
    pixels : SourcePixels
        Which pixel belongs to which source.
    flux : ndarray of float, shape (pixel,)
        The detection image without its background, in the pixels of the sources; NaN where it is
        masked.
    maps : ClassMaps
        Class probabilities, one of them background.
    scatter : ClassMaps or None
        Their variances; None if there are none.

    Returns
    -------
    SourceClasses
        For each source.
    """
    names = tuple(name for name in maps.classes if name != _BACKGROUND)
    weight = np.nan_to_num(np.maximum(flux.astype(np.float64), 0))
    known = np.isfinite(pixels.of(maps[names[0]]))
    weight *= known

    weighted = _sums(pixels, maps, names, weight)
    # Positive, but so small that a quotient would be none, counts as nothing.
    unweighted = ~(weighted.sum(axis=0) > np.finfo(float).tiny)
    if unweighted.any():
        weight[unweighted[pixels.source]] = 1
        weight *= known
        weighted = _sums(pixels, maps, names, weight)
    total = weighted.sum(axis=0)
    nothing = ~(total > 0)
    total[nothing] = 1
    probability = weighted / total
    probability[:, nothing] = 1 / len(names)

    error = np.full_like(probability, np.nan)
    if scatter is not None:
        error = _sums(pixels, scatter, names, weight, root=True) / total
    return SourceClasses(
        names=names,
        probability=probability,
        error=error,
        background=_background(pixels, maps),
        unweighted=unweighted,
    )


def _sums(
    pixels: SourcePixels,
    maps: ClassMaps,
    names: tuple[str, ...],
    weight: NDArray[np.float64],
    *,
    root: bool = False,
) -> NDArray[np.float64]:
    """Sum of weight times value (or its root) over each source, for each class."""
    sums = np.empty((len(names), pixels.n_sources))
    for row, name in zip(sums, names, strict=True):
        values = np.maximum(np.nan_to_num(pixels.of(maps[name]).astype(np.float64)), 0)
        row[:] = pixels.sum(weight * (np.sqrt(values) if root else values))
    return sums


def _background(pixels: SourcePixels, maps: ClassMaps) -> NDArray[np.float64]:
    """Mean probability of background; NaN where no pixel of the source was classified."""
    if _BACKGROUND not in maps:
        return np.full(pixels.n_sources, np.nan)
    values = pixels.of(maps[_BACKGROUND]).astype(np.float64)
    known = np.isfinite(values)
    n_known = pixels.sum(known)
    total = pixels.sum(np.where(known, values, 0))
    return np.divide(total, n_known, out=np.full_like(total, np.nan), where=n_known > 0)
