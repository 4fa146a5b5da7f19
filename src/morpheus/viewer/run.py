"""A run as a page sees it: everything has a path, whether a server gives it or a file holds it."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from astropy.wcs import WCS

from morpheus.classes import BACKGROUND, CLASSES
from morpheus.viewer.pyramid import TILE, Pyramid
from morpheus.viewer.sky import sky_grid
from morpheus.viewer.sources import SourceColumns

__all__ = ["ViewedBand", "ViewedRun"]

_TILE = re.compile(r"tiles/([a-z0-9-]+)/(\d{1,2})/(\d{1,6})_(\d{1,6})\.(png|jpg)", re.ASCII)
_COLUMN = re.compile(r"columns/(\d{1,4})\.(bin|json)", re.ASCII)
_ROWS = re.compile(r"rows/(\d{1,8})\.json", re.ASCII)
_TYPES = {
    "png": "image/png",
    "jpg": "image/jpeg",
    "json": "application/json",
    "bin": "application/octet-stream",
}


@dataclass(frozen=True)
class ViewedBand:
    """A band that is shown.

    Parameters
    ----------
    name : str
        Its name.
    unit : str or None
        Of its pixels.
    level, noise : float
        Of its sky.
    zero_point : float or None
        AB magnitude of one unit.
    tiles : str
        Name of its tile set.
    """

    name: str
    unit: str | None
    level: float
    noise: float
    zero_point: float | None
    tiles: str


@dataclass(frozen=True, eq=False)
class ViewedRun:
    """What a page shows of a run.

    Parameters
    ----------
    title : str
        What the page calls it.
    pyramid : Pyramid
        Its tiles.
    classes : tuple of str
        Names of the classes.
    bands : tuple of ViewedBand
        Those whose images are at hand.
    sources : SourceColumns or None
        Its catalogue.
    wcs : astropy.wcs.WCS or None
        Coordinates of the pixels.
    pixel_scale : float or None
        Arcsec per pixel.
    facts : dict
        What the page says of it: model, date, detection band.
    """

    title: str
    pyramid: Pyramid
    classes: tuple[str, ...]
    bands: tuple[ViewedBand, ...]
    sources: SourceColumns | None
    wcs: WCS | None
    pixel_scale: float | None
    facts: dict[str, Any] = field(default_factory=dict)

    def manifest(self) -> dict[str, Any]:
        """Tell what there is.

        Returns
        -------
        dict
            All that the page needs to know before it asks for tiles.
        """
        shape = self.pyramid.shape
        return {
            "title": self.title,
            "shape": list(shape),
            "tile": TILE,
            "levels": self.pyramid.levels,
            "pixel_scale": self.pixel_scale,
            "sky": None if self.wcs is None else sky_grid(self.wcs, shape),
            "classes": [
                {
                    "name": c.name,
                    "label": c.label,
                    "paper": c.color,
                    "safe": c.safe_color,
                    "source": i != BACKGROUND,
                }
                for i, c in enumerate(CLASSES)
                if c.name in self.classes
            ],
            "sets": {
                one.name: {
                    "kind": one.kind,
                    "planes": list(one.planes),
                    "suffix": one.suffix,
                    "apron": one.apron,
                }
                for one in self.pyramid.sets.values()
            },
            "bands": [vars(band) for band in self.bands],
            "catalog": None if self.sources is None else self.sources.description(),
            "facts": self.facts,
        }

    @cached_property
    def _manifest_json(self) -> bytes:
        return json.dumps(self.manifest()).encode()

    def without_classes(self) -> "ViewedRun":
        """Give what shows nothing that a model or a catalogue says of sources.

        Returns
        -------
        ViewedRun
            The sky, its bands and the outlines.
        """
        kinds = {"picture", "band", "label"}
        sets = [one for one in self.pyramid.sets.values() if one.kind in kinds]
        whole = self.pyramid
        pyramid = Pyramid(whole.folder, whole.shape, sets, whole.signature)
        return replace(self, pyramid=pyramid, classes=(), sources=None)

    def give(self, path: str) -> tuple[bytes, str]:
        """Give what has a path.

        Parameters
        ----------
        path : str
            One of `paths`.

        Returns
        -------
        bytes
            The content.
        str
            Its media type.

        Raises
        ------
        KeyError
            If nothing has that path.
        ImageError, ProductError
            If pixels cannot be read, or halved maps cannot be written.
        """
        kind = _TYPES.get(path.rpartition(".")[2], "")
        if path == "manifest.json":
            return self._manifest_json, kind
        if match := _TILE.fullmatch(path):
            name, level, row, column, suffix = match.groups()
            if self.pyramid.sets[name].suffix != suffix:
                raise KeyError(path)
            return self.pyramid.tile(name, int(level), int(row), int(column)), kind
        if self.sources is not None:
            try:
                if match := _COLUMN.fullmatch(path):
                    return self.sources.column(int(match[1])), kind
                if match := _ROWS.fullmatch(path):
                    return self.sources.rows(int(match[1])), kind
            except IndexError:
                raise KeyError(path) from None
        raise KeyError(path)

    def unprepared(self, path: str) -> str | None:
        """Tell what must be halved before a path can be given.

        Parameters
        ----------
        path : str
            One of `paths`, or any other.

        Returns
        -------
        str or None
            Name of a tile set of which the maps are not halved yet; None if nothing is to be done.
        """
        match = _TILE.fullmatch(path)
        if match is None or match[1] not in self.pyramid.sets:
            return None
        if not 0 < int(match[2]) <= self.pyramid.levels or self.pyramid.is_prepared(match[1]):
            return None
        return match[1]

    def paths(self) -> Iterator[str]:
        """List all that a page can ask for.

        Yields
        ------
        str
            Paths, tiles last.
        """
        yield "manifest.json"
        if self.sources is not None:
            for number, column in enumerate(self.sources.description()["columns"]):
                yield f"columns/{number}.{'json' if column['type'] == 'text' else 'bin'}"
            for part in range(self.sources.n_parts):
                yield f"rows/{part}.json"
        for one in self.pyramid.sets.values():
            for level, row, column in self.pyramid.addresses(one.name):
                yield f"tiles/{one.name}/{level}/{row}_{column}.{one.suffix}"
