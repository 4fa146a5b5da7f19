"""The result: a table of sources, and the same on disk."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from astropy.table import Column as TableColumn
from astropy.table import Table

from morpheus.catalog.formats import check_catalog_path, read_table, write_table
from morpheus.catalog.schema import Column
from morpheus.mosaic.products import check_targets
from morpheus.mosaic.report import add_file, check_not_replaced, discard_files, read_report
from morpheus.mosaic.units import parse_unit

__all__ = ["Catalog", "build_table"]

_DTYPES: dict[str, Any] = {"int": np.int64, "float": np.float64, "str": np.str_}


@dataclass(frozen=True, eq=False)  # tables have no single truth value
class Catalog:
    """The sources of a field.

    Parameters
    ----------
    table : astropy.table.Table
        A row for each source; columns with unit, description and, as ``meta["ucd"]``, UCD. Their
        list is `morpheus.catalog.catalog_columns`. Undefined values are NaN.
    provenance : dict
        What made it: program, model, options, and zero point, background and noise of each band.
    """

    table: Table
    provenance: dict[str, Any] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.table)

    def __repr__(self) -> str:
        return f"<Catalog of {len(self.table)} sources: {len(self.table.colnames)} columns>"

    def write(self, path: str | Path, *, overwrite: bool = False) -> Path:
        """Write the catalogue, in the format of the file's suffix.

        In a folder with the report of a run, it gets an entry there; stamps that were made from
        an earlier one of that name are removed.

        Parameters
        ----------
        path : str or Path
            A name that ends on .fits, .ecsv, .vot or .xml (VOTable), .parquet, .csv, .mrt
            (machine-readable table of the AAS and CDS) or .reg (DS9 regions).
        overwrite : bool, optional
            Whether a file that exists may be replaced.

        Returns
        -------
        Path
            The file.

        Raises
        ------
        OptionError
            If the suffix is none of these, or a package that the format needs is not installed.
        ProductError
            If the file exists and `overwrite` is false, is a class map or another product of the
            folder, or cannot be written.
        """
        path = Path(path)
        check_catalog_path(path)
        check_not_replaced(path, "catalog", path.parent)
        check_targets([path], overwrite=overwrite)
        discard_files(path.parent, path.name)
        write_table(self.table, self.provenance, path, overwrite=overwrite)
        source = self.provenance.get("segmentation", {}).get("file")
        if source in read_report(path.parent).get("files", {}):
            add_file(path, "catalog", self.provenance, made_from=[source])
        return path

    @classmethod
    def read(cls, path: str | Path) -> "Catalog":
        """Read what `write` wrote.

        Parameters
        ----------
        path : str or Path
            The file; any format but .reg.

        Returns
        -------
        Catalog
            The same values. Units, descriptions and provenance are kept by .fits, .ecsv, .vot
            and .parquet; .mrt keeps units and descriptions, and rounds to what it prints; .csv
            keeps none.

        Raises
        ------
        OptionError
            If the suffix is none that can be read, or a package is missing.
        ProductError
            If it is not there or is damaged.
        """
        return cls(*read_table(Path(path)))


def build_table(columns: Sequence[Column], values: Mapping[str, Any] | None = None) -> Table:
    """Make a table from the list of its columns.

    Parameters
    ----------
    columns : sequence of Column
        The columns.
    values : mapping of str to ndarray, optional
        The values of every column; no rows if None.

    Returns
    -------
    astropy.table.Table
        With units, descriptions and UCDs. A unit that astropy does not know is in the description.
    """
    table = Table()
    for column in columns:
        unit = None if column.unit is None else parse_unit(column.unit)
        unknown = column.unit is not None and unit is None
        table[column.name] = TableColumn(
            np.asarray([] if values is None else values[column.name], _DTYPES[column.dtype]),
            unit=unit,
            description=column.description + (f" [{column.unit}]" if unknown else ""),
            meta={"ucd": column.ucd},
        )
    return table
