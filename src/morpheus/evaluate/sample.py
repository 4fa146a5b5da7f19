"""Everything that was compared, of one detector: sources, labels and pixels of all images."""

from dataclasses import dataclass, field

import numpy as np
from astropy.table import Table, vstack
from numpy.typing import NDArray
from scipy.spatial import KDTree

from morpheus.evaluate.detections import Detections
from morpheus.evaluate.matching import LabelOutcome, SourceOutcome, chance_rate, match
from morpheus.evaluate.pixels import PixelSums, compare_pixels
from morpheus.evaluate.truth import SOURCE_CLASSES, Truth

__all__ = ["Sample", "compare"]


@dataclass(frozen=True, eq=False)
class Sample:
    """What one detector made of images whose truth is known.

    Parameters
    ----------
    sources : astropy.table.Table
        A row a true source inside: the columns of `Truth`, `image`, `outcome`
        (`SourceOutcome`), `label`, `n_shreds`, `neighbour` (distance in pixels to the nearest
        brighter source; infinite if there is none) and `probabilities`, shape (4,): NaN if it
        was not detected or the detector does not classify.
    labels : astropy.table.Table
        A row a detection: `image`, `label`, `x`, `y`, `mag`, `area` and `outcome`
        (`LabelOutcome`).
    pixels : PixelSums
        Over the valid pixels.
    area : float
        Of these, in square arcminutes; NaN if the pixel scale is not known.
    chance : tuple of float
        Share of the sources that would be detected by chance, of each image.
    complete : bool
        Whether every source is in the truth.
    """

    sources: Table
    labels: Table
    pixels: PixelSums
    area: float
    chance: tuple[float, ...] = field(default=())
    complete: bool = False

    def __add__(self, other: "Sample") -> "Sample":
        """Put the sources, labels and pixels of other images beside these."""
        sources = other.sources.copy()
        labels = other.labels.copy()
        after = len(self.chance)
        sources["image"] += after
        labels["image"] += after
        return Sample(
            vstack([self.sources, sources], metadata_conflicts="silent"),
            vstack([self.labels, labels], metadata_conflicts="silent"),
            self.pixels + other.pixels,
            self.area + other.area,
            self.chance + other.chance,
            self.complete and other.complete,
        )


def compare(
    truth: Truth, detections: Detections, *, radius: float, pixel_scale: float | None = None
) -> Sample:
    """Compare what a detector found in an image with the truth.

    Parameters
    ----------
    truth : Truth
        Of the image.
    detections : Detections
        What was found.
    radius : float
        Largest distance between a position and a centroid, in pixels.
    pixel_scale : float, optional
        In arcsec.

    Returns
    -------
    Sample
        Of this image.
    """
    found = match(truth, detections, radius)
    sources = truth.sources.copy()
    # Identifiers of different tables can be numbers and text.
    sources["id"] = np.asarray(sources["id"]).astype(str)
    sources["image"] = np.zeros(len(sources), dtype=int)
    sources["outcome"] = found.source_outcomes
    sources["label"] = found.labels
    shreds = found.sources[found.label_outcomes == LabelOutcome.SHRED]
    sources["n_shreds"] = np.bincount(shreds, minlength=len(sources)).astype(int)
    sources["neighbour"] = _brighter_neighbours(truth)
    probabilities = np.full((len(sources), len(SOURCE_CLASSES)), np.nan)
    detected = found.source_outcomes == SourceOutcome.DETECTED
    if detections.probabilities is not None:
        probabilities[detected] = detections.probabilities[found.labels[detected] - 1]
    sources["probabilities"] = probabilities
    labels = Table(
        {
            "image": np.zeros(len(detections), dtype=int),
            "label": np.arange(1, len(detections) + 1),
            "x": detections.x,
            "y": detections.y,
            "mag": detections.mag,
            "area": detections.area,
            "outcome": found.label_outcomes,
        }
    )
    labels = labels[labels["outcome"] != LabelOutcome.OUTSIDE]
    pixels = compare_pixels(truth, detections)
    scale = float("nan") if pixel_scale is None else pixel_scale
    return Sample(
        sources[found.source_outcomes != SourceOutcome.OUTSIDE],
        labels,
        pixels,
        pixels.n * (scale / 60) ** 2,
        (chance_rate(truth, detections, radius),),
        truth.complete,
    )


def _brighter_neighbours(truth: Truth) -> NDArray[np.float64]:
    """Distance in pixels from each source to the nearest of the brighter ones."""
    places = np.column_stack([truth.sources["x"], truth.sources["y"]])
    mag = np.asarray(truth.sources["mag"], dtype=float)
    distances = np.full(len(truth), np.inf)
    known = np.isfinite(places).all(axis=1) & np.isfinite(mag)
    rows, places = np.flatnonzero(known), places[known]
    if rows.size < 2:  # noqa: PLR2004 (neighbours)
        return distances
    tree, left, n_near = KDTree(places), np.arange(rows.size), 2
    while left.size:  # look farther and farther, for those that have found none
        n_near = min(2 * n_near, rows.size)
        away, near = tree.query(places[left], k=n_near)
        brighter = mag[rows[near]] < mag[rows[left]][:, None]
        has = brighter.any(axis=1)
        first = brighter.argmax(axis=1)
        distances[rows[left[has]]] = away[has, first[has]]
        left = left[~has] if n_near < rows.size else left[:0]
    return distances
