"""The sources of one cell, measured."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from photutils.segmentation import SegmentationImage

from morpheus.catalog.band_sky import BandSky
from morpheus.catalog.bands import PreparedBand, measure_band, prepare_band
from morpheus.catalog.lattice import Cell, SourceBoxes, cutouts_of
from morpheus.catalog.morphology import SourceClasses, SourcePixels, classify_sources
from morpheus.catalog.photometry import Apertures, Failures, measure_shapes
from morpheus.catalog.pixels import FieldPixels, Section, whole
from morpheus.catalog.reach import cut_apertures, fitting
from morpheus.catalog.setup import CatalogSetup
from morpheus.segmentation.flags import SourceFlag

__all__ = ["CellResult", "join", "measure_cell"]


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
    failed_shapes : Failures
        Sources whose shape could not be measured.
    failed_fluxes : dict of str to Failures
        Those whose fluxes in apertures could not be measured, by band.
    """

    label: NDArray[np.int64]
    columns: dict[str, NDArray[Any]]
    flags: NDArray[np.int64]
    failed_shapes: Failures
    failed_fluxes: dict[str, Failures]


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
        apertures = measure_shapes(
            first.data,
            SegmentationImage(labels),
            len(sources),
            error=first.error,
            mask=first.mask,
            kron_params=setup.options.kron_params,
        )
        fits = fitting(apertures.shape, setup.radii, self._section, self._pixels.shape)
        if not (everything or fits.any()):
            return []
        chosen = fits | everything
        new = np.zeros(len(sources) + 2, np.int32)  # for the sky, the sources, and all others
        new[1:-1][chosen] = np.arange(1, np.count_nonzero(chosen) + 1)
        own = SourcePixels(new[labels], int(new.max()))
        result = self._measured(sources.take(chosen), own, apertures.take(chosen), first)
        if self._section != whole(self._pixels.shape):
            cut = ~(fits & sources.within(self._section))[chosen]
            result.flags[cut] |= SourceFlag.CUT_APERTURE
        return [result]

    def _band(self, name: str) -> PreparedBand:
        image = self._pixels.band(name, self._section)
        return prepare_band(image, self._section, self._skies[name])

    def _measured(
        self, sources: SourceBoxes, own: SourcePixels, apertures: Apertures, first: PreparedBand
    ) -> CellResult:
        setup = self._setup
        flux = np.where(own.of(first.mask), np.nan, own.of(first.data))
        maps, scatter = (
            self._pixels.probabilities(self._section),
            self._pixels.scatter(self._section),
        )
        classes = classify_sources(own, flux, maps, scatter)
        columns = _shape_columns(apertures.shape) | _class_columns(classes)
        columns |= self._geometry(own, apertures)
        flags = np.zeros(len(sources), np.int64)
        failed = {}
        for name in setup.bands:
            # A band at a time, so that memory does not grow with their number.
            band = first if name == setup.detection else self._band(name)
            result = measure_band(band, apertures, own, setup.radii)
            columns |= result.columns
            failed[name] = result.failed
            flags[result.saturated] |= SourceFlag.SATURATED
            flags[result.masked] |= SourceFlag.MASKED | SourceFlag.CUT_APERTURE
            cut = cut_apertures(band.mask, apertures.shape, setup.radii)
            flags[cut] |= SourceFlag.CUT_APERTURE
        snr = columns[f"{setup.detection.lower()}_snr"]
        flags[snr < setup.options.low_snr] |= SourceFlag.LOW_SNR
        flags[classes.unweighted] |= SourceFlag.NONPOSITIVE_FLUX
        return CellResult(sources.label, columns, flags, apertures.failed, failed)

    def _geometry(self, own: SourcePixels, apertures: Apertures) -> dict[str, NDArray[Any]]:
        """Positions in the image; where there is no light, of the pixels themselves."""
        y0, x0 = (one.start for one in self._section)
        width = self._section[1].stop - x0
        # Whole numbers of the image, whose sums are exact.
        rows, columns = np.divmod(own.index, width)
        area = own.sum()
        x, y = apertures.shape["x"] + x0, apertures.shape["y"] + y0
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
    shapes, fluxes = Failures(), dict.fromkeys(results[0].failed_fluxes, Failures())
    for one in results:
        shapes += one.failed_shapes
        fluxes = {band: failed + one.failed_fluxes[band] for band, failed in fluxes.items()}
    return CellResult(
        label=label[order],
        columns={
            name: np.concatenate([one.columns[name] for one in results])[order]
            for name in results[0].columns
        },
        flags=np.concatenate([one.flags for one in results])[order],
        failed_shapes=shapes,
        failed_fluxes=fluxes,
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


def _shape_columns(shape: Mapping[str, NDArray[np.float64]]) -> dict[str, NDArray[Any]]:
    with np.errstate(all="ignore"):
        return {
            "theta": shape["theta"],
            "semi_major": shape["semi_major"],
            "semi_minor": shape["semi_minor"],
            "ellipticity": 1 - shape["semi_minor"] / shape["semi_major"],
            "half_light_radius": shape["half_light_radius"],
            "concentration": 5 * np.log10(shape["r80"] / shape["r20"]),
            "kron_semi_major": shape["kron_semi_major"],
        }


def _class_columns(classes: SourceClasses) -> dict[str, NDArray[Any]]:
    columns: dict[str, NDArray[Any]] = {}
    for name, p, error in zip(classes.names, classes.probability, classes.error, strict=True):
        columns[f"p_{name}"], columns[f"p_{name}_err"] = p, error
    columns["class"] = classes.dominant
    columns["margin"], columns["agreement"] = classes.margin, classes.agreement
    columns["p_background"] = classes.background
    return columns
