"""Catalogues on disk: one writer and one reader for each format."""

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from astropy.table import Table

from morpheus.catalog.machine_readable import read_mrt, write_mrt
from morpheus.catalog.regions import write_regions
from morpheus.catalog.schema import Dtype, fixed_dtypes
from morpheus.catalog.serialise import (
    need_pyarrow,
    read_csv,
    read_ecsv,
    read_fits,
    read_parquet,
    read_votable,
    write_csv,
    write_ecsv,
    write_fits,
    write_parquet,
    write_votable,
)
from morpheus.errors import OptionError, ProductError
from morpheus.mosaic.products import replacing
from morpheus.mosaic.units import parse_unit

__all__ = ["FORMATS", "check_catalog_path", "read_table", "write_table"]


_BY_KIND: dict[str, Dtype] = {"i": "int", "u": "int", "f": "float"}


@dataclass(frozen=True)
class _Format:
    """How a format is written to an open name, and read: None if it cannot be."""

    write: Callable[[Table, Mapping[str, Any], Path], None]
    read: Callable[[Path], tuple[Table, dict[str, Any]]] | None


def check_catalog_path(path: Path, *, readable: bool = False) -> None:
    """Make sure that a catalogue can have a name, before any work is done for it.

    Parameters
    ----------
    path : Path
        The file.
    readable : bool, optional
        Whether it is to be read back, too.

    Raises
    ------
    OptionError
        If its suffix is that of no format, or a package that the format needs is not installed.
    """
    known = _format(path)
    if readable and known.read is None:
        raise OptionError(f"{path}: {path.suffix} files are written, but not read back")
    if path.suffix.lower() == ".parquet":
        need_pyarrow()


def write_table(
    table: Table, provenance: Mapping[str, Any], path: Path, *, overwrite: bool = False
) -> None:
    """Write a catalogue in the format of the suffix.

    Parameters
    ----------
    table : astropy.table.Table
        The sources.
    provenance : mapping
        What made it.
    path : Path
        The file.
    overwrite : bool, optional
        Whether a file that exists may be replaced.

    Raises
    ------
    OptionError
        If the suffix is unknown, or a package that the format needs is not installed.
    ProductError
        If the file exists and `overwrite` is false, or cannot be written.
    """
    known = _format(path)
    with (
        replacing(path, overwrite=overwrite) as temporary,
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("ignore")  # of units and names that a format spells otherwise
        try:
            known.write(table, provenance, temporary)
        except (ValueError, TypeError) as error:  # UnicodeError is a ValueError
            text = " ".join(str(error).split())
            raise ProductError(
                f"cannot write the catalogue {path}: {path.suffix} cannot hold it ({text})"
            ) from error


def read_table(path: Path) -> tuple[Table, dict[str, Any]]:
    """Read what `write_table` wrote.

    Parameters
    ----------
    path : Path
        The file.

    Returns
    -------
    tuple of (astropy.table.Table, dict)
        The sources, and what made them as far as the format keeps it.

    Raises
    ------
    OptionError
        If the suffix cannot be read, or a package is missing.
    ProductError
        If the file is not there or is damaged.
    """
    known = _format(path)
    if known.read is None:
        raise OptionError(f"{path}: regions cannot be read as a catalogue; read another format")
    if not path.exists():
        raise ProductError(f"{path} is not there; morpheus catalog makes it")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            table, provenance = known.read(path)
            table = _plain(table)
    except OptionError:
        raise
    except Exception as error:  # each reader fails in ways of its own
        text = " ".join(str(error).split())
        raise ProductError(f"cannot read the catalogue {path}: {text}") from error
    if "id" not in table.colnames:
        raise ProductError(f"{path} is no catalogue of Morpheus: it has no column id")
    return table, provenance


def _format(path: Path) -> _Format:
    known = FORMATS.get(path.suffix.lower())
    if known is None:
        raise OptionError(
            f"{path}: no format has the suffix {path.suffix!r}; there are {', '.join(FORMATS)}"
        )
    return known


def _plain(table: Table) -> Table:
    """Give columns their own types back: nothing masked, numbers 64 bits wide, text as text."""
    dtypes = fixed_dtypes()
    result = Table()
    for name in table.colnames:
        column = table[name]
        dtype = dtypes.get(name, "float")
        if name == "position_id":
            dtype = _BY_KIND.get(column.dtype.kind, "str")
        if dtype == "str":
            values = np.ma.filled(column, "") if len(column) else np.array([], "U1")
            values = np.asarray(values).astype(np.str_)
        elif dtype == "int":
            values = np.asarray(column).astype(np.int64)
        else:
            values = np.ma.filled(np.ma.asarray(column).astype(np.float64), np.nan)
        result[name] = values
        if column.unit is not None:  # electrons are in few formats' standards, and astropy's
            result[name].unit = parse_unit(str(column.unit))
        if column.description:  # VOTables break its lines
            result[name].description = " ".join(column.description.split())
        if "ucd" in column.meta:
            result[name].meta["ucd"] = column.meta["ucd"]
    return result


def _read_mrt(path: Path) -> tuple[Table, dict[str, Any]]:
    return read_mrt(path), {}


def _write_reg(table: Table, provenance: Mapping[str, Any], path: Path) -> None:
    write_regions(table, provenance.get("pixel_scale"), path)


FORMATS: dict[str, _Format] = {
    ".fits": _Format(write_fits, read_fits),
    ".ecsv": _Format(write_ecsv, read_ecsv),
    ".vot": _Format(write_votable, read_votable),
    ".xml": _Format(write_votable, read_votable),
    ".parquet": _Format(write_parquet, read_parquet),
    ".csv": _Format(write_csv, read_csv),
    ".mrt": _Format(write_mrt, _read_mrt),
    ".reg": _Format(_write_reg, None),
}
"""The formats by the suffix of the file."""
