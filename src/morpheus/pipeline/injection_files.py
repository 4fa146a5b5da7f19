"""What an injection leaves: a table of the sources, and images with them in."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from astropy.io import fits
from astropy.table import Table

from morpheus.catalog import BandImage
from morpheus.evaluate import SOURCE_CLASSES, KnownImage, Result, SourceOutcome
from morpheus.evaluate.names import plain_names
from morpheus.mosaic.files import FitsFiles, astropy_chatter_off, choose_hdu, split_hdu
from morpheus.mosaic.products import Plane, check_targets, remove, write_hdus, write_planes
from morpheus.provenance import morpheus_version

__all__ = ["TABLE_FILE", "PassFiles", "injected_table", "remove_passes", "write_table"]

TABLE_FILE = "injected.fits"
"""Name of the table of injected sources."""

_PASS = re.compile(r"pass\d+_.+\.fits")
_SCALING = ("BSCALE", "BZERO", "BLANK", "CHECKSUM", "DATASUM", "EXTNAME", "EXTVER")


def injected_table(sources: Table, results: Mapping[str, Result]) -> Table:
    """Tell what became of every source.

    Parameters
    ----------
    sources : astropy.table.Table
        What was injected, with `id` and `pass`.
    results : mapping of str to Result
        By name of the detector.

    Returns
    -------
    astropy.table.Table
        The sources by their numbers, with columns for each detector NAME (in ASCII):
        `outcome_NAME`, `label_NAME` (0 if none; of a blended source, that of the one it is blended
        with), `mag_NAME` (AB magnitude of the flux in the label), and of those that classify
        `p_CLASS_NAME`.
    """
    table = sources.copy()
    table.sort("id")
    row_of = {str(number): row for row, number in enumerate(table["id"])}
    for name, result in zip(plain_names(results), results.values(), strict=True):
        found = result.sample.sources
        rows = [row_of[str(number)] for number in found["id"]]
        outcome = np.full(len(table), str(SourceOutcome.OUTSIDE), dtype="U8")
        label = np.zeros(len(table), dtype=np.int32)
        mag = np.full(len(table), np.nan)
        probabilities = np.full((len(table), len(SOURCE_CLASSES)), np.nan)
        outcome[rows], label[rows] = found["outcome"], found["label"]
        mag[rows], probabilities[rows] = found["mag_label"], found["probabilities"]
        table[f"outcome_{name}"], table[f"label_{name}"] = outcome, label
        table[f"mag_{name}"] = mag
        if result.scores["classes"] is not None:
            for number, one in enumerate(SOURCE_CLASSES):
                table[f"p_{one}_{name}"] = probabilities[:, number]
    return table


def write_table(path: Path, table: Table, *, overwrite: bool = False) -> None:
    """Write the table of injected sources.

    Parameters
    ----------
    path : Path
        FITS file.
    table : astropy.table.Table
        As `injected_table` makes it.
    overwrite : bool, optional
        Whether to replace a file that exists.

    Raises
    ------
    ProductError
        If the file exists and `overwrite` is false, or cannot be written.
    """
    hdu = fits.table_to_hdu(table)
    hdu.name = "INJECTED"
    hdu.header["HISTORY"] = f"Artificial sources, made by Morpheus {morpheus_version()}."
    write_hdus(path, fits.HDUList([fits.PrimaryHDU(), hdu]), overwrite=overwrite)


class PassFiles:
    """Images with sources in them, as files: passN_BAND.fits.

    Parameters
    ----------
    folder : Path
        Where they go.
    images : sequence of BandImage
        The original images, for their headers.
    overwrite : bool, optional
        Whether files that exist may be replaced.
    """

    def __init__(
        self, folder: Path, images: Sequence[BandImage], *, overwrite: bool = False
    ) -> None:
        self._folder, self._images, self._overwrite = folder, images, overwrite

    def paths(self, number: int) -> list[Path]:
        """Name the files of a pass.

        Parameters
        ----------
        number : int
            Of the pass, from 1.

        Returns
        -------
        list of Path
            One for each band.
        """
        return [self._folder / f"pass{number}_{one.band.lower()}.fits" for one in self._images]

    def check(self, passes: int) -> None:
        """Find out whether the files can be written.

        Parameters
        ----------
        passes : int
            How many there will be.

        Raises
        ------
        ProductError
            If one exists and may not be replaced, or the folder cannot be written to.
        """
        paths = [path for number in range(passes) for path in self.paths(number + 1)]
        check_targets(paths, overwrite=self._overwrite)

    def write(self, number: int, image: KnownImage, seed: int, count: int) -> None:
        """Write the images of a pass.

        Parameters
        ----------
        number : int
            Of the pass, from 1.
        image : KnownImage
            With the sources.
        seed : int
            Of their random numbers.
        count : int
            How many there are.
        """
        if number == 1 and self._overwrite:
            remove_passes(self._folder)
        for path, one in zip(self.paths(number), self._images, strict=True):
            header = _header(one)
            header["HISTORY"] = f"{count} artificial sources added: not an observation."
            header["HISTORY"] = f"Made by Morpheus {morpheus_version()}, seed {seed}."
            plane = Plane("SCI", image.bands[one.band], header)
            write_planes(path, [plane], overwrite=self._overwrite)


def remove_passes(folder: Path) -> None:
    """Remove the images of an earlier injection: it may have had more passes.

    Parameters
    ----------
    folder : Path
        Where they are, if it exists.

    Raises
    ------
    ProductError
        If one cannot be removed.
    """
    remove([path for path in folder.glob("pass*.fits") if _PASS.fullmatch(path.name)])


def _header(image: BandImage) -> fits.Header:
    """Header of the original, with the coordinates of what was read of it."""
    record = next(one for one in image.inputs if one.kind == "image")
    header = fits.Header()
    if record.path is not None:
        path, key = split_hdu(f"{record.path}[{record.hdu}]" if record.hdu else record.path)
        with FitsFiles() as files, astropy_chatter_off():
            hdus = files.open(path)
            chosen = hdus[choose_hdu(hdus, key, kind="image", name=str(path))]
            header = chosen.header.copy(strip=True)
            # Some telescopes say in the primary header what holds for all extensions.
            header.extend(hdus[0].header.copy(strip=True), unique=True, update=False)
    if image.wcs is not None:
        if record.path is None:
            header.extend(image.wcs.to_header(relax=True))
        header["CRPIX1"], header["CRPIX2"] = image.wcs.wcs.crpix  # of the region
    if image.unit is not None:
        header["BUNIT"] = image.unit
    for keyword in _SCALING:
        header.remove(keyword, ignore_missing=True, remove_all=True)
    return header
