"""A run's folder opened for people who vote on its sources."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from astropy.table import Table

from morpheus.catalog import Catalog
from morpheus.dataset import read_votes
from morpheus.dataset.targets import compact_labels, match_segments
from morpheus.errors import OptionError
from morpheus.labelling import VOTES_FILE, VoteStore
from morpheus.labelling.listed import match_radius
from morpheus.labelling.store import SHARES
from morpheus.pipeline.recorded import find_catalog
from morpheus.segmentation import Segmentation, read_positions

__all__ = ["Chosen", "OpenVotes", "open_votes"]


@dataclass(frozen=True)
class Chosen:
    """Which sources are voted on.

    Parameters
    ----------
    faintest : float, optional
        Largest Kron magnitude in the detection band.
    min_snr : float, optional
        Least signal to noise in the detection band.
    n : int, optional
        At most so many, chosen by chance.
    seed : int
        Of the choice.
    """

    faintest: float | None = None
    min_snr: float | None = None
    n: int | None = None
    seed: int = 0

    def of(self, catalog: Catalog) -> Table:
        """Choose sources.

        Parameters
        ----------
        catalog : Catalog
            Of a field.

        Returns
        -------
        astropy.table.Table
            Rows of it, in its order.

        Raises
        ------
        OptionError
            If a column is not there, or nothing is left.
        """
        table = catalog.table
        band = str(catalog.provenance.get("detection_band", "")).lower()
        keep = np.ones(len(table), bool)
        limits: tuple[tuple[str, float | None, bool], ...] = (
            (f"{band}_mag_kron", self.faintest, True),
            (f"{band}_snr", self.min_snr, False),
        )
        for name, limit, upper in limits:
            if limit is None:
                continue
            if name not in table.colnames:
                raise OptionError(f"the catalogue has no column {name} to choose sources by")
            values = np.asarray(np.ma.masked_array(table[name], dtype=float).filled(np.nan))
            keep &= values <= limit if upper else values >= limit  # what is undefined is not chosen
        if not len(table):
            raise OptionError("the catalogue has no sources to vote on")
        if not keep.any():
            raise OptionError(f"none of the {len(table)} sources is within these limits")
        rows = np.flatnonzero(keep)
        if self.n is not None and self.n < len(rows):
            rows = np.sort(np.random.default_rng(self.seed).choice(rows, self.n, replace=False))
        return table[rows]


@dataclass(frozen=True, eq=False)
class OpenVotes:
    """The sources of a run and the votes on them.

    Parameters
    ----------
    catalog : Catalog
        The sources.
    segmentation : Segmentation
        The map of which they are.
    store : VoteStore
        The votes.
    """

    catalog: Catalog
    segmentation: Segmentation
    store: VoteStore

    def add_votes(self, votes: Any, panel: str, *, kind: str = "experts") -> tuple[int, int]:
        """Import a table of votes that others made.

        Parameters
        ----------
        votes : path or astropy.table.Table
            As `morpheus.dataset.read_votes` takes it, with positions.
        panel : str
            What it is called; a panel of the same name is replaced.
        kind : {'experts', 'galaxy-zoo'}, optional
            What it holds.

        Returns
        -------
        int
            Rows with votes.
        int
            Of these, those that are a source of the field, one to one.

        Raises
        ------
        OptionError
            If the table cannot be read, has no positions, or none of them is a source.
        ProductError
            If the votes cannot be written.
        """
        table = read_votes(votes, kind=kind)
        places = read_positions(table, self.segmentation.wcs, what="votes")
        x, y = (np.asarray(places[axis], np.float64) for axis in "xy")
        compact, numbers = compact_labels(self.segmentation.labels)
        segments, _ = match_segments(x, y, compact, match_radius(self.catalog))
        found = segments > 0
        if not found.any():
            raise OptionError(
                f"none of the {len(table)} rows of the votes is at a source of this field"
            )
        shares = table[found]
        named = 1 - np.asarray(shares["unknown"])
        for name in SHARES[:-1]:  # of those who named a class; of all who answered
            shares[name] = np.nan_to_num(np.asarray(shares[name])) * named
        self.store.add_panel(panel, numbers[segments[found]].tolist(), shares)
        return len(table), int(found.sum())


def open_votes(folder: Path, path: Path | None = None, *, begin: bool = True) -> OpenVotes:
    """Open the votes on the sources of a run, or begin them.

    Parameters
    ----------
    folder : Path
        What `morpheus run` made.
    path : Path, optional
        The file of the votes; by default `votes.sqlite` in the folder.
    begin : bool, optional
        Whether to make the file if it is not there.

    Returns
    -------
    OpenVotes
        Sources and votes.

    Raises
    ------
    OptionError
        If there is no such file, and it is not to be made.
    ProductError
        If the folder holds no catalogue with its segmentation map, or the file holds votes on
        other sources, or cannot be written.
    """
    _, catalog, segmentation = find_catalog(folder)
    digest = catalog.provenance["segmentation"]["labels_sha256"]
    path = path or folder / VOTES_FILE
    if not begin and not path.exists():
        raise OptionError(
            f"there are no votes yet: {path} is not there; morpheus label {folder} --panel NAME"
            " asks for them"
        )
    store = VoteStore.of_field(path, catalog.table, digest)
    return OpenVotes(catalog, segmentation, store)
