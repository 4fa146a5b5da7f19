"""The formats of a catalogue that astropy knows: how each is written and read."""

import importlib.util
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from astropy import units as u
from astropy.io import ascii as ascii_tables
from astropy.io import fits, votable
from astropy.table import Table

from morpheus.catalog.schema import fixed_dtypes
from morpheus.errors import OptionError
from morpheus.mosaic.files import FitsFiles
from morpheus.mosaic.products import to_json
from morpheus.mosaic.units import parse_unit

__all__ = [
    "need_pyarrow",
    "read_csv",
    "read_ecsv",
    "read_fits",
    "read_parquet",
    "read_votable",
    "write_csv",
    "write_ecsv",
    "write_fits",
    "write_parquet",
    "write_votable",
]

# The keyword of the whole provenance in a FITS header.
_RECORD = "MORPHEUS"
# The unit of a column where the FITS standard has only a similar one.
_OWN_UNIT = "TUOWN"
_WHOLE = re.compile(r"0|-?[1-9][0-9]{0,17}")


def _bare(table: Table) -> Table:
    """Give the table without descriptions and UCDs, which some writers put where none look."""
    bare = table.copy(copy_data=False)
    bare.meta.clear()
    for name in bare.colnames:
        bare[name].description = None
        bare[name].meta.clear()
    return bare


def write_fits(table: Table, provenance: Mapping[str, Any], path: Path) -> None:
    """Write a catalogue as a FITS table.

    Descriptions are TCOMM, UCDs TUCD keywords, and the provenance is in the header. Text that is
    not ASCII is escaped as in Python, and is read back so; only the provenance is exact.

    Parameters
    ----------
    table : astropy.table.Table
        The sources.
    provenance : mapping
        What made it.
    path : Path
        The file.
    """
    hdu = fits.table_to_hdu(_ascii_table(_bare(table)))
    hdu.name = "CATALOG"
    header = hdu.header
    for i, name in enumerate(table.colnames, start=1):
        header.set(f"TCOMM{i}", _ascii(table[name].description or ""), after=f"TFORM{i}")
        header.set(f"TUCD{i}", _ascii(table[name].meta.get("ucd", "")), after=f"TCOMM{i}")
        unit = table[name].unit
        if unit is not None:  # astropy drops those that are not in the standard
            header[f"TUNIT{i}"] = _ascii(_standard_unit(unit, "fits"))
            if parse_unit(header[f"TUNIT{i}"]) != unit:
                header.set(f"{_OWN_UNIT}{i}", _ascii(str(unit)), after=f"TUNIT{i}")
    software, model = provenance.get("software", {}), provenance.get("model", {})
    cards = {
        "DATE": provenance.get("started"),
        "CREATOR": f"morpheus {software['morpheus']}" if software else None,
        "MODEL": model.get("name"),
        "MODELSHA": model.get("weights_sha256"),
        "STAT": provenance.get("statistic"),
        "DETBAND": provenance.get("detection_band"),
        "PIXSCALE": provenance.get("pixel_scale"),
    }
    for key, value in cards.items():
        if value is not None:
            header[key] = _ascii(value) if isinstance(value, str) else value
    if provenance:
        header[_RECORD] = _to_json(provenance)
    with path.open("wb") as file:
        fits.HDUList([fits.PrimaryHDU(), hdu]).writeto(file, checksum=True)


def _standard_unit(unit: u.UnitBase, form: str) -> str:
    """Write a unit so that other readers know it: no standard has electrons, but counts."""
    for text in (str(unit), str(unit).replace("electron", "ct")):
        try:
            return str(u.Unit(text).to_string(form))
        except ValueError:
            continue
    return str(unit)


def read_fits(path: Path) -> tuple[Table, dict[str, Any]]:
    """Read what `write_fits` wrote.

    Parameters
    ----------
    path : Path
        The file.

    Returns
    -------
    tuple of (astropy.table.Table, dict)
        The sources, and what made them.
    """
    with FitsFiles(verify=True) as files:
        hdus = files.open(path)
        hdu = hdus["CATALOG"] if "CATALOG" in hdus else hdus[1]
        table = Table.read(hdu)
        header = hdu.header
    for i, name in enumerate(table.colnames, start=1):
        table[name].description = header.get(f"TCOMM{i}") or None
        if f"TUNIT{i}" in header:
            table[name].unit = parse_unit(header.get(f"{_OWN_UNIT}{i}", header[f"TUNIT{i}"]))
        if f"TUCD{i}" in header:
            table[name].meta["ucd"] = header[f"TUCD{i}"]
    return table, json.loads(header.get(_RECORD, "{}"))


def write_ecsv(table: Table, provenance: Mapping[str, Any], path: Path) -> None:
    """Write a catalogue as ECSV.

    Parameters
    ----------
    table : astropy.table.Table
        The sources.
    provenance : mapping
        What made it.
    path : Path
        The file.
    """
    named = table.copy(copy_data=False)
    named.meta = {"provenance": json.loads(_to_json(provenance))}
    named.write(path, format="ascii.ecsv", overwrite=True)


def read_ecsv(path: Path) -> tuple[Table, dict[str, Any]]:
    """Read what `write_ecsv` wrote.

    Parameters
    ----------
    path : Path
        The file.

    Returns
    -------
    tuple of (astropy.table.Table, dict)
        The sources, and what made them.
    """
    table = Table.read(path, format="ascii.ecsv")
    return table, dict(table.meta.get("provenance", {}))


def write_votable(table: Table, provenance: Mapping[str, Any], path: Path) -> None:
    """Write a catalogue as a VOTable.

    Parameters
    ----------
    table : astropy.table.Table
        The sources.
    provenance : mapping
        What made it.
    path : Path
        The file.
    """
    document = votable.from_table(_bare(table))
    sheet = document.get_first_table()
    sheet.name, sheet.ID = "catalog", "catalog"
    own_units: dict[str, str] = {}
    for part, name in zip(sheet.fields, table.colnames, strict=True):
        part.description = table[name].description
        part.ucd = table[name].meta.get("ucd")
        unit = table[name].unit
        if unit is not None:
            part.unit = _standard_unit(unit, "vounit")
            if part.unit != unit:
                own_units[name] = str(unit)
    for what, record in (("provenance", provenance), (_OWN_UNIT, own_units)):
        sheet.infos.append(votable.tree.Info(name=what, value=_to_json(record), config={}))
    document.to_xml(str(path), tabledata_format="binary2" if len(table) else "tabledata")


def read_votable(path: Path) -> tuple[Table, dict[str, Any]]:
    """Read what `write_votable` wrote.

    Parameters
    ----------
    path : Path
        The file.

    Returns
    -------
    tuple of (astropy.table.Table, dict)
        The sources, and what made them.
    """
    sheet = votable.parse(path, verify="ignore").get_first_table()
    table = sheet.to_table(use_names_over_ids=True)
    for part, name in zip(sheet.fields, table.colnames, strict=True):
        if part.ucd:
            table[name].meta["ucd"] = part.ucd
    infos = {info.name: info.value for info in sheet.infos}
    for name, unit in json.loads(infos.get(_OWN_UNIT, "{}")).items():
        table[name].unit = parse_unit(unit)
    return table, json.loads(infos.get("provenance", "{}"))


def write_parquet(table: Table, provenance: Mapping[str, Any], path: Path) -> None:
    """Write a catalogue as Parquet.

    Parameters
    ----------
    table : astropy.table.Table
        The sources.
    provenance : mapping
        What made it.
    path : Path
        The file.
    """
    need_pyarrow()
    named = table.copy(copy_data=False)
    named.meta = {"provenance": json.loads(_to_json(provenance))}
    named.write(path, format="parquet", overwrite=True)


def read_parquet(path: Path) -> tuple[Table, dict[str, Any]]:
    """Read what `write_parquet` wrote.

    Parameters
    ----------
    path : Path
        The file.

    Returns
    -------
    tuple of (astropy.table.Table, dict)
        The sources, and what made them.
    """
    need_pyarrow()
    table = Table.read(path, format="parquet")
    return table, dict(table.meta.get("provenance", {}))


def need_pyarrow() -> None:
    """Make sure that Parquet files can be written and read.

    Raises
    ------
    OptionError
        If pyarrow, or pandas, by which astropy reads such files back, is not installed.
    """
    for package in ("pyarrow", "pandas"):
        if importlib.util.find_spec(package) is None:
            raise OptionError(
                f"Parquet files need {package}, which is not installed: pip install"
                " 'morpheus-sky[parquet]' (in a checkout: '.[parquet]')"
            )


def write_csv(table: Table, provenance: Mapping[str, Any], path: Path) -> None:
    """Write a catalogue as plain CSV: the values only.

    Parameters
    ----------
    table : astropy.table.Table
        The sources.
    provenance : mapping
        What made it.
    path : Path
        The file.
    """
    del provenance  # there is no place for it
    # Blank where undefined: not every program reads nan. An identifier may well be called so.
    blanks = [("nan", "", *(n for n in table.colnames if table[n].dtype.kind == "f"))]
    ascii_tables.write(_bare(table), path, format="csv", fill_values=blanks, overwrite=True)


def read_csv(path: Path) -> tuple[Table, dict[str, Any]]:
    """Read what `write_csv` wrote.

    CSV does not say what is text: identifiers of positions are numbers if all are whole numbers
    without leading zeros, of at most 18 digits; else text.

    Parameters
    ----------
    path : Path
        The file.

    Returns
    -------
    tuple of (astropy.table.Table, dict)
        The sources, and what made them.
    """
    converters = {
        name: [ascii_tables.convert_numpy(np.str_)]
        for name in (*(n for n, t in fixed_dtypes().items() if t == "str"), "position_id")
    }
    # Text that happens to be blank or a number stays text; a blank number is undefined.
    table = Table.read(path, format="ascii.csv", converters=converters, fill_values=[("", "nan")])
    if "position_id" in table.colnames:
        ids = np.ma.filled(table["position_id"], "").tolist()
        # 007 is a name, and so is what int64 cannot hold.
        if ids and all(_WHOLE.fullmatch(str(each)) for each in ids):
            table["position_id"] = np.array(ids, np.int64)
    return table, {}


def _to_json(provenance: Mapping[str, Any]) -> str:
    """On one line, as headers need it."""
    return json.dumps(json.loads(to_json(provenance)))


def _ascii(text: str) -> str:
    """FITS is ASCII."""
    return text.encode("ascii", "backslashreplace").decode()


def _ascii_table(table: Table) -> Table:
    """Give the table with names and text in ASCII."""
    table = table.copy(copy_data=False)
    for name in table.colnames:
        if table[name].dtype.kind == "U":
            # The width of no rows at all would be 0, which is read as a number.
            text = np.char.encode(np.asarray(table[name]), "ascii", "backslashreplace")
            table[name] = text if len(text) else text.astype("S1")
    table.rename_columns(table.colnames, [_ascii(name) for name in table.colnames])
    return table
