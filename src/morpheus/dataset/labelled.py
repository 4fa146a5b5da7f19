"""What a dataset of labelled sources is made from, and how."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from morpheus.dataset.votes import VOTE_KINDS
from morpheus.errors import OptionError

__all__ = ["LabelledOptions", "LabelledSources"]

_SIZES = 16, 1024


@dataclass(frozen=True)
class LabelledSources:
    """Images, a segmentation map on their pixels, and votes for its sources.

    Parameters
    ----------
    images : mapping of str, or sequence
        Images by the name of their band, as `read_mosaic` takes them, or FITS files whose headers
        name their filter.
    segmap : path, HDU, (array, WCS) or array of int, shape (y, x)
        0 for the sky; the number of a source; below 0 where it is not known what there is.
    votes : path or astropy.table.Table
        As `read_votes` takes it. Where it has positions, they say which segment a source is; else
        its identifiers are the segments' numbers.
    columns : mapping of str to str, optional
        Names of its columns.
    vote_kind : {'experts', 'galaxy-zoo'}, optional
        What it holds.
    weights, rms, dq : mapping of str, optional
        Maps by band, as `read_mosaic` takes them.
    known : path, HDU or array of shape (y, x), optional
        0 where it is not known what there is, as where the map was not made.
    check_filters : bool, optional
        Whether to compare the filter that a header names with the band.
    """

    images: Mapping[str, Any] | Sequence[Any]
    segmap: Any
    votes: Any
    columns: Mapping[str, str] = field(default_factory=dict)
    vote_kind: str = "experts"
    weights: Any = None
    rms: Any = None
    dq: Any = None
    known: Any = None
    check_filters: bool = True


@dataclass(frozen=True)
class LabelledOptions:
    """How examples are cut, and which labels count.

    Parameters
    ----------
    size : int, optional
        Side of an example in pixels.
    grow : float, optional
        Sky within so many pixels of a segment is unknown: where a source ends depends on the
        threshold of the program that made the map.
    match_radius : float, optional
        A position that is in no segment belongs to the nearest within so many pixels.
    most_unknown : float, optional
        Sources that more than this share of the experts could not classify are unknown.
    cell : float, optional
        Side of the areas that examples are grouped by, in arcsec.
    pixel_scale : float, optional
        Side of a pixel in arcsec, of images without a WCS.
    zero_points : mapping of str to float, optional
        AB magnitude of one unit of a band; by default what its header says.
    survey : str, optional
        Name of the survey, for the card.
    reference : str, optional
        Whose votes these are, for the card: a paper or a URL.
    """

    size: int = 128
    grow: float = 2.0
    match_radius: float = 3.0
    most_unknown: float = 0.5
    cell: float = 60.0
    pixel_scale: float | None = None
    zero_points: Mapping[str, float] = field(default_factory=dict)
    survey: str = ""
    reference: str = ""

    def check(self, sources: LabelledSources) -> None:
        """Check the values.

        Parameters
        ----------
        sources : LabelledSources
            What the dataset is made from.

        Raises
        ------
        OptionError
            If one is out of range, or does not fit the sources.
        """
        low, high = _SIZES
        if not low <= self.size <= high:
            raise OptionError(f"the size is {self.size}; it must be {low} to {high} pixels")
        ranges = {
            "grow": (self.grow, 0.0, 100.0),
            "match radius": (self.match_radius, 0.0, 1000.0),
            "largest unknown share": (self.most_unknown, 0.0, 1.0),
            "cell": (self.cell, 1.0, 36000.0),
            "pixel scale": (self.pixel_scale or 1.0, 1e-4, 1000.0),
        }
        for name, (value, least, most) in ranges.items():
            if not least <= value <= most:
                raise OptionError(f"the {name} is {value:g}; it must be {least:g} to {most:g}")
        if not all(math.isfinite(value) for value in self.zero_points.values()):
            raise OptionError("a zero point is not finite")
        if sources.vote_kind not in VOTE_KINDS:
            raise OptionError(
                f"votes are {sources.vote_kind!r}; they must be one of {', '.join(VOTE_KINDS)}"
            )
