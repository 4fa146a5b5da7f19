"""The result: class maps with their statistics, and the same on disk."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from astropy.wcs import WCS
from numpy.typing import NDArray

from morpheus.errors import OptionError, ProductError
from morpheus.inference.accumulate import Statistics
from morpheus.inference.product import STATISTICS, MapsProduct, window_dtype
from morpheus.mosaic.products import Plane, read_planes, write_planes
from morpheus.mosaic.report import REPORT_FILE, read_report
from morpheus.mosaic.scale import pixel_scale

__all__ = ["PROBABILITIES", "STATISTICS", "ClassMaps", "Classification", "single_votes"]

PROBABILITIES = ("mean", "votes")
"""Those that say how probable a class is."""


class ClassMaps(Mapping[str, NDArray[np.float32]]):
    """One statistic of every class: a mapping from class name to map.

    Parameters
    ----------
    classes : tuple of str
        Names of the classes.
    array : ndarray of float32, shape (class, y, x)
        The maps.
    """

    def __init__(self, classes: tuple[str, ...], array: NDArray[np.float32]) -> None:
        self.classes = classes
        self._array = array

    @property
    def array(self) -> NDArray[np.float32]:
        """The maps, of shape (class, y, x)."""
        return self._array

    def __getitem__(self, name: str) -> NDArray[np.float32]:
        if name not in self.classes:
            raise KeyError(f"{name!r} is no class; the classes are {', '.join(self.classes)}")
        return self._plane(self.classes.index(name))

    def _plane(self, index: int) -> NDArray[np.float32]:
        plane: NDArray[np.float32] = self._array[index]
        return plane

    def __iter__(self) -> Iterator[str]:
        return iter(self.classes)

    def __len__(self) -> int:
        return len(self.classes)

    __eq__ = object.__eq__  # a Mapping would compare arrays, which have no single truth value
    __hash__ = object.__hash__

    def __repr__(self) -> str:
        height, width = self._array.shape[1:]
        return f"<ClassMaps of {', '.join(self.classes)}: {height} x {width} pixels (y, x)>"


class _SingleVotes(ClassMaps):
    """Votes of pixels that were seen once, made of the means when they are asked for.

    1 for the most probable class (of equal ones the first), 0 for the others, NaN where the means
    are.
    """

    @property
    def array(self) -> NDArray[np.float32]:
        """The maps, of shape (class, y, x)."""
        return np.stack([self._plane(index) for index in range(len(self.classes))])

    def _plane(self, index: int) -> NDArray[np.float32]:
        # Row by row of the class axis, so that no second cube is made for one map.
        own = self._array[index]
        first = np.ones(own.shape, bool)
        for other, plane in enumerate(self._array):
            if other != index:
                first &= own > plane if other < index else own >= plane
        return np.where(np.isnan(own), np.float32(np.nan), first.astype(np.float32))


def single_votes(mean: ClassMaps) -> ClassMaps:
    """Give the votes of pixels that were seen once.

    Parameters
    ----------
    mean : ClassMaps
        What the one window says.

    Returns
    -------
    ClassMaps
        1 for the most probable class, 0 for the others, NaN where nothing was classified. They
        are made when they are asked for, and take no memory.
    """
    return _SingleVotes(mean.classes, mean.array)


def _of_single(mean: ClassMaps) -> dict[str, ClassMaps]:
    """Variance and votes of pixels that were seen once; they take next to no memory."""
    plane = np.where(np.isnan(mean.array[0]), np.float32(np.nan), np.float32(0))
    none = np.broadcast_to(plane, mean.array.shape)
    return {
        "variance": ClassMaps(mean.classes, none),
        "votes": single_votes(mean),
    }


@dataclass(frozen=True, eq=False)  # arrays have no single truth value
class Classification:
    """What a model says about every pixel of an image.

    `classification["disk"]` is the mean probability of a class, `classification.variance["disk"]`
    its variance over the windows and `classification.votes["disk"]` the fraction of the windows
    that ranked it first: float32 maps (y, x), without unit, NaN where `n` is 0.

    A dense model sees every pixel once. Then the mean is what it says, the variance is 0, the votes
    are 1 for the most probable class; and there is no `scatter`.

    Parameters
    ----------
    mean, variance, votes : ClassMaps
        Statistics over the windows that saw a pixel.
    n : ndarray of uint32, shape (y, x)
        Number of those windows; 0 where the pixel is masked or was not classified.
    mask : ndarray of bool, shape (y, x)
        True where a pixel was invalid in any band.
    wcs : astropy.wcs.WCS or None
        World coordinates of the maps.
    provenance : dict
        What made it; becomes `report.json`.
    """

    mean: ClassMaps
    variance: ClassMaps
    votes: ClassMaps
    n: NDArray[np.uint32]
    mask: NDArray[np.bool_]
    wcs: WCS | None = None
    provenance: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def from_statistics(
        cls,
        classes: tuple[str, ...],
        statistics: Statistics,
        *,
        mask: NDArray[np.bool_],
        wcs: WCS | None,
        provenance: dict[str, Any],
    ) -> "Classification":
        """Make a classification of what a loop gathered.

        Parameters
        ----------
        classes : tuple of str
            Names of the classes.
        statistics : Statistics
            Their maps.
        mask : ndarray of bool, shape (y, x)
            True where a pixel was invalid in any band.
        wcs : astropy.wcs.WCS or None
            World coordinates of the maps.
        provenance : dict
            What made it.

        Returns
        -------
        Classification
            The maps, with the variance and votes of pixels that were seen once if there are none.
        """
        mean = ClassMaps(classes, statistics.mean)
        if statistics.variance is None or statistics.votes is None:
            more = _of_single(mean)
        else:
            more = {
                "variance": ClassMaps(classes, statistics.variance),
                "votes": ClassMaps(classes, statistics.votes),
            }
        return cls(mean=mean, **more, n=statistics.n, mask=mask, wcs=wcs, provenance=provenance)

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the classes, in order."""
        return self.mean.classes

    @property
    def is_single(self) -> bool:
        """Whether no pixel was seen more than once."""
        return int(self.n.max(initial=0)) <= 1

    @property
    def statistics(self) -> tuple[str, ...]:
        """The statistics that `write` writes: the mean alone if no pixel was seen twice."""
        return self.product.statistics

    @property
    def shape(self) -> tuple[int, int]:
        """Shape of the maps (y, x)."""
        return self.n.shape[0], self.n.shape[1]

    @property
    def pixel_scale(self) -> float | None:
        """Side of a pixel in arcsec; None without a WCS."""
        return pixel_scale(self.wcs)

    def __getitem__(self, name: str) -> NDArray[np.float32]:
        return self.mean[name]

    def maps(self, statistic: str) -> ClassMaps:
        """Give the class maps that say how probable a class is.

        Parameters
        ----------
        statistic : {"mean", "votes"}
            Which of the two.

        Returns
        -------
        ClassMaps
            Values of 0 to 1 that add up to 1 over the classes; NaN where `n` is 0.

        Raises
        ------
        OptionError
            If it is another.
        """
        if statistic not in PROBABILITIES:
            raise OptionError(
                f"{statistic!r} is no statistic of probability; there are"
                f" {' and '.join(PROBABILITIES)}"
            )
        maps: ClassMaps = getattr(self, statistic)
        return maps

    def scatter(self, statistic: str) -> ClassMaps | None:
        """Give the variance over the windows of what `maps` gives.

        Parameters
        ----------
        statistic : {"mean", "votes"}
            Which of the two.

        Returns
        -------
        ClassMaps or None
            For means their variance; for votes, which are 0 or 1 in each window, v (1 - v). None
            if no pixel was seen more than once: one answer says nothing of how answers differ.

        Raises
        ------
        OptionError
            If it is another.
        """
        maps = self.maps(statistic)
        if self.is_single:
            return None
        if statistic == "mean":
            return self.variance
        return ClassMaps(maps.classes, maps.array * (1 - maps.array))

    def __repr__(self) -> str:
        height, width = self.shape
        share = np.count_nonzero(self.n) / max(1, self.n.size)
        return (
            f"<Classification of {height} x {width} pixels (y, x), {share:.1%} classified, into"
            f" {', '.join(self.classes)}>"
        )

    def write(
        self,
        directory: str | Path,
        *,
        overwrite: bool = False,
        compress: bool = False,
        single_file: bool = False,
    ) -> list[Path]:
        """Write the maps as FITS, and what made them as `report.json`.

        Files are `<class>_<statistic>.fits` for the statistics mean, variance and votes, `n.fits`
        and `mask.fits` (1 where masked); or one `classification.fits` with an extension for each.
        Of pixels that were seen once there is only the mean: `read` makes the others of it.
        Every file gets its name when it is complete. The report, which lists the files, is written
        last; if there is one, it is removed first. So where there is a report, all of its files
        are there and belong together. Files of a classification that was written before in
        another form are removed, and so are the segmentation, catalogues and pictures that were
        made in the folder from it.

        Parameters
        ----------
        directory : str or Path
            The folder; it is made if it does not exist.
        overwrite : bool, optional
            Whether files that exist may be replaced.
        compress : bool, optional
            Tile-compress without loss; the suffix is then `.fits.fz`.
        single_file : bool, optional
            One multi-extension file.

        Returns
        -------
        list of Path
            The files written.

        Raises
        ------
        ProductError
            If a file exists and `overwrite` is false, or the folder or a file cannot be written.
        """
        folder = Path(directory)
        with self.product.replaced(
            folder, overwrite=overwrite, compress=compress, single_file=single_file
        ) as paths:
            planes = list(self.planes())
            groups = [planes] if single_file else [[plane] for plane in planes]
            for path, group in zip(paths[:-1], groups, strict=True):
                write_planes(path, group, overwrite=overwrite, compress=compress)
        return paths

    @classmethod
    def read(cls, directory: str | Path) -> "Classification":
        """Read what `write` wrote, in any of its forms.

        Parameters
        ----------
        directory : str or Path
            The folder.

        Returns
        -------
        Classification
            The same maps, bit by bit.

        Raises
        ------
        ProductError
            If the folder holds no complete classification, or a file is damaged.
        """
        folder = Path(directory)
        if not folder.is_dir():
            raise ProductError(f"{folder} is not there; morpheus classify makes such a folder")
        try:
            provenance = read_report(folder)
            classes = tuple(provenance["model"]["classes"])
            products = [folder / Path(name).name for name in provenance["products"]]
            # Reports that do not say it are of classifications with all of them.
            statistics = tuple(provenance.get("statistics", STATISTICS))
        except (KeyError, TypeError) as error:
            raise ProductError(
                f"{folder} holds no complete classification (no {error} in {REPORT_FILE});"
                " morpheus classify makes one"
            ) from error
        planes: dict[str, Plane] = {}
        for path in products:
            planes |= read_planes(path)
        if statistics not in {("mean",), tuple(STATISTICS)}:
            raise ProductError(f"{folder / REPORT_FILE} names the statistics {statistics}")
        names = [f"{c}_{s}" for s in statistics for c in classes] + ["n", "mask"]
        missing = [name for name in names if name.upper() not in planes]
        if missing:
            raise ProductError(f"{folder} holds no complete classification: no {missing[0]}")
        maps = {
            s: ClassMaps(
                classes,
                np.stack([planes[f"{c}_{s}".upper()].data for c in classes]).astype(np.float32),
            )
            for s in statistics
        }
        if statistics == ("mean",):
            maps |= _of_single(maps["mean"])
        header = planes["N"].header
        return cls(
            **maps,
            n=planes["N"].data.astype(np.uint32),
            mask=planes["MASK"].data.astype(bool),
            wcs=WCS(header) if "CTYPE1" in header else None,
            provenance=provenance,
        )

    def planes(self, statistics: Sequence[str] | None = None) -> Iterator[Plane]:
        """Give the maps as images with headers.

        Parameters
        ----------
        statistics : sequence of str, optional
            Which; by default those that `write` writes.

        Yields
        ------
        Plane
            `<CLASS>_<STATISTIC>` for each of them and every class, `N` and `MASK`.
        """
        for name, header in self.product.headers(statistics).items():
            if name == "N":
                yield Plane(name, self.n.astype(window_dtype(int(self.n.max(initial=0)))), header)
            elif name == "MASK":
                yield Plane(name, self.mask.astype(np.uint8), header)
            else:
                maps: ClassMaps = getattr(self, header["STAT"])
                yield Plane(name, maps[header["CLASS"]], header)

    @property
    def product(self) -> MapsProduct:
        """What the files of the maps say and are called."""
        return MapsProduct(self.classes, self.is_single, self.wcs, self.provenance)
