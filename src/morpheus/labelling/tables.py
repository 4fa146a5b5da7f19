"""Votes as tables: those that training and evaluation read, and those that others made."""

from collections import defaultdict

import numpy as np
from astropy.table import Column, Table

from morpheus.dataset.layout import SOURCE_CLASSES, UNKNOWN
from morpheus.errors import OptionError
from morpheus.labelling.answers import ANSWER_NAMES, NO_SOURCE
from morpheus.labelling.store import SHARES, VoteStore

__all__ = ["vote_table"]

_DESCRIPTIONS = {
    "id": "number of the source: its label in the segmentation map",
    "ra": "right ascension, ICRS",
    "dec": "declination, ICRS",
    "x": "flux-weighted centroid, first pixel centre at 0",
    "y": "flux-weighted centroid, first pixel centre at 0",
    **{name: f"votes for {name.replace('_', ' ')}" for name in SOURCE_CLASSES},
    UNKNOWN: "votes that the class cannot be told, or that there is no source",
    NO_SOURCE: "of these, votes that there is no source",
    "n_experts": "votes in all",
}
_UNITS = {"ra": "deg", "dec": "deg", "x": "pix", "y": "pix"}


def vote_table(store: VoteStore, *, imported: bool = True) -> Table:
    """Count the votes on each source, as `morpheus.dataset.read_votes` reads them.

    Parameters
    ----------
    store : VoteStore
        The votes.
    imported : bool, optional
        Whether to add what was imported: the share of each answer times the number of those who
        gave one, or once where that is not known.

    Returns
    -------
    astropy.table.Table
        A row for each source with votes: `id`, `ra`, `dec`, `x`, `y`; votes for `SOURCE_CLASSES`;
        `unknown`, those that the class cannot be told or that there is no source, and `no_source`,
        how many of them are of the second kind; `n_experts`, their sum.

    Raises
    ------
    OptionError
        If there are no votes.
    """
    counts: defaultdict[int, defaultdict[str, float]] = defaultdict(lambda: defaultdict(float))
    for _, source, answer in store.votes():
        counts[source][answer] += 1
    if imported:
        for row in store.panels():
            experts = max(int(row["n_experts"]), 1)
            for name in SHARES:
                counts[int(row["source"])][name] += float(row[name]) * experts
    if not counts:
        raise OptionError(f"{store.path} holds no votes yet")
    places = store.sources()
    places = places[np.isin(places["id"], list(counts))]
    table = Table([Column(places[name], name=name) for name in ("id", "ra", "dec", "x", "y")])
    votes = {
        name: np.array([counts[int(source)][name] for source in table["id"]])
        for name in ANSWER_NAMES
    }
    for name in SOURCE_CLASSES:
        table[name] = votes[name]
    table[UNKNOWN] = votes[UNKNOWN] + votes[NO_SOURCE]
    table[NO_SOURCE] = votes[NO_SOURCE]
    total = sum(votes.values())
    table["n_experts"] = np.rint(total).astype(np.int64)
    if not np.isfinite(table["ra"]).all():  # without a WCS
        table.remove_columns(["ra", "dec"])
    for name in table.colnames:
        table[name].description, table[name].unit = _DESCRIPTIONS[name], _UNITS.get(name)
    return table
