"""A segmentation, a classification and images in, a catalogue out."""

import dataclasses
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
from astropy.table import Column as TableColumn
from astropy.wcs import WCS
from numpy.typing import NDArray
from photutils.segmentation import SegmentationImage
from scipy import ndimage

from morpheus.catalog.background import open_sky
from morpheus.catalog.bands import measure_band, prepare_band
from morpheus.catalog.catalog import Catalog, build_table
from morpheus.catalog.images import BandImage, check_grid
from morpheus.catalog.morphology import SourceClasses, SourcePixels, classify_sources
from morpheus.catalog.options import CatalogOptions
from morpheus.catalog.photometry import Apertures, measure_shapes, overlaps
from morpheus.catalog.schema import Dtype, catalog_columns
from morpheus.catalog.sky import position_angles, sky_positions
from morpheus.errors import GridMismatchError, OptionError, ProductError
from morpheus.inference import Classification
from morpheus.mosaic import MosaicWarning
from morpheus.mosaic.scale import pixel_scale
from morpheus.provenance import now, software
from morpheus.segmentation.flags import SourceFlag
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
    maps, scatter = classification.maps(statistic), classification.scatter(statistic)
    check_grid(images, segmentation.shape, segmentation.wcs)
    if classification.shape != segmentation.shape:
        raise GridMismatchError(
            f"the classification has shape {classification.shape}, the segmentation map"
            f" {segmentation.shape} (y, x); take both from one run"
        )
    _check_labels(segmentation)
    wcs = _wcs(segmentation, images)
    scale = pixel_scale(wcs)
    columns = catalog_columns(
        bands,
        units=[image.unit for image in images],
        apertures=options.apertures,
        aperture_unit="pix" if scale is None else "arcsec",
        classes=[name for name in classification.classes if name != "background"],
        positions=_position_dtype(segmentation),
    )
    record: dict[str, Any] = {
        "started": started,
        "software": _versions(),
        "model": _model(classification),
        "statistic": statistic,
        "detection_band": detection.band,
        "pixel_scale": scale,
        "options": dataclasses.asdict(options),
        "n_sources": segmentation.n_sources,
        "segmentation": {"file": segmentation.file_name, "labels_sha256": segmentation.sha256},
        "bands": {},
    }
    values = None
    if segmentation.n_sources:
        values, record["bands"] = _measure_sources(
            segmentation, (maps, scatter), images, detection, (wcs, scale), options
        )
    return Catalog(build_table(columns, values), record)


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


def _versions() -> dict[str, Any]:
    """Programs only: a catalogue is the same on every machine, and says nothing of it."""
    return {k: v for k, v in software().items() if k not in ("platform", "processor")}


def _model(classification: Classification) -> dict[str, Any]:
    model = classification.provenance.get("model", {})
    return {key: model.get(key) for key in ("name", "weights_sha256")}


def _position_dtype(segmentation: Segmentation) -> Dtype | None:
    if "position_id" not in segmentation.sources.colnames:
        return None
    kind = segmentation.sources["position_id"].dtype.kind
    return "int" if kind in "iu" else "float" if kind == "f" else "str"


def _measure_sources(
    segmentation: Segmentation,
    maps: tuple[Any, Any],
    images: Sequence[BandImage],
    detection: BandImage,
    sky: tuple[WCS | None, float | None],
    options: CatalogOptions,
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Measure at least one source: the columns, and what was done in each band."""
    labels, n_sources = segmentation.labels, segmentation.n_sources
    wcs, scale = sky
    pixels = SourcePixels(labels, n_sources)
    segments = SegmentationImage(labels)
    radii = tuple(0.5 * size / (scale or 1.0) for size in options.apertures)
    flags = np.array(segmentation.sources["flags"], dtype=np.int64)

    sky_pixels = open_sky(segmentation)
    first = prepare_band(detection, *sky_pixels, options)
    apertures = measure_shapes(
        first.data,
        segments,
        error=first.error,
        mask=first.mask,
        kron_params=options.kron_params,
    )
    _warn_of_failed("the shapes", apertures.failed)
    flux = np.where(pixels.of(first.mask), np.nan, pixels.of(first.data))
    classes = classify_sources(pixels, flux, *maps)
    columns = _identity(segmentation) | _geometry(segmentation, pixels, apertures)
    columns |= _shapes(apertures, columns, wcs, scale)

    done: dict[str, Any] = {}
    for image in images:
        # A band at a time, so that memory does not grow with their number.
        prepared = first if image is detection else prepare_band(image, *sky_pixels, options)
        result = measure_band(prepared, apertures, pixels, radii)
        columns |= result.columns
        done[image.band] = {**prepared.record, "failed_sources": result.failed}
        _warn_of_failed(f"the {image.band} fluxes", result.failed)
        flags[result.saturated] |= SourceFlag.SATURATED
        flags[result.masked] |= SourceFlag.MASKED | SourceFlag.CUT_APERTURE
        flags[_cut(prepared.mask, apertures, radii)] |= SourceFlag.CUT_APERTURE
    done[detection.band]["failed_shapes"] = apertures.failed
    snr = columns[f"{detection.band.lower()}_snr"]
    flags[snr < options.low_snr] |= SourceFlag.LOW_SNR
    flags[classes.unweighted] |= SourceFlag.NONPOSITIVE_FLUX
    columns |= _class_columns(classes)
    columns["flags"] = flags
    return columns, done


def _warn_of_failed(what: str, n_failed: int) -> None:
    if n_failed:
        warnings.warn(
            f"{what} of {n_failed} sources could not be measured, and are NaN",
            MosaicWarning,
            stacklevel=4,
        )


def _identity(segmentation: Segmentation) -> dict[str, Any]:
    sources = segmentation.sources
    columns = {
        "id": np.arange(1, segmentation.n_sources + 1),
        "parent": np.asarray(sources["parent"]),
    }
    dtype = _position_dtype(segmentation)
    if dtype is not None:
        fill: dict[Dtype, Any] = {"int": -1, "float": np.nan, "str": ""}
        given = sources["position_id"]
        # Not every format can tell a missing value from an empty one; these can be told in all.
        values = given.filled(fill[dtype]) if hasattr(given, "filled") else given
        columns["position_id"] = TableColumn(values).data
    return columns


def _geometry(
    segmentation: Segmentation, pixels: SourcePixels, apertures: Apertures
) -> dict[str, NDArray[Any]]:
    """Positions in the image; where there is no light, of the pixels themselves."""
    boxes = ndimage.find_objects(segmentation.labels)
    rows, columns = np.divmod(pixels.index, segmentation.shape[1])
    area = pixels.sum()
    shape = apertures.shape
    return {
        "x": np.where(np.isfinite(shape["x"]), shape["x"], pixels.sum(columns) / area),
        "y": np.where(np.isfinite(shape["y"]), shape["y"], pixels.sum(rows) / area),
        "x_min": np.array([box[1].start for box in boxes]),
        "x_max": np.array([box[1].stop - 1 for box in boxes]),
        "y_min": np.array([box[0].start for box in boxes]),
        "y_max": np.array([box[0].stop - 1 for box in boxes]),
        "area": area.astype(np.int64),
    }


def _shapes(
    apertures: Apertures, columns: dict[str, Any], wcs: WCS | None, scale: float | None
) -> dict[str, NDArray[Any]]:
    shape = apertures.shape
    ra, dec = sky_positions(wcs, columns["x"], columns["y"])
    with np.errstate(all="ignore"):
        return {
            "ra": ra,
            "dec": dec,
            "semi_major": shape["semi_major"],
            "semi_minor": shape["semi_minor"],
            "ellipticity": 1 - shape["semi_minor"] / shape["semi_major"],
            "position_angle": position_angles(wcs, columns["x"], columns["y"], shape["theta"]),
            "half_light_radius": shape["half_light_radius"],
            "half_light_radius_arcsec": shape["half_light_radius"] * (scale or np.nan),
            "concentration": 5 * np.log10(shape["r80"] / shape["r20"]),
            "kron_semi_major": shape["kron_semi_major"],
        }


def _cut(
    mask: NDArray[np.bool_], apertures: Apertures, radii: tuple[float, ...]
) -> NDArray[np.bool_]:
    """Whether the Kron aperture or the largest circle reaches where there are no pixels."""
    shape = apertures.shape
    axes = (
        shape["kron_semi_major"],
        shape["kron_semi_major"] * shape["semi_minor"] / shape["semi_major"],
    )
    cut = overlaps(mask, shape["x"], shape["y"], axes, shape["theta"])
    if radii:
        circle = np.full(len(cut), max(radii))
        cut |= overlaps(mask, shape["x"], shape["y"], (circle, circle), np.zeros(len(cut)))
    return cut


def _class_columns(classes: SourceClasses) -> dict[str, Any]:
    columns: dict[str, Any] = {}
    for name, p, error in zip(classes.names, classes.probability, classes.error, strict=True):
        columns[f"p_{name}"], columns[f"p_{name}_err"] = p, error
    columns["class"] = classes.dominant
    columns["margin"], columns["agreement"] = classes.margin, classes.agreement
    columns["p_background"] = classes.background
    return columns
