"""A segmentation, a classification and images in, a catalogue out."""

import warnings
from collections.abc import Sequence

import numpy as np
from astropy.wcs import WCS

from morpheus.catalog.assemble import assemble_catalog
from morpheus.catalog.band_sky import BandSky, measure_band_sky
from morpheus.catalog.catalog import Catalog
from morpheus.catalog.cell import measure_cell
from morpheus.catalog.images import BandImage, check_grid
from morpheus.catalog.lattice import cells_of, find_boxes
from morpheus.catalog.options import CatalogOptions
from morpheus.catalog.pixels import FieldInMemory, FieldPixels, whole
from morpheus.catalog.setup import CatalogSetup
from morpheus.catalog.thinned import thinned_sky
from morpheus.errors import GridMismatchError, MosaicWarning, OptionError, ProductError
from morpheus.inference import Classification
from morpheus.mosaic.sky import grid_step
from morpheus.provenance import now
from morpheus.segmentation.segmentation import Segmentation

__all__ = ["measure"]


def measure(
    segmentation: Segmentation,
    classification: Classification,
    images: Sequence[BandImage],
    *,
    detection_band: str | None = None,
    statistic: str = "mean",
    options: CatalogOptions | None = None,
) -> Catalog:
    """Measure every source of a segmentation.

    Positions, shapes and apertures are those of the detection band; fluxes are measured in them
    in every band, so that colours compare the same parts of a source. A class is the flux-weighted
    mean of the pixels' (Hausen & Robertson 2020).

    Parameters
    ----------
    segmentation : Segmentation
        Its labels are 1 to N without gaps.
    classification : Classification
        Class maps on the same pixels.
    images : sequence of BandImage
        The bands, as `read_band_images` gives them.
    detection_band : str, optional
        Name of the band for shapes and weights; that of the segmentation or, without one, the
        first.
    statistic : {'mean', 'votes'}, optional
        Which class probabilities to use.
    options : CatalogOptions, optional
        How to measure.

    Returns
    -------
    Catalog
        A row for each source, in the order of the labels. Values that are undefined are NaN; the
        classes never are.

    Raises
    ------
    GridMismatchError
        If the maps and images do not share a pixel grid.
    OptionError
        If a band or statistic is unknown.
    ProductError
        If the labels have gaps, or do not fit the table of the sources.

    Warns
    -----
    MosaicWarning
        If a band has no sky to measure its background and noise in, if the detection band of the
        segmentation is not among the images, or if sources could not be measured.
    """
    options = CatalogOptions() if options is None else options
    started = now()
    bands = _checked_bands(images, options)
    detection = _detection_image(images, detection_band, segmentation)
    pixels = FieldInMemory(segmentation, classification, statistic, images)
    check_grid(images, segmentation.shape, segmentation.wcs)
    if classification.shape != segmentation.shape:
        raise GridMismatchError(
            f"the classification has shape {classification.shape}, the segmentation map"
            f" {segmentation.shape} (y, x); take both from one run"
        )
    _check_labels(segmentation)
    model = classification.provenance.get("model", {})
    setup = CatalogSetup(
        bands=bands,
        units=tuple(image.unit for image in images),
        classes=classification.classes,
        detection=detection.band,
        statistic=statistic,
        options=options,
        wcs=_wcs(segmentation, images),
        model={key: model.get(key) for key in ("name", "weights_sha256")},
        segmentation={"file": segmentation.file_name, "labels_sha256": segmentation.sha256},
        started=started,
    )
    boxes = find_boxes(segmentation.labels)
    skies = _skies(pixels, setup) if len(boxes) else {}
    results = [measure_cell(pixels, cell, skies, setup) for cell in cells_of(boxes, pixels.shape)]
    return assemble_catalog(setup, segmentation.sources, boxes, skies, results)


def _skies(pixels: FieldPixels, setup: CatalogSetup) -> dict[str, BandSky]:
    """Measure the sky of each band."""
    step = grid_step(pixels.shape)
    thinned = thinned_sky(pixels, whole(pixels.shape), step, setup.bands)
    return {band: measure_band_sky(pixels, band, thinned, setup.options) for band in setup.bands}


def _checked_bands(images: Sequence[BandImage], options: CatalogOptions) -> tuple[str, ...]:
    bands = tuple(image.band for image in images)
    if not bands or len({band.lower() for band in bands}) != len(bands):
        raise OptionError(f"the images must be of different bands, at least one; got {list(bands)}")
    options.check_bands(bands)
    return bands


def _detection_image(
    images: Sequence[BandImage], band: str | None, segmentation: Segmentation
) -> BandImage:
    by_name = {image.band: image for image in images}
    if band is None:
        made_with = segmentation.provenance.get("detection_band")
        if made_with is not None and str(made_with) not in by_name:
            warnings.warn(
                f"the sources were separated in {made_with}, which is not among the images; shapes"
                f" and apertures are those of {images[0].band}",
                MosaicWarning,
                stacklevel=3,
            )
        return by_name.get(str(made_with), images[0])
    if band not in by_name:
        raise OptionError(f"the detection band {band} is no band; there are {', '.join(by_name)}")
    return by_name[band]


def _check_labels(segmentation: Segmentation) -> None:
    labels, n_sources = segmentation.labels, segmentation.n_sources
    remedy = "number the sources from 1 to N, e.g. with skimage.segmentation.relabel_sequential"
    if labels.dtype.kind not in "iu":
        raise ProductError(f"the labels are {labels.dtype}, not whole numbers; {remedy}")
    low, high = int(labels.min(initial=0)), int(labels.max(initial=0))
    if low < 0 or high > n_sources:
        raise ProductError(
            f"the labels are {low} to {high} but the table lists {n_sources} sources; {remedy}"
        )
    present = np.zeros(n_sources + 1, bool)
    present[labels] = True
    missing = np.flatnonzero(~present[1:]) + 1
    if len(missing):
        raise ProductError(f"no pixel has the label {missing[0]} of {n_sources}; {remedy}")
    if not np.array_equal(np.asarray(segmentation.sources["label"]), np.arange(1, n_sources + 1)):
        raise ProductError(f"the table of the sources is not in the order of the labels; {remedy}")


def _wcs(segmentation: Segmentation, images: Sequence[BandImage]) -> WCS | None:
    known = (segmentation.wcs, *(image.wcs for image in images))
    return next((wcs for wcs in known if wcs is not None), None)
