"""The headers of a survey's files: where tiles are on the sky, and their units."""

import warnings
from collections.abc import Sequence
from pathlib import Path

from astropy.io import fits
from astropy.wcs import WCS

from morpheus.errors import MorpheusError, OptionError
from morpheus.mosaic import parse_region
from morpheus.mosaic.files import READ_ERRORS, astropy_chatter_off, choose_hdu, split_hdu
from morpheus.mosaic.grid import celestial_wcs
from morpheus.mosaic.mosaic import Kind
from morpheus.mosaic.read import cut_out
from morpheus.mosaic.units import parse_unit
from morpheus.survey.footprint import Footprint
from morpheus.survey.table import Tile

__all__ = ["footprints_of"]


def footprints_of(path: Path, tiles: Sequence[Tile]) -> dict[str, Footprint]:
    """Read the headers of all files. Whether the pixels can be used, the run of a tile finds out.

    Parameters
    ----------
    path : Path
        The table, for messages.
    tiles : sequence of Tile
        The tiles.

    Returns
    -------
    dict of str to Footprint
        By tile: the grid of the first band that has world coordinates.

    Raises
    ------
    OptionError
        If a header cannot be read, a tile has no world coordinates, its region is not in the image,
        or tiles have different units in a band; says in which row and column.
    """
    found, units = {}, []
    for tile in tiles:
        found[tile.name], of_tile = _look_at(path, tile)
        units.append(of_tile)
    _check_units(path, tiles, units)
    return found


def _look_at(path: Path, tile: Tile) -> tuple[Footprint, dict[str, str | None]]:
    """Give the grid of a tile, and the unit of each band."""
    units: dict[str, str | None] = {}
    grid: tuple[WCS, tuple[int, int]] | None = None
    for kind, band, file in tile.files():
        try:
            wcs, shape, unit = _header(file, kind)  # type: ignore[arg-type]
        except (MorpheusError, *READ_ERRORS) as error:
            text = " ".join(str(error).split())
            raise OptionError(
                f"{path}: {tile.place(kind, band)}: the header of {file} cannot be read ({text})"
            ) from error
        if kind == "image":
            units[band] = unit
            if grid is None and wcs is not None:
                grid = wcs, shape
    if grid is None:
        raise OptionError(
            f"{path}: {tile}: none of its images has a WCS; a survey needs to know where on the sky"
            " a tile is"
        )
    wcs, shape = grid
    if tile.region is not None:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # that it is cut off is said when it is run
                (rows, columns), _, cut = cut_out(parse_region(tile.region), 0, wcs, shape)
        except MorpheusError as error:
            raise OptionError(f"{path}: {tile}, column region: {error}") from error
        wcs, shape = cut, (rows.stop - rows.start, columns.stop - columns.start)
    return Footprint(wcs, shape), units


def _header(file: str, kind: Kind) -> tuple[WCS | None, tuple[int, int], str | None]:
    """Read a header alone: that a file is cut off is the tile's affair."""
    name, key = split_hdu(file)
    with astropy_chatter_off(), fits.open(name) as hdus:
        hdu = hdus[choose_hdu(hdus, key, kind=kind, name=str(name))]
        if len(hdu.shape) != 2:  # noqa: PLR2004 (two axes)
            raise OptionError(f"its shape is {tuple(hdu.shape)}, a band is a 2-D image")
        wcs = celestial_wcs(hdu.header, name=str(name), hdus=hdus)
        unit = parse_unit(str(hdu.header.get("BUNIT", "")).strip())
        return wcs, (int(hdu.shape[0]), int(hdu.shape[1])), None if unit is None else str(unit)


def _check_units(
    table: Path, tiles: Sequence[Tile], units: Sequence[dict[str, str | None]]
) -> None:
    """Make sure that each band has one unit, as its columns in the catalogue have."""
    first: dict[str, tuple[Tile, str | None]] = {}
    for tile, by_band in zip(tiles, units, strict=True):
        for band, unit in by_band.items():
            other, expected = first.setdefault(band, (tile, unit))
            if unit != expected:
                raise OptionError(
                    f"{table}: {tile.place('image', band)}: the unit is {unit or 'not given'}, and"
                    f" {expected or 'not given'} in {other}: a column of the catalogue has one"
                    " unit, so bring the images to one (BUNIT)"
                )
