"""The truth of a field: of every pixel and of every source."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import astropy.units as u
import numpy as np
from astropy.table import Table
from astropy.wcs import WCS
from numpy.typing import NDArray

from morpheus.classes import BACKGROUND, CLASS_NAMES
from morpheus.simulate.bands import Survey
from morpheus.simulate.render import Stamp, band_fluxes
from morpheus.simulate.sources import Source

__all__ = ["Scene", "TruthMaps", "truth_table"]

_SOURCE_CLASSES = CLASS_NAMES[:BACKGROUND]


@dataclass(frozen=True)
class TruthMaps:
    """The truth of every pixel.

    Parameters
    ----------
    classes : ndarray, shape (5, y, x)
        Shares of the classes, in the order of `CLASS_NAMES`; they add up to 1.
    owner : ndarray, shape (y, x)
        Number of the source with the most light; 0 where no source reaches the threshold.
    """

    classes: NDArray[np.float32]
    owner: NDArray[np.int32]


class Scene:
    """Adds up sources: their light, and whose it is.

    Parameters
    ----------
    n_bands : int
        Number of bands; the first decides on the truth.
    size : int
        Side of the field in pixels.

    Attributes
    ----------
    light : ndarray, shape (band, y, x)
        Noiseless images, in image units.
    sums : list of ndarray
        Flux of every source in the field, by band.
    """

    def __init__(self, n_bands: int, size: int) -> None:
        self.light = np.zeros((n_bands, size, size))
        self.sums: list[NDArray[np.float64]] = []
        self._shares = np.zeros((len(_SOURCE_CLASSES), size, size))
        self._brightest = np.zeros((size, size))
        self._owner = np.zeros((size, size), dtype=np.int32)

    def add(self, source: Source, stamp: Stamp) -> None:
        """Add a source.

        Parameters
        ----------
        source : Source
            The source.
        stamp : Stamp
            Its image.
        """
        size, side = self._owner.shape[0], stamp.data.shape[1]
        here, there = [], []
        for corner in (stamp.y, stamp.x):
            low = min(max(corner, 0), size)
            high = max(low, min(corner + side, size))
            here.append(slice(low, high))
            there.append(slice(max(low - corner, 0), max(high - corner, 0)))
        field, part = tuple(here), stamp.data[:, there[0], there[1]].astype(float)
        self.sums.append(part.sum(axis=(1, 2)))
        self.light[:, field[0], field[1]] += part
        for shares, vote in zip(self._shares, source.votes, strict=True):
            shares[field] += part[0] * vote
        brighter = part[0] > self._brightest[field]
        self._brightest[field][brighter] = part[0][brighter]
        self._owner[field][brighter] = source.id

    def maps(self, limit: NDArray[np.float64] | float) -> TruthMaps:
        """Give the truth of every pixel.

        Parameters
        ----------
        limit : float or ndarray, shape (y, x)
            Flux of the reference band that makes a pixel a source's.

        Returns
        -------
        TruthMaps
            Flux fractions of the sources' votes where one of them reaches the limit; else
            background.
        """
        sky = self._brightest < limit
        classes = np.zeros((len(CLASS_NAMES), *sky.shape))
        total = np.where(sky, 1.0, self._shares.sum(axis=0))
        classes[:BACKGROUND] = np.where(sky, 0.0, self._shares) / total
        classes[BACKGROUND] = sky
        return TruthMaps(classes.astype(np.float32), np.where(sky, 0, self._owner).astype(np.int32))


def truth_table(
    survey: Survey, sources: Sequence[Source], sums: Sequence[NDArray[np.float64]], wcs: WCS
) -> Table:
    """Make the catalogue of what is in a field.

    Parameters
    ----------
    survey : Survey
        The survey.
    sources : sequence of Source
        The sources.
    sums : sequence of ndarray, shape (band,)
        Flux of each source in the field.
    wcs : astropy.wcs.WCS
        Of the field.

    Returns
    -------
    astropy.table.Table
        A row a source. The class is that of most votes; of equals, the first.
    """

    def column(name: str) -> NDArray[Any]:
        return np.array([getattr(source, name) for source in sources])

    table = Table()
    table["id"] = column("id").astype(np.int32)
    table["x"], table["y"] = column("x") * u.pix, column("y") * u.pix
    sky = wcs.pixel_to_world_values(table["x"].value, table["y"].value)
    table["ra"], table["dec"] = sky[0] * u.deg, sky[1] * u.deg
    table["nature"] = column("nature").astype("U8")
    votes = column("votes").reshape(-1, len(_SOURCE_CLASSES))
    table["class"] = np.array(_SOURCE_CLASSES)[votes.argmax(axis=1)]
    for name, share in zip(_SOURCE_CLASSES, votes.T, strict=True):
        table[f"votes_{name}"] = share
    table["n_experts"] = column("n_experts").astype(np.int32)
    table["mag_f160w"] = column("mag") * u.mag
    inside = np.array(sums).reshape(len(sources), len(survey.bands))
    for number, band in enumerate(survey.bands):
        flux = np.array([band_fluxes(source, band).sum() for source in sources])
        name = band.name.lower()
        table[f"mag_{name}"] = (band.zero_point - 2.5 * np.log10(flux)) * u.mag
        table[f"flux_{name}"] = flux
        table[f"flux_sum_{name}"] = inside[:, number]
    table["redshift"] = column("redshift")
    for name in ("bulge_fraction", "sersic_index", "axis_ratio", "irregularity"):
        table[name] = column(name)
    table["r_e"] = column("r_e") * u.arcsec
    # From north through east; x runs to the west.
    table["position_angle"] = (np.degrees(column("angle")) - 90) % 180 * u.deg
    table["temperature"] = column("temperature") * u.K
    return table
