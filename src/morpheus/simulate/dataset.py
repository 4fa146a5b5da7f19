"""Datasets of examples, to train networks with and to test them."""

import functools
import hashlib
from collections.abc import Callable
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing
from dataclasses import asdict
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
from astropy.wcs import WCS

from morpheus.classes import CLASS_NAMES
from morpheus.dataset.layout import CLASSES_DTYPE
from morpheus.dataset.store import ArraySpec, Partial
from morpheus.errors import ProductError
from morpheus.provenance import now, software
from morpheus.simulate.dataset_options import DatasetOptions
from morpheus.simulate.examples import make_group
from morpheus.simulate.processes import Arrays, in_processes
from morpheus.simulate.surveys import find_survey
from morpheus.simulate.truth import truth_table

__all__ = ["make_dataset"]

_MADE_WITH = "morpheus", "simulation", "numpy", "scipy", "galsim"  # the values depend on these

# Arrays and columns come from a worker as one dictionary; this begins the names of columns in it.
_COLUMN = "column/"

Progress = Callable[[int, int], None]


def make_dataset(
    path: Path | str,
    options: DatasetOptions,
    *,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Make a dataset; go on with it where an earlier call with the same options was ended.

    Example i depends on the options and i only: neither on the number of processes, nor on n.

    Parameters
    ----------
    path : Path or str
        Of the Zarr store. While it is made it lies in ``path`` + '.partial', where it stays if this
        is interrupted.
    options : DatasetOptions
        What it is to hold.
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
    OptionError
        If an option is out of range.
    DatasetError
        If what was begun cannot be gone on with: it has other options or versions.
    ProductError
        If something exists that may not be replaced, a file cannot be written, or a process that
        makes examples was ended.
    """
    options.check()
    path = Path(path)
    versions = {**software(), **{name: metadata.version(name) for name in ("galsim", "zarr")}}
    chosen = {name: value for name, value in asdict(options).items() if name != "jobs"}
    versions["simulation"] = _code_digest()
    begun = chosen | {name: versions[name] for name in _MADE_WITH}

    def tell(groups: int) -> None:
        if progress is not None:
            progress(min(groups * options.group_size, options.n), options.n)

    try:
        with Partial(path, begun, overwrite=overwrite) as partial:
            tell(partial.done)
            partial.create(_arrays(options), options.group_size)
            numbers = range(partial.done, options.n_groups)
            make = functools.partial(_make, options)
            with closing(in_processes(make, numbers, options.jobs, partial.scratch)) as groups:
                for made in groups:
                    partial.write(*_split(made))
                    tell(partial.done)
            return partial.finish(_card(options, chosen, versions), _units(options))
    except OSError as error:
        raise ProductError(f"cannot write {path}: {error.strerror or error}") from error
    except BrokenProcessPool as error:
        raise ProductError(
            "a process that makes examples was ended, perhaps for its memory; the same command goes"
            " on with what is complete"
        ) from error


def _code_digest() -> str:
    """Digest of this folder's code: in a checkout it may change while the version does not."""
    digest = hashlib.sha256()
    for file in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(file.read_bytes())
    return digest.hexdigest()[:16]


def _arrays(options: DatasetOptions) -> dict[str, ArraySpec]:
    n, size, bands = options.n, options.size, len(find_survey(options.survey).bands)
    float32, axes = np.dtype(np.float32), ("example", "band", "y", "x")
    return {
        "images": ((n, bands, size, size), float32, axes),
        "weights": ((n, bands, size, size), float32, axes),
        "classes": (
            (n, len(CLASS_NAMES), size, size),
            CLASSES_DTYPE,
            ("example", "class", "y", "x"),
        ),
        "owner": ((n, size, size), np.dtype(np.int32), ("example", "y", "x")),
    }


def _card(
    options: DatasetOptions, chosen: dict[str, Any], versions: dict[str, Any]
) -> dict[str, Any]:
    survey = find_survey(options.survey)
    return {
        "kind": options.kind,
        "survey": survey.name,
        "bands": [band.name for band in survey.bands],
        "pixel_scale": survey.pixel_scale,
        "unit": survey.unit,
        "zero_points": [round(band.zero_point, 4) for band in survey.bands],
        "class_names": list(CLASS_NAMES),
        "n": options.n,
        "size": options.size,
        "seed": options.seed,
        "options": chosen,
        "software": versions,
        "created": now(),
    }


def _units(options: DatasetOptions) -> dict[str, str]:
    survey = find_survey(options.survey)
    table = truth_table(survey, [], [], WCS(naxis=2))
    units = {name: str(table[name].unit) for name in table.colnames if table[name].unit}
    return units | {name: survey.unit for name in table.colnames if name.startswith("flux_")}


def _make(options: DatasetOptions, number: int) -> Arrays:
    """Make a group: its arrays and its columns as one dictionary."""
    group = make_group(options, number)
    columns = {_COLUMN + name: values for name, values in group.columns.items()}
    return group.arrays | columns


def _split(made: Arrays) -> tuple[Arrays, Arrays]:
    """Undo what `_make` joined."""
    columns = {n.removeprefix(_COLUMN): made[n] for n in made if n.startswith(_COLUMN)}
    return {n: made[n] for n in made if not n.startswith(_COLUMN)}, columns
