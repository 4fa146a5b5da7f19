"""What a run in chunks writes beside its maps: records, headers, pictures."""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from astropy.table import Table
from astropy.wcs import WCS
from numpy.typing import NDArray

from morpheus.catalog import Catalog
from morpheus.distributed.pictures import CoarseField, places_of
from morpheus.distributed.spec import FieldSpec
from morpheus.distributed.stages import Classified, Sources
from morpheus.distributed.stored import StoredField
from morpheus.inference import Classification
from morpheus.inference.accumulate import Statistics
from morpheus.inference.product import MapsProduct
from morpheus.mosaic.report import add_file
from morpheus.pipeline.chunked_setup import ChunkedSetup
from morpheus.pipeline.classification import classification_record
from morpheus.pipeline.opening import OpenField
from morpheus.pipeline.pictures import CLASSES_FILE, RGB_FILE, STAMPS_FILE, color_channels
from morpheus.provenance import now
from morpheus.segmentation.sources import segmentation_record
from morpheus.visual import (
    choose_sources,
    lupton_rgb,
    rgb_planes,
    stamp_sheet,
    write_classes,
    write_picture,
)

__all__ = ["bands_shown", "draw", "maps_product", "sources_record"]


def maps_product(
    setup: ChunkedSetup,
    spec: FieldSpec,
    field: OpenField,
    classified: Classified,
    started: str,
    seconds: Mapping[str, float],
) -> MapsProduct:
    """Say what the files of the class maps are.

    Parameters
    ----------
    setup : ChunkedSetup
        What was asked for.
    spec : FieldSpec
        What tasks know.
    field : OpenField
        The images.
    classified : Classified
        What became of the pixels.
    started : str
        When the run was.
    seconds : mapping of str to float
        Time that it took so far.

    Returns
    -------
    MapsProduct
        With the provenance of the class maps.
    """
    name, precision, batch_size = classified.engines[0]
    provenance = {
        "started": started,
        **classification_record(
            setup.config,
            field.given.choice,
            setup.inference,
            whole=field.image_shape,
            region=field.region,
            skies=dict(zip(spec.inputs.bands, field.skies, strict=False)),
            inputs=field.records,
        ),
        "engine": {
            "name": name,
            "precision": precision,
            "batch_size": int(batch_size),
            "workers": 1,
        },
        "shape": list(spec.shape),
        "masked_pixels": classified.masked,
        "classified_pixels": classified.classified,
        "seconds": dict(seconds),
    }
    if len(classified.engines) > 1:
        provenance["engines"] = [list(one) for one in classified.engines]
    return MapsProduct(setup.config.classes, spec.single, field.wcs, provenance)


def sources_record(
    setup: ChunkedSetup,
    spec: FieldSpec,
    classified: Mapping[str, Any],
    found: Sources,
    positions: Table | None,
) -> dict[str, Any]:
    """Say how sources were found.

    Parameters
    ----------
    setup : ChunkedSetup
        What was asked for.
    spec : FieldSpec
        What tasks know.
    classified : mapping
        Provenance of the class maps.
    found : Sources
        The sources.
    positions : astropy.table.Table or None
        External positions, with `label`.

    Returns
    -------
    dict
        As `Segmentation.provenance`.
    """
    n_sources, options = len(found.parents), setup.options.segmentation
    return {
        "started": now(),
        **segmentation_record(
            classified, options, spec.thresholds, found.noise, n_sources, positions
        ),
        "statistic": spec.statistic,
        "detection_band": spec.inputs.bands[0],
    }


def bands_shown(setup: ChunkedSetup, spec: FieldSpec) -> tuple[str, ...]:
    """Choose the bands of the colour picture.

    Parameters
    ----------
    setup : ChunkedSetup
        What was asked for.
    spec : FieldSpec
        What tasks know.

    Returns
    -------
    tuple of str
        From the reddest to the bluest; empty if it is not known which is redder.
    """
    return setup.options.rgb or color_channels(spec.inputs.bands) or ()


def draw(
    setup: ChunkedSetup,
    field: StoredField,
    catalog: Catalog,
    shown: CoarseField,
    wcs: WCS | None,
    *,
    overwrite: bool,
) -> list[Path]:
    """Draw the classes, the sky in colour and some sources.

    Parameters
    ----------
    setup : ChunkedSetup
        What was asked for.
    field : StoredField
        The field, with its sources.
    catalog : Catalog
        The same, measured.
    shown : CoarseField
        What pictures show of it.
    wcs : astropy.wcs.WCS or None
        World coordinates of the field, for the scale.
    overwrite : bool
        Whether pictures that exist may be replaced.

    Returns
    -------
    list of Path
        The pictures.
    """
    bands, statistic, step = field.spec.inputs.bands, field.spec.statistic, shown.step
    channels = bands_shown(setup, field.spec)

    def write_rgb() -> Path:
        planes = rgb_planes([shown.images[band] for band in channels])
        return write_picture(setup.folder / RGB_FILE, lupton_rgb(*planes), overwrite=overwrite)

    # Beside each other, as one needs no Matplotlib, which is for one thread.
    with ThreadPoolExecutor(1) as beside:
        rgb = beside.submit(write_rgb) if channels else None
        path = setup.folder / CLASSES_FILE
        paths = [
            write_classes(
                path,
                _small(setup.config.classes, shown.classes, wcs, step),
                unclassified="grey",
                overwrite=overwrite,
                metadata={"Title": f"Morphological classes: {statistic}"},
            )
        ]
    add_file(path, "colors", {"statistic": statistic, "pixels_averaged": step})
    if rgb is not None:
        paths.append(rgb.result())
        add_file(paths[-1], "rgb", {"bands": channels, "pixels_averaged": step})
    if len(catalog):
        places = places_of(field, choose_sources(catalog.table))
        scale = catalog.provenance["pixel_scale"]
        sheet = stamp_sheet(
            places.table,
            places.images,
            places.labels,
            places.colors,
            detection=bands[0],
            pixel_scale=scale,
        )
        paths.append(write_picture(setup.folder / STAMPS_FILE, sheet, overwrite=overwrite))
        made_from = [catalog.provenance["segmentation"]["file"], setup.options.catalog_file]
        add_file(paths[-1], "stamps", {}, made_from=made_from)
    return paths


def _small(
    classes: tuple[str, ...], maps: NDArray[np.float32], wcs: WCS | None, step: int
) -> Classification:
    """Give the classification that a picture shows."""
    unknown = np.isnan(maps[0])
    return Classification.from_statistics(
        classes,
        Statistics(maps, None, None, (~unknown).astype(np.uint32)),
        mask=unknown,
        wcs=None if wcs is None else wcs.slice((slice(None, None, step),) * 2),
        provenance={},
    )
