"""Datasets of labelled sources in real images."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict, replace
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from morpheus.classes import CLASS_NAMES
from morpheus.dataset.field import LabelledField, read_field
from morpheus.dataset.labelled import LabelledOptions, LabelledSources
from morpheus.dataset.layout import CELLS, CLASSES_DTYPE
from morpheus.dataset.stamps import cut_group, distinct
from morpheus.dataset.store import ArraySpec, Partial, check_inputs, check_target
from morpheus.errors import OptionError, ProductError
from morpheus.provenance import now, software

__all__ = ["Progress", "array_specs", "build_dataset", "group_size"]

_GROUP_BYTES = 4 * 2**20  # of images
_MADE_WITH = "morpheus", "numpy", "scipy", "astropy"  # the values depend on these

Progress = Callable[[int, int], None]


def build_dataset(
    path: Path | str,
    sources: LabelledSources,
    options: LabelledOptions | None = None,
    *,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Make a dataset of labelled sources: an example around each that has votes that count.

    Pixels of a source have the shares of its votes; pixels in no segment are background. It is
    not known, and all shares are 0, where there is no data, on segments without votes that count,
    beside segments (`LabelledOptions.grow`) and where the segmentation map or `known` say so.

    Parameters
    ----------
    path : Path or str
        Of the Zarr store. While it is made it lies in ``path`` + '.partial'.
    sources : LabelledSources
        Images, segmentation map and votes.
    options : LabelledOptions, optional
        How examples are cut, and which labels count.
    overwrite : bool, optional
        Whether a dataset that exists may be replaced; it is kept until the new one is complete.
    progress : callable, optional
        Is told the number of examples that are made, and of all.

    Returns
    -------
    dict
        The card: the attributes of the store.

    Raises
    ------
    ImageError
        If an image or a map cannot be read, or is on other pixels.
    OptionError
        If an option is out of range, the votes cannot be used, or no source in the image has any.
    DatasetError
        If what was begun cannot be gone on with: it has other options, inputs or versions.
    ProductError
        If something exists that may not be replaced, or a file cannot be written.
    """
    options = options or LabelledOptions()
    options.check(sources)
    path = Path(path)
    check_target(path, overwrite=overwrite)
    field = read_field(sources, options)
    check_inputs(path, [one["path"] for one in field.inputs if one["path"] is not None])
    field = replace(field, centers=distinct(field, options.size))
    card = _card(field, sources, options)
    n, bands = len(field.centers), field.mosaic.n_bands
    group = group_size(options.size, bands)

    def tell(groups: int) -> None:
        if progress is not None:
            progress(min(groups * group, n), n)

    try:
        with Partial(path, _begun(field, card), overwrite=overwrite) as partial:
            tell(partial.done)
            partial.create(array_specs(n, bands, options.size), group)
            for start in range(partial.done * group, n, group):
                partial.write(*cut_group(field, options, start, min(start + group, n)))
                tell(partial.done)
            return partial.finish(card, _units(field))
    except OSError as error:
        raise ProductError(f"cannot write {path}: {error.strerror or error}") from error


def group_size(size: int, bands: int) -> int:
    """Tell how many examples lie in a chunk.

    Parameters
    ----------
    size : int
        Side of an example in pixels.
    bands : int
        Number of bands.

    Returns
    -------
    int
        As many as take 4 MB of images, at least one.
    """
    return max(1, _GROUP_BYTES // (4 * bands * size**2))


def array_specs(n: int, bands: int, size: int) -> dict[str, ArraySpec]:
    """Describe the arrays of a store.

    Parameters
    ----------
    n : int
        Number of examples.
    bands : int
        Number of bands.
    size : int
        Side of an example in pixels.

    Returns
    -------
    dict of str to ArraySpec
        By name.
    """
    float32, axes = np.dtype(np.float32), ("example", "band", "y", "x")
    classes = ("example", "class", "y", "x")
    return {
        "images": ((n, bands, size, size), float32, axes),
        "weights": ((n, bands, size, size), float32, axes),
        "classes": ((n, len(CLASS_NAMES), size, size), CLASSES_DTYPE, classes),
        "owner": ((n, size, size), np.dtype(np.int32), ("example", "y", "x")),
        CELLS: ((n,), np.dtype(np.int64), ("example",)),
    }


def _card(
    field: LabelledField, sources: LabelledSources, options: LabelledOptions
) -> dict[str, Any]:
    mosaic = field.mosaic
    units = [unit or "" for unit in mosaic.units]
    labels = field.inputs[-1]
    given = {name.upper(): value for name, value in options.zero_points.items()}
    for name in given:
        if name not in {band.upper() for band in mosaic.bands}:
            raise OptionError(f"zero point of {name}: the bands are {', '.join(mosaic.bands)}")
    return {
        "kind": "labelled",
        "survey": options.survey,
        "bands": list(mosaic.bands),
        "pixel_scale": options.pixel_scale or mosaic.pixel_scale,
        "unit": units[0] if len(set(units)) == 1 else "",
        "units": units,
        "zero_points": [
            given.get(band.upper(), calibration.zero_point)
            for band, calibration in zip(mosaic.bands, mosaic.calibrations, strict=True)
        ],
        "weights": "maps" if field.noise is None else "noise of the sky",
        "class_names": list(CLASS_NAMES),
        "n": len(field.centers),
        "size": options.size,
        "cell": options.cell,
        "options": {**asdict(options), "zero_points": dict(options.zero_points)},
        "labels": {
            "file": None if labels["path"] is None else Path(labels["path"]).name,
            "sha256": labels["sha256"],
            "votes": sources.vote_kind,
            "columns": dict(sources.columns),
            "reference": options.reference,
            "rows": field.counts,
        },
        "inputs": [{**one, "shape": list(one.get("shape", ()))} for one in field.inputs],
        "software": {**software(), "zarr": metadata.version("zarr")},
        "created": now(),
    }


def _begun(field: LabelledField, card: dict[str, Any]) -> dict[str, Any]:
    """Gather what the examples depend on."""
    begun = {k: v for k, v in card["options"].items() if k not in ("survey", "reference")}
    begun["images"] = [one["sha256"] for one in field.inputs]
    begun["columns"] = card["labels"]["columns"]
    begun["votes"] = card["labels"]["votes"]
    # Of data in memory there is no file to compare.
    digest = hashlib.sha256(field.labels.tobytes())
    digest.update(np.asarray(field.segments["votes"]).tobytes())
    if any(one["sha256"] is None for one in field.inputs):
        digest.update(field.mosaic.data.tobytes())
    begun["values"] = digest.hexdigest()
    begun |= {name: card["software"][name] for name in _MADE_WITH}
    return dict(json.loads(json.dumps(begun)))


def _units(field: LabelledField) -> dict[str, str]:
    units = {"x": "pix", "y": "pix", "ra": "deg", "dec": "deg"}
    for band, unit in zip(field.mosaic.bands, field.mosaic.units, strict=True):
        if unit:
            units[f"flux_sum_{band.lower()}"] = unit
    return units
