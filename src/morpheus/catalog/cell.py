"""The sources of one cell, measured."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from photutils.segmentation import SegmentationImage

from morpheus.catalog.apertures import draw_apertures
from morpheus.catalog.band_sky import BandSky
from morpheus.catalog.bands import PreparedBand, measure_band, prepare_band
from morpheus.catalog.flux_radius import flux_radii
from morpheus.catalog.lattice import Cell, SourceBoxes, cutouts_of
from morpheus.catalog.morphology import SourceClasses, SourcePixels, classify_sources
from morpheus.catalog.pixels import FieldPixels, Section, whole
from morpheus.catalog.reach import cut_apertures, fitting
from morpheus.catalog.setup import CatalogSetup
from morpheus.catalog.shapes import Failures, Shapes, measure_shapes
from morpheus.segmentation.flags import SourceFlag

__all__ = ["CellResult", "join", "measure_cell"]

_FRACTIONS = (0.2, 0.5, 0.8)  # of the light, whose radii are looked for


@dataclass(frozen=True, eq=False)
class CellResult:
    """What was measured of the sources of a cell, or of some of them.

    Parameters
    ----------
    label : ndarray of int64, shape (source,)
        Which sources.
    columns : dict of str to ndarray, shape (source,)
        Columns of the catalogue that need pixels, in image coordinates, and `theta`, the angle of
        the major axis in radians from x towards y.
    flags : ndarray of int64, shape (source,)
        Bits of `SourceFlag` to add to those of the segmentation.
    failed : Failures
        Sources whose shape could not be measured.
    """

    label: NDArray[np.int64]
    columns: dict[str, NDArray[Any]]
    flags: NDArray[np.int64]
    failed: Failures


def measure_cell(
    pixels: FieldPixels, cell: Cell, skies: Mapping[str, BandSky], setup: CatalogSetup
) -> CellResult:
    """Measure the sources of a cell.

    Each is measured in the smallest cutout around the cell that it lies in together with all that
    is measured of it: the ellipse of 6 semi-major axes in which the Kron radius is found, the
    circle around the Kron aperture, the largest circular aperture. What lies beyond the edge of the
    image does not count. In the largest cutout, all others are measured with what there is, and get
    the flag `CUT_APERTURE`.

    Parameters
    ----------
    pixels : FieldPixels
        The field.
    cell : Cell
        The cell, with at least one source.
    skies : mapping of str to BandSky
        What is known of each whole band.
    setup : CatalogSetup
        Bands and options.

    Returns
    -------
    CellResult
        Of all of its sources.
    """
    results: list[CellResult] = []
    pending = cell.sources
    sections = cutouts_of(cell, pixels.shape)
    for section in sections:
        is_last = section == sections[-1]
        here = pending if is_last else pending.take(pending.within(section))
        if len(here):
            cutout = _Cutout(pixels, section, here, skies, setup)
            for result in cutout.measure(everything=is_last):
                results.append(result)
                pending = pending.take(~np.isin(pending.label, result.label))
    return join(results)


class _Cutout:
    """Sources in a cutout."""

    def __init__(
        self,
        pixels: FieldPixels,
        section: Section,
        sources: SourceBoxes,
        skies: Mapping[str, BandSky],
        setup: CatalogSetup,
    ) -> None:
        self._pixels, self._section, self._sources = pixels, section, sources
        self._skies, self._setup = skies, setup

    def measure(self, *, everything: bool) -> list[CellResult]:
        """Measure the sources that fit into the cutout, or all: one result, or none."""
        setup, sources = self._setup, self._sources
        labels = _numbered(self._pixels.labels(self._section), sources.label)
        first = self._band(setup.detection)
        shapes, failed = measure_shapes(
            first.data,
            SegmentationImage(labels),
            len(sources),
            mask=first.mask,
            kron_params=setup.options.kron_params,
        )
        fits = fitting(shapes, setup.radii, self._section, self._pixels.shape)
        if not (everything or fits.any()):
            return []
        chosen = fits | everything
        result = self._measured(labels, chosen, (shapes.take(chosen), failed), first)
        if self._section != whole(self._pixels.shape):
            cut = ~(fits & sources.within(self._section))[chosen]
            result.flags[cut] |= SourceFlag.CUT_APERTURE
        return [result]

    def _band(self, name: str) -> PreparedBand:
        image = self._pixels.band(name, self._section)
        return prepare_band(image, self._section, self._skies[name])

    def _measured(
        self,
        labels: NDArray[np.int32],
        chosen: NDArray[np.bool_],
        measured: tuple[Shapes, Failures],
        first: PreparedBand,
    ) -> CellResult:
        setup, sources, (shapes, failed) = self._setup, self._sources.take(chosen), measured
        numbers = np.flatnonzero(chosen) + 1
        new = np.zeros(len(chosen) + 2, np.int32)  # for the sky, the sources, and all others
        new[numbers] = np.arange(1, len(numbers) + 1)
        own = SourcePixels(new[labels], len(numbers))
        apertures = draw_apertures(labels, numbers, shapes, setup.radii)
        flux = np.where(own.of(first.mask), np.nan, own.of(first.data))
        maps, scatter = (
            self._pixels.probabilities(self._section),
            self._pixels.scatter(self._section),
        )
        classes = classify_sources(own, flux, maps, scatter)
        columns = _shape_columns(shapes) | _class_columns(classes) | self._geometry(own, shapes)
        flags = np.zeros(len(sources), np.int64)
        for name in setup.bands:
            # A band at a time, so that memory does not grow with their number.
            band = first if name == setup.detection else self._band(name)
            result = measure_band(band, apertures, own)
            columns |= result.columns
            flags[result.saturated] |= SourceFlag.SATURATED
            flags[result.masked] |= SourceFlag.MASKED | SourceFlag.CUT_APERTURE
            cut = cut_apertures(band.mask, shapes, setup.radii)
            flags[cut] |= SourceFlag.CUT_APERTURE
        total = columns[f"{setup.detection.lower()}_flux_kron"]
        radii = flux_radii(first.data, first.mask, labels, numbers, shapes, total, _FRACTIONS)
        columns |= _radius_columns(radii)
        snr = columns[f"{setup.detection.lower()}_snr"]
        flags[snr < setup.options.low_snr] |= SourceFlag.LOW_SNR
        flags[classes.unweighted] |= SourceFlag.NONPOSITIVE_FLUX
        return CellResult(sources.label, columns, flags, failed)

    def _geometry(self, own: SourcePixels, shapes: Shapes) -> dict[str, NDArray[Any]]:
        """Positions in the image; where there is no light, of the pixels themselves."""
        y0, x0 = (one.start for one in self._section)
        width = self._section[1].stop - x0
        # Whole numbers of the image, whose sums are exact.
        rows, columns = np.divmod(own.index, width)
        area = own.sum()
        x, y = shapes.x + x0, shapes.y + y0
        return {
            "x": np.where(np.isfinite(x), x, own.sum(columns + x0) / area),
            "y": np.where(np.isfinite(y), y, own.sum(rows + y0) / area),
            "area": area.astype(np.int64),
        }


def join(results: Sequence[CellResult]) -> CellResult:
    """Put the results of some cells together.

    Parameters
    ----------
    results : sequence of CellResult
        At least one; all of the same bands and classes.

    Returns
    -------
    CellResult
        Of all of their sources, in the order of their labels.
    """
    label = np.concatenate([one.label for one in results])
    order = np.argsort(label)
    return CellResult(
        label=label[order],
        columns={
            name: np.concatenate([one.columns[name] for one in results])[order]
            for name in results[0].columns
        },
        flags=np.concatenate([one.flags for one in results])[order],
        failed=sum((one.failed for one in results), Failures()),
    )


def _numbered(labels: NDArray[np.int32], numbers: NDArray[np.int64]) -> NDArray[np.int32]:
    """Give the sources to measure the numbers 1 to N; all others, only in the way, are N + 1.

    Labels of a field may be in the millions, and photutils looks at every number there could be.
    """
    result = np.zeros(labels.shape, np.int32)
    inside = labels != 0
    found = labels[inside]
    place = np.minimum(np.searchsorted(numbers, found), len(numbers) - 1)
    result[inside] = np.where(numbers[place] == found, place, len(numbers)) + 1
    return result


def _shape_columns(shapes: Shapes) -> dict[str, NDArray[Any]]:
    with np.errstate(all="ignore"):
        return {
            "theta": shapes.theta,
            "semi_major": shapes.semi_major,
            "semi_minor": shapes.semi_minor,
            "ellipticity": 1 - shapes.semi_minor / shapes.semi_major,
            "kron_semi_major": shapes.kron_semi_major,
        }


def _radius_columns(radii: NDArray[np.float64]) -> dict[str, NDArray[Any]]:
    r20, half, r80 = radii
    return {"half_light_radius": half, "concentration": 5 * np.log10(r80 / r20)}


def _class_columns(classes: SourceClasses) -> dict[str, NDArray[Any]]:
    columns: dict[str, NDArray[Any]] = {}
    for name, p, error in zip(classes.names, classes.probability, classes.error, strict=True):
        columns[f"p_{name}"], columns[f"p_{name}_err"] = p, error
    columns["class"] = classes.dominant
    columns["margin"], columns["agreement"] = classes.margin, classes.agreement
    columns["p_background"] = classes.background
    return columns
