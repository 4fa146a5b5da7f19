"""What a dataset is to hold."""

import math
from dataclasses import dataclass, replace

from morpheus.errors import OptionError
from morpheus.simulate.field import FieldOptions
from morpheus.simulate.population import DENSITY
from morpheus.simulate.surveys import find_survey

__all__ = ["KINDS", "DatasetOptions"]

KINDS = "dataset", "stamps"
"""Random pieces of sky, or pieces with a source at their centres."""

_FIELD = 512  # pixels: examples are cut from fields of about this side
_SIZES = 32, 512
_MOST = 100_000_000
_BRIGHT = 19.0  # magnitude from which there are enough sources to choose from


@dataclass(frozen=True)
class DatasetOptions:
    """What a dataset is to hold.

    Parameters
    ----------
    kind : {'dataset', 'stamps'}, optional
        Random pieces of sky, or pieces with a source at their centres.
    survey : str, optional
        Name of the survey.
    n : int, optional
        Number of examples.
    size : int, optional
        Side of an example in pixels.
    seed : int, optional
        Of the random numbers: the same seed gives the same examples.
    density : float, optional
        Sources per square arcminute with F160W < 26, but for those at the centres of stamps.
    defects : bool, optional
        Whether the images have what is wrong with mosaics, as in a field.
    truth_threshold : float, optional
        A pixel is a source's from this fraction of the noise of a blank pixel on.
    faintest : float, optional
        Of stamps: F160W AB magnitude of the faintest source at a centre.
    balance : bool, optional
        Of stamps: whether the sources at the centres are spheroids, disks, irregulars and point
        sources by turns (class of most votes), instead of as many as there are in the sky.
    shift : float, optional
        Of stamps: the source lies within so many pixels of the centre, along x and along y.
    alone : bool, optional
        Of stamps: whether there is nothing but the sources at the centres: no others, no noise but
        that of their photons, no defects. Such stamps can be added to other images; what
        `density` and `defects` say does not matter then.
    jobs : int, optional
        Processes; they do not change the result.
    """

    kind: str = "dataset"
    survey: str = "candels-deep"
    n: int = 1000
    size: int = 128
    seed: int = 0
    density: float = DENSITY
    defects: bool = True
    truth_threshold: float = 1.0
    faintest: float = 26.0
    balance: bool = False
    shift: float = 0.5
    alone: bool = False
    jobs: int = 1

    def check(self) -> None:
        """Check the values.

        Raises
        ------
        OptionError
            If one is out of range, or the survey is unknown.
        """
        if self.kind not in KINDS:
            raise OptionError(f"the kind is {self.kind!r}; it must be one of {', '.join(KINDS)}")
        if self.alone and self.kind != "stamps":
            raise OptionError("sources alone are stamps: pieces of sky hold what there is")
        low, high = _SIZES
        if not low <= self.size <= high:
            raise OptionError(f"the size is {self.size}; it must be {low} to {high} pixels")
        if not 1 <= self.n <= _MOST:
            raise OptionError(f"n is {self.n}; it must be 1 to {_MOST} examples")
        replace(self.field(self.seed), jobs=self.jobs).check()
        survey = find_survey(self.survey)
        if not _BRIGHT <= self.faintest <= survey.faintest:
            raise OptionError(
                f"the faintest source is of {self.faintest:g} mag; it must be {_BRIGHT:g} to"
                f" {survey.faintest:g} in {survey.name}"
            )
        if not (math.isfinite(self.shift) and 0 <= self.shift < self.size / 2):
            raise OptionError(
                f"the shift is {self.shift:g}; it must be 0 or more, and less than half the size"
            )

    @property
    def pieces(self) -> int:
        """Number of examples along each side of the field that they are cut from."""
        return max(1, round(_FIELD / self.size))

    @property
    def group_size(self) -> int:
        """Number of examples in a field: they are made, and lie in the store, together."""
        return self.pieces**2

    @property
    def n_groups(self) -> int:
        """Number of fields."""
        return -(-self.n // self.group_size)

    def field(self, seed: int) -> FieldOptions:
        """Give the options of a field that examples are cut from.

        Parameters
        ----------
        seed : int
            Of this field.

        Returns
        -------
        FieldOptions
            To be made in one process.
        """
        return FieldOptions(
            survey=self.survey,
            size=self.pieces * self.size,
            seed=seed,
            density=0.0 if self.alone else self.density,
            defects=self.defects and not self.alone,
            truth_threshold=self.truth_threshold,
        )
