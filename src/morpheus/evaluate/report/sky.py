"""Pictures of parts of the sky: where to look, and what it looks like there."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from astropy.table import Table
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from numpy.typing import NDArray

from morpheus.classes import BACKGROUND, CLASS_NAMES
from morpheus.evaluate.images import KnownImage
from morpheus.mosaic.filters import wavelength
from morpheus.visual.colors import class_colors
from morpheus.visual.rgb import lupton_rgb, sky_level
from morpheus.visual.scale import bar_length
from morpheus.visual.stamps import outlines
from morpheus.visual.style import NO_DATA

__all__ = [
    "Crop",
    "Sky",
    "best_crop",
    "class_picture",
    "draw_outlines",
    "draw_scale_bar",
    "grey_picture",
    "sky_picture",
]

Picture = NDArray[np.float32]

_CHANNELS = 3
_BLACK, _LINEAR, _WHITE = -1.5, 3.0, 60.0  # of a grey picture, in units of the noise
_STEPS = 12  # places along an axis that are tried for a crop
_BRIGHT = 1.5  # mag above the limit: sources of which something is seen


@dataclass(frozen=True)
class Crop:
    """A part of an image, whole pixels.

    Parameters
    ----------
    x, y : int
        The first pixel.
    width, height : int
        In pixels.
    """

    x: int
    y: int
    width: int
    height: int

    def cut(self, image: NDArray[Any]) -> NDArray[Any]:
        """Give its pixels.

        Parameters
        ----------
        image : ndarray, shape (..., y, x)
            The image.

        Returns
        -------
        ndarray
            A part of it.
        """
        return image[..., self.y : self.y + self.height, self.x : self.x + self.width]

    def inside(self, table: Table, margin: float = 0.0) -> NDArray[np.bool_]:
        """Tell which positions lie in it.

        Parameters
        ----------
        table : astropy.table.Table
            With `x` and `y`.
        margin : float, optional
            Pixels along its edges that do not count.

        Returns
        -------
        ndarray of bool
            For each row.
        """
        x, y = np.asarray(table["x"], float) - self.x, np.asarray(table["y"], float) - self.y
        wide, high = self.width - 0.5 - margin, self.height - 0.5 - margin
        found: NDArray[np.bool_] = (x > margin - 0.5) & (x < wide) & (y > margin - 0.5) & (y < high)
        return found


def best_crop(
    image: KnownImage, mask: NDArray[np.bool_], faintest: float | None, side: int
) -> Crop:
    """Choose the part of an image in which there is most to see.

    Parameters
    ----------
    image : KnownImage
        The image.
    mask : ndarray of bool, shape (y, x)
        True where a detector could not see.
    faintest : float or None
        Magnitude of the faintest sources that count.
    side : int
        Of the part, in pixels; the image's where that is smaller.

    Returns
    -------
    Crop
        With few masked pixels, different classes, and bright sources among others.
    """
    height, width = mask.shape
    wide, high = min(side, width), min(side, height)
    best, most = Crop((width - wide) // 2, (height - high) // 2, wide, high), -np.inf
    sources = image.truth.sources
    mag = np.asarray(sources["mag"], dtype=float)
    limit = np.inf if faintest is None else faintest - _BRIGHT
    votes = np.nan_to_num(np.asarray(sources["votes"], dtype=float))
    kinds = np.where(votes.sum(axis=1) > 0, votes.argmax(axis=1), BACKGROUND)
    for y in np.unique(np.linspace(0, height - high, _STEPS).astype(int)):
        for x in np.unique(np.linspace(0, width - wide, _STEPS).astype(int)):
            crop = Crop(int(x), int(y), wide, high)
            inside = crop.inside(sources, margin=0.06 * side)
            bright = inside & ~(mag > limit)
            worth = np.sqrt(inside.sum()) + 2 * np.sqrt(bright.sum())
            worth += 2 * len(np.unique(kinds[bright])) - 40 * float(crop.cut(mask).mean())
            if worth > most:
                best, most = crop, float(worth)
    return best


@dataclass(frozen=True, eq=False)
class Sky:
    """A picture of an image.

    Parameters
    ----------
    picture : ndarray, shape (y, x, 3)
        Red, green and blue, 0 to 1.
    bands : str
        What it is made of.
    """

    picture: Picture
    bands: str


def sky_picture(image: KnownImage) -> Sky:
    """Draw an image in colour, or in grey where the colours of its bands are not known.

    Parameters
    ----------
    image : KnownImage
        The image.

    Returns
    -------
    Sky
        Its picture.
    """
    order = {band: wavelength(band) or 0.0 for band in image.bands}
    known = sorted((band for band in order if order[band]), key=lambda band: -order[band])
    if len(known) >= _CHANNELS:
        channels = known[0], known[len(known) // 2], known[-1]
        bands = [image.bands[band] for band in channels]
        return Sky(lupton_rgb(bands[0], bands[1], bands[2]), ", ".join(channels))
    return Sky(grey_picture(image.reference), image.reference_band)


def grey_picture(image: NDArray[Any]) -> Picture:
    """Draw an image in grey: dark sources on white, as in a journal.

    Parameters
    ----------
    image : ndarray, shape (y, x)
        The image.

    Returns
    -------
    ndarray, shape (y, x, 3)
        Red, green and blue, 0 to 1.
    """
    sky = sky_level(image)
    level = (image.astype(np.float64) - sky.level) / sky.noise
    low, high = (np.arcsinh(one / _LINEAR) for one in (_BLACK, _WHITE))
    value = 1 - np.clip((np.arcsinh(level / _LINEAR) - low) / (high - low), 0, 1)
    grey = np.where(np.isfinite(value), value, 1 - NO_DATA / 2).astype(np.float32)
    return np.repeat(grey[..., None], _CHANNELS, axis=2)


def class_picture(maps: NDArray[np.float32]) -> Picture:
    """Draw class maps as Hausen & Robertson (2020) do.

    Parameters
    ----------
    maps : ndarray, shape (5, y, x)
        Shares or probabilities; NaN where there are none.

    Returns
    -------
    ndarray, shape (y, x, 3)
        Red, green and blue, 0 to 1.
    """
    return class_colors(dict(zip(CLASS_NAMES, maps, strict=True)), unclassified="grey")


def draw_outlines(axes: Axes, labels: NDArray[Any], color: str, width: float = 0.6) -> None:
    """Draw the edges of segments over a picture.

    Parameters
    ----------
    axes : Axes
        Where the picture is.
    labels : ndarray of int, shape (y, x)
        The segments of its pixels.
    color : str
        Of the lines.
    width : float, optional
        In points.
    """
    lines = outlines(labels, labels != 0)
    axes.add_collection(LineCollection(list(lines), colors=color, linewidths=width), autolim=False)


def draw_scale_bar(axes: Axes, side: int, scale: float | None, color: str) -> None:
    """Draw a bar of a round length.

    Parameters
    ----------
    axes : Axes
        Where the picture is.
    side : int
        Of the picture, in pixels.
    scale : float or None
        Side of a pixel in arcsec; without it there is no bar.
    color : str
        Of bar and text.
    """
    if scale is None:
        return
    length, label = bar_length(0.35 * side * scale)
    start, y = 0.05 * side, 0.05 * side
    axes.plot([start, start + length / scale], [y, y], color=color, linewidth=1.6)
    axes.text(start, y + 0.025 * side, label, color=color, fontsize=8, va="bottom")
