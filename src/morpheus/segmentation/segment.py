"""Class maps in, sources out."""

import dataclasses
import warnings
from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from morpheus.errors import GridMismatchError, ImageError, ModelError, MosaicWarning, OptionError
from morpheus.inference import Classification
from morpheus.model.config import DetectionThresholds
from morpheus.mosaic.sky import grid_step
from morpheus.provenance import Stopwatch, now
from morpheus.segmentation.detect import probability_regions, published_regions
from morpheus.segmentation.guided import read_positions
from morpheus.segmentation.options import SegmentationOptions
from morpheus.segmentation.prepare import level_and_noise, sky_or_all, smoothed
from morpheus.segmentation.segmentation import Segmentation
from morpheus.segmentation.separate import Separator, irregularity
from morpheus.segmentation.sources import segmentation_record, source_table, touched

__all__ = ["detection_thresholds", "segment", "statistic_of"]


def segment(
    classification: Classification,
    flux: Any,
    *,
    options: SegmentationOptions | None = None,
    positions: Any = None,
    detection_band: str | None = None,
) -> Segmentation:
    """Find the sources in class maps.

    Parameters
    ----------
    classification : Classification
        The class maps.
    flux : array of float, shape (y, x)
        The detection image, on the grid of the maps: it decides where neighbours are separated.
        NaN, infinite and masked pixels tell nothing; their neighbours' values stand in for them.
    options : SegmentationOptions, optional
        How pixels become sources.
    positions : path, astropy.table.Table, SkyCoord or array of shape (n, 2), optional
        External positions, which claim the pixels (guided segmentation); as `read_positions`
        takes them.
    detection_band : str, optional
        Name of the detection image, for the record.

    Returns
    -------
    Segmentation
        Labels and sources. The labels are in the order in which the sources are met row by row.

    Raises
    ------
    GridMismatchError
        If the image has another shape than the maps.
    ImageError
        If it has no finite pixel.
    OptionError
        If options are out of range or the positions cannot be used.

    Notes
    -----
    The level and noise of the sky in the detection image are the sigma-clipped median and
    standard deviation where no source is found, one value each for the image; measured on an even
    grid of about a million pixels, or on all.
    """
    options = SegmentationOptions() if options is None else options
    started, watch = now(), Stopwatch()
    image = _checked(flux, classification)
    statistic = statistic_of(options)
    maps, valid = classification.maps(statistic), classification.n > 0
    thresholds = detection_thresholds(
        classification.provenance.get("model", {}).get("detection", {}), options
    )
    if options.method == "published" and statistic == "mean":
        warnings.warn(
            "the published method is for votes: a mean of P(background) is hardly ever exactly 0"
            " or 1, which it needs",
            MosaicWarning,
            stacklevel=2,
        )
    found = None if positions is None else read_positions(positions, classification.wcs)
    with watch.stage("detect"):
        background = maps["background"]
        if options.method == "published":
            regions = published_regions(background, valid, options.background_threshold)
        else:
            regions = probability_regions(1 - background, valid, **dataclasses.asdict(thresholds))
    with watch.stage("deblend"):
        sky = valid & (regions == 0)
        image, noise = _prepared(image, sky, options.deblending.smoothing)
        separator = Separator(image, noise, irregularity(maps), thresholds.min_area, options)
        labels, label_of = separator.separate(regions, found)
    labels, numbers = _in_reading_order(labels)
    parents = _parents(labels, regions, int(numbers.max()))
    flags = touched(labels, valid, classification.mask)
    if found is not None and label_of is not None:
        found["label"] = numbers[label_of]
    return Segmentation(
        labels=labels,
        sources=source_table(parents, flags, found),
        mask=~valid,
        positions=found,
        wcs=classification.wcs,
        provenance={
            "started": started,
            **segmentation_record(
                classification.provenance, options, thresholds, noise, len(parents), found
            ),
            "statistic": statistic,
            "detection_band": detection_band or "",
            "seconds": watch.seconds,
        },
    )


def _checked(flux: Any, classification: Classification) -> NDArray[np.float32]:
    """Give the image, NaN where it tells nothing."""
    shape = classification.shape
    image = np.asarray(getattr(flux, "value", flux))
    if image.dtype.kind not in "iuf":
        raise ImageError(f"the detection image holds {image.dtype} data, not real numbers")
    if image.shape != shape:
        raise GridMismatchError(
            f"the detection image has shape {image.shape}, the class maps {shape}; give the image"
            " that was classified"
        )
    with np.errstate(over="ignore"):  # marks of bad pixels, such as -1.8e308, become infinite
        image = image.astype(np.float32)
    image = np.where(np.isfinite(image) & ~classification.mask, image, np.float32(np.nan))
    if np.isnan(image).all():
        raise ImageError("the detection image has no finite pixel that is not masked")
    return image


def statistic_of(options: SegmentationOptions) -> Literal["mean", "votes"]:
    """Say which statistic the sources are found in.

    Parameters
    ----------
    options : SegmentationOptions
        What was asked for.

    Returns
    -------
    {"mean", "votes"}
        By default the votes for the published method, and else the mean.
    """
    return options.statistic or ("votes" if options.method == "published" else "mean")


def detection_thresholds(
    model: Mapping[str, Any], options: SegmentationOptions
) -> DetectionThresholds:
    """Take the thresholds of the model, but for what the options say.

    Parameters
    ----------
    model : mapping
        Fields of `DetectionThresholds`, as the model has them.
    options : SegmentationOptions
        Its `seed`, `grow` and `min_area` count where they are not None.

    Returns
    -------
    DetectionThresholds
        The thresholds, validated.

    Raises
    ------
    OptionError
        If a value is out of range, or `seed` is below `grow`.
    """
    given = {name: getattr(options, name) for name in ("seed", "grow", "min_area")}
    given = {name: value for name, value in given.items() if value is not None}
    try:
        return DetectionThresholds(**{**model, **given})
    except (ModelError, TypeError) as error:
        raise OptionError(str(error)) from error


def _prepared(
    image: NDArray[np.float32], sky: NDArray[np.bool_], smoothing: float
) -> tuple[NDArray[np.float32], float]:
    """Smooth the image and subtract the sky; measure the noise that is left."""
    grid = (slice(None, None, grid_step(image.shape)),) * 2
    few = sky_or_all(image[grid], sky[grid])
    level, _ = level_and_noise(image[grid], few)
    image = smoothed(image, level, smoothing, holes=not np.isfinite(image).all())
    return image, level_and_noise(image[grid], few)[1]


def _in_reading_order(labels: NDArray[np.int32]) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Count the labels in the order in which they are met row by row.

    Returns
    -------
    labels : ndarray of int32, shape (y, x)
        1 to N, and 0 for the sky.
    numbers : ndarray of int32
        The new number of each old one.
    """
    flat = labels[labels > 0]
    old, first = np.unique(flat, return_index=True)
    numbers = np.zeros(int(labels.max(initial=0)) + 1, np.int32)
    numbers[old[np.argsort(first)]] = np.arange(1, old.size + 1)
    return numbers[labels], numbers


def _parents(
    labels: NDArray[np.int32], regions: NDArray[np.int32], n_sources: int
) -> NDArray[np.int32]:
    parents = np.zeros(n_sources + 1, np.int32)
    parents[labels] = regions  # all pixels of a source lie in one region
    return parents[1:]
