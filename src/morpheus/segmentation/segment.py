"""Class maps in, sources out."""

import dataclasses
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from astropy.stats import sigma_clipped_stats
from astropy.table import MaskedColumn, Table
from numpy.typing import NDArray
from scipy import ndimage

from morpheus.errors import GridMismatchError, ImageError, ModelError, OptionError
from morpheus.inference import Classification, ClassMaps
from morpheus.model.config import DetectionThresholds
from morpheus.mosaic import MosaicWarning
from morpheus.provenance import Stopwatch, morpheus_version, now
from morpheus.segmentation.deblend import deblend
from morpheus.segmentation.detect import EIGHT, probability_regions, published_regions
from morpheus.segmentation.flags import SourceFlag
from morpheus.segmentation.guided import claim, read_positions
from morpheus.segmentation.options import SegmentationOptions
from morpheus.segmentation.segmentation import Segmentation

__all__ = ["detection_thresholds", "segment"]

# Fewer pixels of sky than this say little of its level and noise.
_ENOUGH_SKY = 100
# And more than this do not make a median any better: its error is 1/1000 of the noise.
_MOST_SKY = 2_000_000
# Farther from any good pixel than this share of the smoothing there is nothing to take a mean of.
_LEAST_WEIGHT = 1e-3


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
    standard deviation where no source is found, one value each for the image.
    """
    options = SegmentationOptions() if options is None else options
    started, watch = now(), Stopwatch()
    image = _checked(flux, classification)
    statistic = options.statistic or ("votes" if options.method == "published" else "mean")
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
        separator = _Separator(image, noise, _irregular(maps), thresholds.min_area, options)
        if found is None:
            labels = separator.deblend(regions)
        else:
            labels, found["label"] = separator.share_out(regions, found)
    labels, numbers = _in_reading_order(labels)
    sources = Table({"label": np.arange(1, numbers.max() + 1, dtype=np.int32)})
    sources["parent"] = _parents(labels, regions, len(sources))
    sources["flags"] = _flags(labels, sources["parent"], valid, classification.mask)
    if found is not None:
        found["label"] = numbers[found["label"]]
        _name_sources(sources, found)
    return Segmentation(
        labels=labels,
        sources=sources,
        mask=~valid,
        positions=found,
        wcs=classification.wcs,
        provenance={
            "started": started,
            "creator": f"morpheus {morpheus_version()}",
            **_model_record(classification),
            "method": options.method,
            "statistic": statistic,
            "detection_band": detection_band or "",
            "options": dataclasses.asdict(options),
            "thresholds": dataclasses.asdict(thresholds),
            "noise": noise,
            "n_sources": len(sources),
            **({} if found is None else _positions_record(found)),
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
    good = np.isfinite(image)
    sky = sky & good
    if np.count_nonzero(sky) < _ENOUGH_SKY:
        sky = good  # the clipping has to do it
    level, _ = _level_and_noise(image, sky)
    image = ndimage.gaussian_filter(np.where(good, image - np.float32(level), 0), smoothing)
    if not good.all():
        # The mean over the good pixels: a hole in a galaxy is no gap between two.
        weight = ndimage.gaussian_filter(good.astype(np.float32), smoothing)
        image = np.divide(image, weight, out=np.zeros_like(image), where=weight > _LEAST_WEIGHT)
    _, noise = _level_and_noise(image, sky)
    return image, noise


def _level_and_noise(image: NDArray[np.float32], sky: NDArray[np.bool_]) -> tuple[float, float]:
    """Clipped median and standard deviation of the sky, or of an even sample of it."""
    values = image[sky]
    # Double precision: the squares of fluxes in W / m2 are zero in single precision.
    values = values[:: 1 + values.size // _MOST_SKY].astype(np.float64)
    _, level, noise = sigma_clipped_stats(values)
    return float(level), float(noise)


def _irregular(maps: ClassMaps) -> NDArray[np.float32]:
    """Give P(irregular) among the classes of source; 0 for a model that does not know it."""
    if "irregular" not in maps:
        return np.zeros_like(maps["background"])
    source = np.maximum(1 - maps["background"], 1e-6)
    return np.asarray(np.nan_to_num(np.clip(maps["irregular"] / source, 0, 1)), np.float32)


@dataclass(frozen=True)
class _Separator:
    """Shares out regions among the sources in them."""

    image: NDArray[np.float32]
    noise: float
    irregular: NDArray[np.float32]
    min_area: int
    options: SegmentationOptions

    @property
    def connectivity(self) -> int:
        return 1 if self.options.method == "published" else 2

    def deblend(self, regions: NDArray[np.int32]) -> NDArray[np.int32]:
        """Separate the regions where the flux has a gap."""
        if not self.options.deblend:
            return regions
        return deblend(
            regions,
            self.image,
            noise=self.noise,
            irregular=self.irregular,
            connectivity=self.connectivity,
            min_area=self.min_area,
            options=self.options.deblending,
        )

    def share_out(
        self, regions: NDArray[np.int32], positions: Table
    ) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
        """Share out the regions among the positions; what has none is kept or dropped."""
        labels, label_of = claim(regions, self.image, positions, connectivity=self.connectivity)
        if self.options.unmatched == "keep":
            others = self.deblend(np.where(labels == 0, regions, 0))
            labels = np.where(others > 0, others + np.int32(len(positions)), labels)
        return labels, label_of


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


def _flags(
    labels: NDArray[np.int32],
    parents: NDArray[np.int32],
    valid: NDArray[np.bool_],
    mask: NDArray[np.bool_],
) -> NDArray[np.int32]:
    """Tell of each source what it touches, and whether it is a part of a blend."""
    flags = np.zeros(len(parents) + 1, np.int32)
    outside = np.pad(~valid & ~mask, 1, constant_values=True)
    for flag, place in ((SourceFlag.EDGE, outside), (SourceFlag.MASKED, np.pad(mask, 1))):
        near = ndimage.binary_dilation(place, EIGHT)[1:-1, 1:-1]
        flags[np.unique(labels[near])] |= flag
    counts = np.bincount(parents)
    flags[1:][counts[parents] > 1] |= SourceFlag.DEBLENDED
    return flags[1:]


def _name_sources(sources: Table, positions: Table) -> None:
    """Give the sources the identifiers of their positions."""
    detected = positions[positions["label"] > 0]
    labels, first = np.unique(detected["label"], return_index=True)
    names = np.ma.masked_all(len(sources), positions["id"].dtype)
    names[labels - 1] = detected["id"][first]
    sources["position_id"] = MaskedColumn(names)
    sources["flags"][names.mask] |= SourceFlag.UNMATCHED


def _model_record(classification: Classification) -> dict[str, Any]:
    model = classification.provenance.get("model")
    return (
        {} if model is None else {"model": model["name"], "weights_sha256": model["weights_sha256"]}
    )


def _positions_record(positions: Table) -> dict[str, Any]:
    detected = positions["label"] > 0
    return {
        "positions": len(positions),
        "undetected_positions": positions["id"][~detected].tolist(),
        # Those in the very pixel of an earlier one.
        "shared_positions": int(detected.sum()) - np.unique(positions["label"][detected]).size,
    }
