"""The result: a label map with its sources, and the same on disk."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits
from astropy.table import MaskedColumn, Table
from astropy.wcs import WCS
from numpy.typing import NDArray

from morpheus.errors import ImageError, ProductError
from morpheus.mosaic.files import READ_ERRORS, FitsFiles
from morpheus.mosaic.products import check_targets, write_hdus
from morpheus.mosaic.report import add_file, check_not_replaced, discard_files

__all__ = ["GUIDED_FILE", "SEGMENTATION_FILE", "Segmentation", "map_headers", "table_hdus"]

SEGMENTATION_FILE, GUIDED_FILE = "segmap.fits", "guided_segmap.fits"


@dataclass(frozen=True, eq=False)  # arrays have no single truth value
class Segmentation:
    """Which pixel belongs to which source.

    Parameters
    ----------
    labels : ndarray of int32, shape (y, x)
        0 for the sky and where nothing was classified, 1 to N for the sources.
    sources : astropy.table.Table
        A row for each source, in the order of the labels: `label`, `parent` (the number of the
        region that it was a part of before deblending; sources with the same parent are parts of
        one blend) and `flags` (bits of `SourceFlag`); in a guided segmentation also
        `position_id`, the identifier of the external position (masked where there is none).
    mask : ndarray of bool, shape (y, x)
        True where a pixel is masked or was not classified: there is neither source nor sky.
    positions : astropy.table.Table or None
        In a guided segmentation the external positions: `id`, `x`, `y` (pixels, 0-based), and
        `label`, 0 if nothing was detected there.
    wcs : astropy.wcs.WCS or None
        World coordinates of the map.
    provenance : dict
        What made it.
    """

    labels: NDArray[np.int32]
    sources: Table
    mask: NDArray[np.bool_]
    positions: Table | None = None
    wcs: WCS | None = None
    provenance: dict[str, Any] = field(default_factory=dict)

    @property
    def n_sources(self) -> int:
        """Number of sources."""
        return len(self.sources)

    @property
    def file_name(self) -> str:
        """Name of the file that `write` makes."""
        return SEGMENTATION_FILE if self.positions is None else GUIDED_FILE

    @property
    def sha256(self) -> str:
        """Digest of the labels, by which a catalogue knows its map."""
        return hashlib.sha256(np.ascontiguousarray(self.labels, "<i4").data).hexdigest()

    @property
    def shape(self) -> tuple[int, int]:
        """Shape of the map (y, x)."""
        return self.labels.shape[0], self.labels.shape[1]

    def __repr__(self) -> str:
        height, width = self.shape
        return f"<Segmentation of {height} x {width} pixels (y, x): {self.n_sources} sources>"

    def write(self, directory: str | Path, *, overwrite: bool = False) -> Path:
        """Write the map, and what made it into `report.json`.

        The file is `segmap.fits`, and of a guided segmentation `guided_segmap.fits`, so that a
        folder can hold both.

        The primary image holds the labels (int32), the extension MASK the mask (uint8), the
        extension SOURCES the table of the sources, and POSITIONS the external positions.
        A catalogue that was made in the folder from an earlier segmentation is removed.

        Parameters
        ----------
        directory : str or Path
            The folder; it is made if it does not exist.
        overwrite : bool, optional
            Whether a segmentation that exists may be replaced.

        Returns
        -------
        Path
            The file.

        Raises
        ------
        ProductError
            If the file exists and `overwrite` is false, or cannot be written.
        """
        folder = Path(directory)
        path = folder / self.file_name
        check_not_replaced(path, "segmentation", folder)
        check_targets([path], overwrite=overwrite)
        discard_files(folder, path.name)
        write_hdus(path, self.hdus(), overwrite=overwrite)
        add_file(path, "segmentation", self.provenance)
        return path

    def hdus(self) -> fits.HDUList:
        """Give the file that `write` makes.

        Returns
        -------
        astropy.io.fits.HDUList
            The labels, MASK, SOURCES and, in a guided segmentation, POSITIONS.
        """
        headers = map_headers(self.wcs, self.provenance)
        hdus = fits.HDUList(
            [
                fits.PrimaryHDU(self.labels, headers["SEGMAP"]),
                fits.ImageHDU(self.mask.astype(np.uint8), headers["MASK"], name="MASK"),
                *table_hdus(self.sources, self.positions),
            ]
        )
        hdus[0].name = "SEGMAP"
        return hdus

    @classmethod
    def read(cls, path: str | Path) -> "Segmentation":
        """Read what `write` wrote.

        Parameters
        ----------
        path : str or Path
            The file, or its folder, in which it is `segmap.fits`.

        Returns
        -------
        Segmentation
            The same; of the provenance, what the header holds.

        Raises
        ------
        ProductError
            If it is not there, is damaged, or is no segmentation of Morpheus.
        """
        path = Path(path)
        if path.is_dir():
            path = path / SEGMENTATION_FILE
        if not path.exists():
            raise ProductError(f"{path} is not there; morpheus segment makes it")
        try:
            with FitsFiles(verify=True) as files:
                hdus = files.open(path)
                for name, kind in _CONTENTS.items():
                    if name not in hdus or not isinstance(hdus[name], kind):
                        raise ProductError(
                            f"{path} is not a segmentation of Morpheus: it has no {name}"
                        )
                header = hdus["SEGMAP"].header
                has_positions = "POSITIONS" in hdus
                return cls(
                    labels=hdus["SEGMAP"].data.astype(np.int32),
                    sources=_native(Table.read(hdus["SOURCES"])),
                    mask=hdus["MASK"].data.astype(bool),
                    positions=(
                        _native(Table.read(hdus["POSITIONS"], mask_invalid=False))
                        if has_positions
                        else None
                    ),
                    wcs=WCS(header) if "CTYPE1" in header else None,
                    provenance={
                        key: header[card] for key, card in _CARDS.items() if card in header
                    },
                )
        except (ImageError, *READ_ERRORS) as error:
            raise ProductError(f"cannot read the segmentation: {error}") from error


def map_headers(wcs: WCS | None, provenance: Mapping[str, Any]) -> dict[str, fits.Header]:
    """Make the headers of the images of a segmentation.

    Parameters
    ----------
    wcs : astropy.wcs.WCS or None
        World coordinates.
    provenance : mapping
        What made it.

    Returns
    -------
    dict of str to astropy.io.fits.Header
        For SEGMAP and MASK.
    """
    header = fits.Header() if wcs is None else wcs.to_header(relax=True)
    for key, card in _CARDS.items():
        if key in provenance:
            header[card] = _ascii(str(provenance[key]))
    labels = header.copy()
    labels["BUNIT"] = ("", "0: sky or not classified; 1 to N: sources")
    return {"SEGMAP": labels, "MASK": header}


def table_hdus(sources: Table, positions: Table | None) -> list[fits.BinTableHDU]:
    """Make the tables of a segmentation's file.

    Parameters
    ----------
    sources : astropy.table.Table
        The sources.
    positions : astropy.table.Table or None
        External positions.

    Returns
    -------
    list of astropy.io.fits.BinTableHDU
        SOURCES and perhaps POSITIONS.
    """
    tables = [_table_hdu(sources, "SOURCES")]
    return tables if positions is None else [*tables, _table_hdu(positions, "POSITIONS")]


def _ascii(text: str) -> str:
    """FITS is ASCII; the report has the exact text."""
    return text.encode("ascii", "backslashreplace").decode()


def _table_hdu(table: Table, name: str) -> fits.BinTableHDU:
    table = table.copy()
    for key in table.colnames:
        kind = table[key].dtype.kind
        if kind == "U":
            text = np.ma.filled(table[key], "")  # which is read as masked
            table[key] = np.char.encode(text, "ascii", "backslashreplace")
        elif kind == "i" and isinstance(table[key], MaskedColumn):
            # What stands for masked in the file; by default 999999, which may be an identifier.
            table[key].fill_value = np.iinfo(table[key].dtype).min
    return fits.BinTableHDU(table, name=name)


def _native(table: Table) -> Table:
    """Bring the columns into this machine's byte order and off the file; mask empty text."""
    for name in table.colnames:
        column = table[name].astype(table[name].dtype.newbyteorder("="))
        empty = column.dtype.kind == "U" and np.asarray(column) == ""
        table[name] = MaskedColumn(column, mask=empty) if np.any(empty) else column
    return table


_CONTENTS = {
    "SEGMAP": (fits.PrimaryHDU, fits.ImageHDU),
    "MASK": fits.ImageHDU,
    "SOURCES": fits.BinTableHDU,
}
# What the header says of the provenance.
_CARDS = {
    "started": "DATE",
    "creator": "CREATOR",
    "model": "MODEL",
    "weights_sha256": "MODELSHA",
    "method": "METHOD",
    "statistic": "STAT",
    "detection_band": "DETBAND",
}
