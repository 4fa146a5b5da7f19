"""How class maps become sources, as one validated value."""

from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

import numpy as np

from morpheus.errors import OptionError
from morpheus.inference.classification import PROBABILITIES

__all__ = ["DeblendingOptions", "SegmentationOptions"]

Method: TypeAlias = Literal["probability", "published"]


@dataclass(frozen=True)
class DeblendingOptions:
    """When a peak of flux within a region of source pixels is a source of its own.

    The level at which the region of a peak first meets that of a higher peak is its saddle. All
    of these must hold.

    Parameters
    ----------
    smoothing : float
        Standard deviation in pixels of the Gaussian that the detection image is smoothed with.
    significance : float
        The peak is this many times the noise of the smoothed image above the saddle.
    prominence : float
        The peak is above the saddle by this fraction of its height, 0 to 1: knots and arms of a
        galaxy stand on its light, neighbours have a gap between them.
    clumpiness : float
        What is added to `prominence` where P(irregular) among the classes of source is 1 at the
        saddle, and in proportion where it is less: the clumps of an irregular galaxy are one
        source.
    contrast : float
        Its flux above the saddle, as a fraction of the neighbour's.
    """

    smoothing: float = 0.8
    significance: float = 5.0
    prominence: float = 0.3
    clumpiness: float = 0.5
    contrast: float = 0.003

    def __post_init__(self) -> None:
        _check_range("smoothing", self.smoothing, 0, 100)
        _check_range("significance", self.significance, 0, 1e6)
        _check_range("prominence", self.prominence, 0, 1)
        _check_range("clumpiness", self.clumpiness, 0, 1)
        _check_range("contrast", self.contrast, 0, 1)


@dataclass(frozen=True)
class SegmentationOptions:
    """How pixels become sources.

    Parameters
    ----------
    method : {"probability", "published"}
        Hysteresis on P(source), or the watershed of Hausen & Robertson (2020), section 4.3.
    statistic : {"mean", "votes"} or None
        What the probabilities are; None: the means, for the published method the votes.
    seed, grow : float or None
        Probability method: a source has a pixel where P(source) is at least `seed`, and is all
        that is connected to it where P(source) is more than `grow`. None: those of the model.
    min_area : int or None
        Probability method: smallest number of pixels of a source. None: that of the model.
    background_threshold : float
        Published method: largest P(background) of the pixels that seed sources.
    deblend : bool
        Whether to separate neighbours that touch.
    deblending : DeblendingOptions
        When they are separated.
    unmatched : {"keep", "drop"}
        Guided segmentation: what becomes of the sources that no external position lies in.
    """

    method: Method = "probability"
    statistic: Literal["mean", "votes"] | None = None
    seed: float | None = None
    grow: float | None = None
    min_area: int | None = None
    background_threshold: float = 0.0
    deblend: bool = True
    deblending: DeblendingOptions = field(default_factory=DeblendingOptions)
    unmatched: Literal["keep", "drop"] = "keep"

    def __post_init__(self) -> None:
        _check_choice("method", self.method, ("probability", "published"))
        _check_choice("statistic", self.statistic, (None, *PROBABILITIES))
        _check_choice("unmatched", self.unmatched, ("keep", "drop"))
        _check_range("background_threshold", self.background_threshold, 0, 1)
        if self.background_threshold == 1:
            raise OptionError("background_threshold is 1: everything would be source")


def _check_choice(name: str, value: object, choices: tuple[object, ...]) -> None:
    if value not in choices:
        raise OptionError(
            f"{name} is {value!r}; it is one of {', '.join(str(c) for c in choices if c)}"
        )


def _check_range(name: str, value: Any, lowest: float, highest: float) -> None:
    # Also NumPy's numbers, of which a grid of options may be made.
    number = isinstance(value, (int, float, np.integer, np.floating)) and not isinstance(
        value, bool
    )
    if not number or not lowest <= value <= highest:
        raise OptionError(f"{name} is {value!r}; it is a number from {lowest:g} to {highest:g}")
