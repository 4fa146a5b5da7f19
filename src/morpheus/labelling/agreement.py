"""How far those who voted agree."""

import itertools
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from astropy.table import Table
from numpy.typing import NDArray

from morpheus.dataset.layout import UNKNOWN
from morpheus.labelling.answers import ANSWER_NAMES, NO_SOURCE
from morpheus.labelling.store import SHARES

__all__ = ["Agreement", "Pair", "agreement", "krippendorff_alpha"]

_TWO = 2  # votes, that can agree
_TINY = 1e-12  # rounding

_Shares = dict[int, NDArray[np.float64]]
"""Shares of the answers by source."""

_EXACT = dict(zip(ANSWER_NAMES, np.eye(len(ANSWER_NAMES)), strict=True))
_COARSE = dict(zip(SHARES, np.eye(len(SHARES)), strict=True))
_COARSE[NO_SOURCE] = _COARSE[UNKNOWN]


@dataclass(frozen=True)
class Pair:
    """Two voters, or a voter and an imported table.

    With the shares a and b that they give to the answers k of a source, 0 and 1 for a voter,

        ``share = mean(sum_k a_k b_k)``,  ``chance = sum_k mean(a_k) mean(b_k)``,
        ``kappa = (share - chance) / (1 - chance)``

    with means over the sources. For two voters these are the share of the same answers and
    Cohen's kappa (1960).

    Parameters
    ----------
    first, second : str
        Who.
    n : int
        Sources that both have.
    share : float
        How probable it is that an answer of the one is also the other's; NaN if there are no
        common sources.
    kappa : float
        The agreement beyond what chance would give, 1 if it is complete. NaN where chance alone
        gives complete agreement, or there are no common sources.
    """

    first: str
    second: str
    n: int
    share: float
    kappa: float


@dataclass(frozen=True, eq=False)
class Agreement:
    """How far voters agree.

    Parameters
    ----------
    sources : astropy.table.Table
        `id`, `n_votes`, `entropy` of the shares of the answers in nats, and `majority`: the answer
        with the most votes, '' if several have.
    pairs : tuple of Pair
        All pairs of voters.
    with_tables : tuple of Pair
        Each voter, and each imported table.
    alpha : float
        `krippendorff_alpha` of all votes.
    n_votes : dict of str to int
        By voter.
    """

    sources: Table
    pairs: tuple[Pair, ...]
    with_tables: tuple[Pair, ...]
    alpha: float
    n_votes: dict[str, int]


def agreement(votes: Sequence[tuple[str, int, str]], tables: Table | None = None) -> Agreement:
    """Measure how far voters agree, with each other and with what others said.

    Parameters
    ----------
    votes : sequence of (str, int, str)
        Voter, source and answer; one of each voter on each source.
    tables : astropy.table.Table, optional
        What was imported, as `VoteStore.panels` gives it. It has no answer that there is no
        source: a voter's is compared with its `unknown`.

    Returns
    -------
    Agreement
        By source, by pair of voters, of each voter with each table, and of all voters.
    """
    by_source: defaultdict[int, list[str]] = defaultdict(list)
    by_voter: defaultdict[str, dict[int, str]] = defaultdict(dict)
    for voter, source, answer in votes:
        by_source[source].append(answer)
        by_voter[voter][source] = answer
    rows = [
        (source, len(answers), _entropy(answers), _majority(answers))
        for source, answers in sorted(by_source.items())
    ]
    names = ("id", "n_votes", "entropy", "majority")
    table = Table(rows=rows or None, names=names, dtype=("i8", "i8", "f8", "U32"))
    voters = sorted(by_voter)
    exact = {voter: _one_hot(by_voter[voter], _EXACT) for voter in voters}
    coarse = {voter: _one_hot(by_voter[voter], _COARSE) for voter in voters}
    others: defaultdict[str, _Shares] = defaultdict(dict)
    for row in () if tables is None else tables:
        others[str(row["panel"])][int(row["source"])] = np.array([row[name] for name in SHARES])
    return Agreement(
        sources=table,
        pairs=tuple(_pair(a, b, exact[a], exact[b]) for a, b in itertools.combinations(voters, 2)),
        with_tables=tuple(
            _pair(a, b, coarse[a], others[b]) for a, b in itertools.product(voters, sorted(others))
        ),
        alpha=krippendorff_alpha(list(by_source.values())),
        n_votes={voter: len(by_voter[voter]) for voter in voters},
    )


def krippendorff_alpha(answers: Sequence[Sequence[str]]) -> float:
    """Give Krippendorff's alpha for nominal answers, of which any may be missing.

    ``1 - D_o / D_e``: the disagreement that is observed over that which is expected by chance
    (Krippendorff 2011, Computing Krippendorff's Alpha-Reliability). 1 if all agree, 0 if as
    by chance.

    Parameters
    ----------
    answers : sequence of sequence of str
        The answers on each source, in any order.

    Returns
    -------
    float
        Alpha; NaN if no source has two answers, or all answers are the same.
    """
    observed = 0.0
    totals: Counter[str] = Counter()
    for one in answers:
        n = len(one)
        if n < _TWO:
            continue
        counts = Counter(one)
        totals.update(counts)
        observed += (n * n - sum(c * c for c in counts.values())) / (n - 1)
    n = totals.total()
    expected = n * n - sum(c * c for c in totals.values())
    return float("nan") if not expected else 1 - (n - 1) * observed / expected


def _entropy(answers: Sequence[str]) -> float:
    shares = np.array(list(Counter(answers).values())) / len(answers)
    return float(-(shares * np.log(shares)).sum()) + 0.0


def _majority(answers: Sequence[str]) -> str:
    (first, most), *others = Counter(answers).most_common(2)
    return "" if others and others[0][1] == most else first


def _one_hot(answers: Mapping[int, str], shares: Mapping[str, NDArray[np.float64]]) -> _Shares:
    return {source: shares[answer] for source, answer in answers.items()}


def _pair(first: str, second: str, one: _Shares, other: _Shares) -> Pair:
    common = sorted(one.keys() & other.keys())
    if not common:
        return Pair(first, second, 0, float("nan"), float("nan"))
    a, b = (np.array([shares[source] for source in common]) for shares in (one, other))
    share = float((a * b).sum(axis=1).mean())
    chance = float(a.mean(axis=0) @ b.mean(axis=0))
    kappa = float("nan") if chance > 1 - _TINY else (share - chance) / (1 - chance)
    return Pair(first, second, len(common), share, kappa)
