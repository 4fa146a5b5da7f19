"""What a detector found: labels, and what follows from them alike for every detector."""

import math
import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from skimage.segmentation import relabel_sequential

from morpheus.catalog.background import measure_sky
from morpheus.catalog.morphology import SourcePixels, classify_sources
from morpheus.classes import BACKGROUND, CLASS_NAMES
from morpheus.errors import GridMismatchError, MosaicWarning, OptionError
from morpheus.inference import Classification

__all__ = ["Detections", "measure_detections"]

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Detections:
    """What a detector found in an image.

    Parameters
    ----------
    labels : ndarray of int, shape (y, x)
        0 for the sky, 1 to N for the sources.
    mask : ndarray of bool, shape (y, x)
        True where nothing could be found: masked, or not classified.
    x, y : ndarray, shape (N,)
        Centroids, in 0-based pixels.
    mag : ndarray, shape (N,)
        AB magnitude of the flux in the label; NaN if it is not positive or there is no zero point.
    area : ndarray of int, shape (N,)
        Pixels of the label.
    probabilities : ndarray, shape (N, 4), optional
        Of the classes of source; they add up to 1. None if the detector does not classify.
    pixels : ndarray, shape (5, y, x), optional
        Probabilities of the classes in each pixel; NaN where it was not classified.
    """

    labels: NDArray[np.int32]
    mask: NDArray[np.bool_]
    x: Array
    y: Array
    mag: Array
    area: NDArray[np.int64]
    probabilities: Array | None = None
    pixels: NDArray[np.float32] | None = None

    def __len__(self) -> int:
        return len(self.x)


def measure_detections(
    labels: Any,
    image: NDArray[np.floating[Any]],
    *,
    zero_point: float | None = None,
    mask: NDArray[np.bool_] | None = None,
    classification: Classification | None = None,
    statistic: str = "mean",
) -> Detections:
    """Measure what a detector found.

    Every detector's labels are measured alike: the flux is the sum over the label in the reference
    image, less the sky's level, and a class is the flux-weighted mean of the pixels', as in the
    catalogues of Morpheus.

    Parameters
    ----------
    labels : array of int, shape (y, x)
        0 for the sky; the numbers of the sources may have gaps.
    image : ndarray, shape (y, x)
        Reference image; NaN where it is masked.
    zero_point : float, optional
        AB magnitude of one unit of the image.
    mask : ndarray of bool, shape (y, x), optional
        True where nothing could be found, beside the pixels that are NaN.
    classification : Classification, optional
        Class maps on the same pixels; what it did not classify is masked too.
    statistic : {'mean', 'votes'}, optional
        Which class probabilities to use.

    Returns
    -------
    Detections
        In the order of the labels.

    Raises
    ------
    GridMismatchError
        If the arrays have different shapes.
    OptionError
        If the labels are not integers of 0 and more.
    """
    numbers = _checked(labels, image.shape)
    unseen = ~np.isfinite(image) if mask is None else mask | ~np.isfinite(image)
    if classification is not None:
        if classification.shape != image.shape:
            raise GridMismatchError(
                f"the classification has shape {classification.shape}, the image {image.shape}"
            )
        unseen = unseen | (classification.n == 0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", MosaicWarning)  # a frame may have no sky: its level is 0
        sky = measure_sky(
            np.asarray(image, np.float32), (numbers == 0) & np.isfinite(image), "image"
        )
    pixels = SourcePixels(numbers, int(numbers.max(initial=0)))
    light = np.nan_to_num(pixels.of(np.asarray(image, np.float64)) - sky.level)
    flux, area = pixels.sum(light), pixels.sum()
    x, y = _centroids(pixels, np.maximum(light, 0), image.shape[1])
    probabilities = maps = None
    if classification is not None:
        found = classification.maps(statistic)
        maps = np.array([found[name] for name in CLASS_NAMES])
        maps[:, unseen] = np.nan
        classes = classify_sources(
            pixels, light.astype(np.float32), found, classification.scatter(statistic)
        )
        order = [classes.names.index(name) for name in CLASS_NAMES[:BACKGROUND]]
        probabilities = classes.probability[order].T
    return Detections(
        labels=numbers,
        mask=unseen,
        x=x,
        y=y,
        mag=_magnitudes(flux, zero_point),
        area=area.astype(np.int64),
        probabilities=probabilities,
        pixels=maps,
    )


def _checked(labels: Any, shape: tuple[int, ...]) -> NDArray[np.int32]:
    array = np.asarray(labels)
    if array.shape != shape:
        raise GridMismatchError(
            f"the segmentation map has shape {array.shape}, the image {shape} (y, x)"
        )
    if array.dtype.kind == "f" and np.array_equal(array, np.round(array)):
        array = array.astype(
            np.int64
        )  # some programs write segmentation maps as numbers with points
    if array.dtype.kind not in "iu" or array.min(initial=0) < 0:
        raise OptionError("a segmentation map must hold integers of 0 and more")
    if array.dtype.kind == "u" and array.max(initial=0) > np.iinfo(np.int64).max:
        raise OptionError("the numbers of a segmentation map must be below 2^63")
    sequential: NDArray[np.int32] = relabel_sequential(array.astype(np.int64))[0].astype(np.int32)
    return sequential


def _centroids(pixels: SourcePixels, weight: Array, width: int) -> tuple[Array, Array]:
    """Centres of the light, or of the pixels where there is none."""
    dark = pixels.sum(weight) <= 0
    weight = np.where(dark[pixels.source], 1.0, weight)
    total = pixels.sum(weight)
    rows, columns = np.divmod(pixels.index, width)
    return pixels.sum(weight * columns) / total, pixels.sum(weight * rows) / total


def _magnitudes(flux: Array, zero_point: float | None) -> Array:
    if zero_point is None or not math.isfinite(zero_point):
        return np.full_like(flux, np.nan)
    logarithm = np.log10(flux, out=np.full_like(flux, np.nan), where=flux > 0)
    return zero_point - 2.5 * logarithm
