"""A panel at work: who votes, on which sources, in which order."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from astropy.table import Table
from numpy.typing import NDArray

from morpheus.dataset.layout import SOURCE_CLASSES
from morpheus.errors import OptionError
from morpheus.labelling.answers import ANSWERS
from morpheus.labelling.order import ORDERS, next_source, random_order
from morpheus.labelling.store import VoteStore

__all__ = ["Panel"]

_LONGEST = 100  # letters of a name
_BOX = "x_min", "x_max", "y_min", "y_max"


@dataclass(frozen=True, eq=False)
class Panel:
    """A panel of voters and what it is asked.

    Parameters
    ----------
    store : VoteStore
        Where the votes are kept.
    voters : tuple of str
        Their names.
    sources : astropy.table.Table
        The rows of the catalogue that are voted on.
    order : {"active", "random"}
        First where the model is unsure or in disagreement with the voters, or by chance.
    seed : int
        Of the order by chance.

    Raises
    ------
    OptionError
        If there are no voters or no sources, a name is empty or given twice, or there is no such
        order.
    """

    store: VoteStore
    voters: tuple[str, ...]
    sources: Table
    order: str = "active"
    seed: int = 0

    def __post_init__(self) -> None:
        # A page's query has no space at its ends.
        object.__setattr__(self, "voters", tuple(name.strip() for name in self.voters))
        if not self.voters or not all(_is_name(name) for name in self.voters):
            raise OptionError(f"who votes? Names have 1 to {_LONGEST} letters (--panel)")
        if len(set(self.voters)) < len(self.voters):
            raise OptionError("a voter is named twice (--panel)")
        if not len(self.sources):
            raise OptionError("there are no sources to vote on")
        if self.order not in ORDERS:
            raise OptionError(f"the order is {self.order!r}; it can be {', '.join(ORDERS)}")

    def session(self) -> dict[str, Any]:
        """Tell a page what it is for.

        Returns
        -------
        dict
            `panel`, the names; `answers`; `n_sources`; `order`.
        """
        return {
            "panel": list(self.voters),
            "answers": [vars(answer) for answer in ANSWERS],
            "n_sources": len(self.sources),
            "order": self.order,
        }

    def next(self, voter: str) -> dict[str, Any]:
        """Give the source that a voter is asked next.

        Parameters
        ----------
        voter : str
            Who.

        Returns
        -------
        dict
            `source`, None if there is no other: `id`, `x`, `y` and the box of its pixels, and
            nothing of what others or the model say; `answer`, None; `progress`.

        Raises
        ------
        OptionError
            If nobody of the panel has that name.
        """
        self._check(voter)
        votes = self.store.votes()
        if self.order == "random":
            done = {source for who, source, _ in votes if who == voter}
            order = random_order(self.sources, voter, self.seed)
            chosen = next((source for source in order if source not in done), None)
        else:
            chosen = next_source(list(self._rows), self._probabilities, votes, voter)
        return self._asked(chosen, None, voter, votes)

    def back(self, voter: str) -> dict[str, Any]:
        """Give the source of the panel that a voter voted on last, to correct it.

        Parameters
        ----------
        voter : str
            Who.

        Returns
        -------
        dict
            As `next`, with the voter's own `answer`; without any vote what `next` gives.

        Raises
        ------
        OptionError
            If nobody of the panel has that name.
        """
        self._check(voter)
        votes = self.store.votes()
        for who, source, answer in reversed(votes):
            if who == voter and source in self._rows:
                return self._asked(source, answer, voter, votes)
        return self.next(voter)

    def vote(self, voter: str, source: int, answer: str, token: str) -> None:
        """Keep a vote.

        Parameters
        ----------
        voter : str
            Who.
        source : int
            On which source.
        answer : str
            What.
        token : str
            Of this vote alone.

        Raises
        ------
        OptionError
            If nobody of the panel has that name, or there is no such source or answer.
        ProductError
            If it cannot be written.
        """
        self._check(voter)
        if source not in self._rows:
            raise OptionError(f"the panel is not asked about a source {source}")
        self.store.vote(voter, source, answer, token)

    def _check(self, voter: str) -> None:
        if voter not in self.voters:
            raise OptionError(f"{voter!r} is not of the panel: {', '.join(self.voters)}")

    @cached_property
    def _rows(self) -> dict[int, int]:
        """Rows by the numbers of the sources."""
        return {int(source): row for row, source in enumerate(self.sources["id"])}

    @cached_property
    def _probabilities(self) -> NDArray[np.float64]:
        columns = [np.ma.filled(self.sources[f"p_{name}"], np.nan) for name in SOURCE_CLASSES]
        return np.stack(columns, axis=1).astype(np.float64)

    def _asked(
        self,
        source: int | None,
        answer: str | None,
        voter: str,
        votes: Sequence[tuple[str, int, str]],
    ) -> dict[str, Any]:
        found = None
        if source is not None:
            row = self.sources[self._rows[source]]
            found = {
                "id": int(row["id"]),
                **{name: float(row[name]) for name in ("x", "y")},
                **{name: int(row[name]) for name in _BOX},
            }
        voted = sum(1 for who, one, _ in votes if who == voter and one in self._rows)
        progress = {"voted": voted, "total": len(self._rows)}
        return {"source": found, "answer": answer, "progress": progress}


def _is_name(name: str) -> bool:
    return 0 < len(name.strip()) <= _LONGEST and name.isprintable()
