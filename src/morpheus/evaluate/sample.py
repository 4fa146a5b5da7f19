"""Everything that was compared, of one detector: sources, labels and pixels of all images."""

from dataclasses import dataclass

import numpy as np
from astropy.table import Table, vstack
from numpy.typing import NDArray
from scipy.spatial import KDTree

from morpheus.evaluate.detections import Detections
from morpheus.evaluate.matching import LabelOutcome, SourceOutcome, chance_matches, match
from morpheus.evaluate.pixels import PixelSums, compare_pixels
from morpheus.evaluate.truth import SOURCE_CLASSES, Truth

__all__ = ["Sample", "brighter_neighbours", "compare"]

Array = NDArray[np.float64]

_NEAR = 50.0  # pixels: the last limit of the separations in `detection`


@dataclass(frozen=True, eq=False)
class Sample:
    """What one detector made of images whose truth is known.

    Parameters
    ----------
    sources : astropy.table.Table
        A row a true source inside: the columns of `Truth`, `image`, `outcome`
        (`SourceOutcome`), `label`, `n_shreds`, `neighbour` (distance in pixels to the nearest
        brighter source; infinite beyond 50) and `probabilities`, shape (4,): NaN if it
        was not detected or the detector does not classify.
    labels : astropy.table.Table
        A row a detection: `image`, `label`, `x`, `y`, `mag`, `area` and `outcome`
        (`LabelOutcome`).
    pixels : PixelSums
        Over the valid pixels.
    area : float
        Of these, in square arcminutes; NaN if the pixel scale is not known.
    chance : tuple of int
        How many sources would be detected by chance, and of how many.
    complete : bool, optional
        Whether every source is in the truth.
    n_images : int, optional
        How many images there were.
    """

    sources: Table
    labels: Table
    pixels: PixelSums
    area: float
    chance: tuple[int, int] = (0, 0)
    complete: bool = False
    n_images: int = 1

    def __add__(self, other: "Sample") -> "Sample":
        """Put the sources, labels and pixels of other images beside these."""
        sources = other.sources.copy()
        labels = other.labels.copy()
        sources["image"] += self.n_images
        labels["image"] += self.n_images
        return Sample(
            vstack([self.sources, sources], metadata_conflicts="silent"),
            vstack([self.labels, labels], metadata_conflicts="silent"),
            self.pixels + other.pixels,
            self.area + other.area,
            (self.chance[0] + other.chance[0], self.chance[1] + other.chance[1]),
            self.complete and other.complete,
            self.n_images + other.n_images,
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
    sources["neighbour"] = brighter_neighbours(
        *(np.asarray(truth.sources[name], dtype=float) for name in ("x", "y", "mag"))
    )
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
        chance_matches(truth, detections, found, radius),
        truth.complete,
    )


def brighter_neighbours(x: Array, y: Array, mag: Array) -> Array:
    """Find the nearest of the brighter sources, for each.

    Parameters
    ----------
    x, y : ndarray, shape (n,)
        In pixels.
    mag : ndarray, shape (n,)
        Magnitudes.

    Returns
    -------
    ndarray, shape (n,)
        Distances in pixels; infinite beyond 50, or where something is NaN.
    """
    distances = np.full(len(mag), np.inf)
    rows = np.flatnonzero(np.isfinite(x) & np.isfinite(y) & np.isfinite(mag))
    if not rows.size:
        return distances
    places = np.column_stack([x[rows], y[rows]])
    pairs = rows[KDTree(places).query_pairs(_NEAR, output_type="ndarray")]
    faint = np.where(mag[pairs[:, 0]] < mag[pairs[:, 1]], pairs[:, 1], pairs[:, 0])
    apart = np.hypot(x[pairs[:, 0]] - x[pairs[:, 1]], y[pairs[:, 0]] - y[pairs[:, 1]])
    apart[mag[pairs[:, 0]] == mag[pairs[:, 1]]] = np.inf
    np.minimum.at(distances, faint, apart)
    return distances
