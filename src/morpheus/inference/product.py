"""Class maps as files: what they are called, what their headers say, and what they replace."""

import itertools
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits
from astropy.wcs import WCS

from morpheus.errors import ProductError
from morpheus.mosaic.products import check_targets, remove, write_json
from morpheus.mosaic.report import REPORT_FILE, discard_files

__all__ = ["STATISTICS", "MapsProduct", "all_map_files", "map_files", "window_dtype"]

STATISTICS = {
    "mean": "mean of the windows' probabilities",
    "variance": "variance of the windows' probabilities",
    "votes": "share of windows that ranked the class first",
}
"""The statistics of a class map and what they mean."""

_SINGLE_MEAN = "probability; every pixel is seen once"
_SINGLE_FILE = "classification"


def map_files(
    directory: Path,
    classes: tuple[str, ...],
    *,
    compress: bool = False,
    single_file: bool = False,
    statistics: Sequence[str] = tuple(STATISTICS),
) -> list[Path]:
    """List the files of class maps in one form.

    Parameters
    ----------
    directory : Path
        The folder.
    classes : tuple of str
        Names of the classes.
    compress, single_file : bool, optional
        As for `Classification.write`.
    statistics : sequence of str, optional
        Those that are written; by default all that can be.

    Returns
    -------
    list of Path
        The report is last.
    """
    suffix = ".fits.fz" if compress else ".fits"
    names = (
        [_SINGLE_FILE]
        if single_file
        else [*(f"{c}_{s}" for s in statistics for c in classes), "n", "mask"]
    )
    return [*(directory / f"{name}{suffix}" for name in names), directory / REPORT_FILE]


def all_map_files(directory: Path, classes: tuple[str, ...]) -> list[Path]:
    """List the files of class maps in every form.

    Parameters
    ----------
    directory : Path
        The folder.
    classes : tuple of str
        Names of the classes.

    Returns
    -------
    list of Path
        Each once.
    """
    forms = itertools.product((False, True), repeat=2)
    return list(
        dict.fromkeys(
            path
            for compress, single_file in forms
            for path in map_files(directory, classes, compress=compress, single_file=single_file)
        )
    )


def window_dtype(n_max: int) -> np.dtype[Any]:
    """Choose the smallest of the integers of FITS that holds numbers of windows.

    Parameters
    ----------
    n_max : int
        The largest.

    Returns
    -------
    numpy.dtype
        One of uint8, int16 and int32.
    """
    fitting = (t for t in (np.uint8, np.int16) if n_max <= np.iinfo(t).max)
    return np.dtype(next(fitting, np.int32))


@dataclass(frozen=True, eq=False)
class MapsProduct:
    """The files of class maps, without their pixels.

    Parameters
    ----------
    classes : tuple of str
        Names of the classes.
    single : bool
        Whether no pixel was seen by more than one window.
    wcs : astropy.wcs.WCS or None
        World coordinates of the maps.
    provenance : dict
        What made them.
    """

    classes: tuple[str, ...]
    single: bool
    wcs: WCS | None
    provenance: dict[str, Any] = field(default_factory=dict)

    @property
    def statistics(self) -> tuple[str, ...]:
        """Those that are written: the mean alone if no pixel was seen twice."""
        return ("mean",) if self.single else tuple(STATISTICS)

    def headers(self, statistics: Sequence[str] | None = None) -> dict[str, fits.Header]:
        """Make the headers of the maps.

        Parameters
        ----------
        statistics : sequence of str, optional
            Which; by default those that are written.

        Returns
        -------
        dict of str to astropy.io.fits.Header
            `<CLASS>_<STATISTIC>` for each of them and every class, `N` and `MASK`, in the order of
            the files.
        """
        common = _common(self)
        headers = {}
        for statistic in self.statistics if statistics is None else statistics:
            meaning = STATISTICS[statistic]
            if statistic == "mean" and self.single:
                meaning = _SINGLE_MEAN
            for name in self.classes:
                header = common.copy()
                header["CLASS"] = (name, "morphological class")
                header["STAT"] = (statistic, meaning)
                header["BUNIT"] = ("", "dimensionless, 0 to 1; NaN where not classified")
                headers[f"{name}_{statistic}".upper()] = header
        for name, meaning in (
            ("N", "number of windows; 0 where not classified"),
            ("MASK", "1 where a pixel is invalid in any band"),
        ):
            headers[name] = common.copy()
            headers[name]["BUNIT"] = ("", meaning)
        return headers

    @contextmanager
    def replaced(
        self, folder: Path, *, overwrite: bool, compress: bool = False, single_file: bool = False
    ) -> Iterator[list[Path]]:
        """Replace the class maps of a folder, and all that was made from them.

        Parameters
        ----------
        folder : Path
            The folder.
        overwrite : bool
            Whether class maps that exist may be replaced.
        compress, single_file : bool, optional
            As for `Classification.write`.

        Yields
        ------
        list of Path
            The files to write; all but the last, the report, which is written at the end.

        Raises
        ------
        ProductError
            If a file exists and may not be replaced, is an input, or cannot be written.
        """
        statistics, everything = self.statistics, all_map_files(folder, self.classes)
        paths = map_files(
            folder,
            self.classes,
            compress=compress,
            single_file=single_file,
            statistics=statistics,
        )
        check_targets(everything, overwrite=overwrite)
        self._check_inputs({path.resolve() for path in everything})
        discard_files(folder)
        remove([paths[-1]])
        yield paths
        remove([path for path in everything if path not in paths])
        names = [path.name for path in paths[:-1]]
        record = {**self.provenance, "statistics": list(statistics), "products": names}
        write_json(paths[-1], record)

    def _check_inputs(self, targets: set[Path]) -> None:
        """Make sure that no input is replaced by a product."""
        for entry in self.provenance.get("inputs", ()):
            if entry["path"] is not None and Path(entry["path"]).resolve() in targets:
                raise ProductError(
                    f"{entry['path']} is an input and would be replaced; choose another folder"
                )


def _common(product: "MapsProduct") -> fits.Header:
    """Give the world coordinates, and what made the maps."""
    header = fits.Header() if product.wcs is None else product.wcs.to_header(relax=True)
    record = product.provenance
    if not record:
        return header
    model, options = record["model"], record["options"]
    header["DATE"] = (record["started"], "UTC when the run started")
    header["CREATOR"] = (f"morpheus {record['software']['morpheus']}", "program")
    header["MODEL"] = (model["name"], "model")
    header["MODELSHA"] = model["weights_sha256"]  # no room for a comment
    header["WINDOW"] = (model["window"]["size"], "[pixel] side of a window")
    header["STRIDE"] = (options["stride"], "[pixel] distance between windows")
    header["LATTICE"] = (options["lattice"], "sheared lattice of windows")
    header["EDGES"] = (options["edges"], "what was done at the edges of the image")
    header["PRECIS"] = (record["engine"]["precision"], "arithmetic of the network")
    header["ENGINE"] = (record["engine"]["name"], "evaluated the network")
    for i, entry in enumerate(record["inputs"], start=1):
        header[f"INBAND{i}"] = (f"{entry['band']} {entry['kind']}", f"input {i}")
        if entry["path"] is not None:
            file = Path(entry["path"]).name + (f"[{entry['hdu']}]" if entry["hdu"] else "")
            # FITS headers are ASCII; the report has the exact name.
            header[f"INFILE{i}"] = file.encode("ascii", "backslashreplace").decode()
            header[f"INSHA{i}"] = entry["sha256"]
    return header
