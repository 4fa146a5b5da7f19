"""How far those who voted agree."""

import itertools
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from astropy.table import Table

from morpheus.labelling.answers import ANSWER_NAMES

__all__ = ["Agreement", "Pair", "agreement", "krippendorff_alpha"]

_TWO = 2  # votes, that can agree


@dataclass(frozen=True)
class Pair:
    """Two voters.

    Parameters
    ----------
    first, second : str
        Who.
    n : int
        Sources that both voted on.
    share : float
        Of these, those with the same answer; NaN if there are none.
    kappa : float
        Cohen's kappa (1960): the agreement beyond what chance would give, 1 if it is complete. NaN
        where chance alone gives complete agreement, or there are no common sources.
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
    alpha : float
        `krippendorff_alpha` of all votes.
    n_votes : dict of str to int
        By voter.
    """

    sources: Table
    pairs: tuple[Pair, ...]
    alpha: float
    n_votes: dict[str, int]


def agreement(votes: Sequence[tuple[str, int, str]]) -> Agreement:
    """Measure how far voters agree.

    Parameters
    ----------
    votes : sequence of (str, int, str)
        Voter, source and answer; one of each voter on each source.

    Returns
    -------
    Agreement
        By source, by pair of voters, and of all.
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
    pairs = tuple(
        _pair(a, b, by_voter[a], by_voter[b]) for a, b in itertools.combinations(voters, 2)
    )
    alpha = krippendorff_alpha(list(by_source.values()))
    return Agreement(table, pairs, alpha, {voter: len(by_voter[voter]) for voter in voters})


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


def _pair(first: str, second: str, one: dict[int, str], other: dict[int, str]) -> Pair:
    common = sorted(one.keys() & other.keys())
    n = len(common)
    if not n:
        return Pair(first, second, 0, float("nan"), float("nan"))
    share = sum(one[s] == other[s] for s in common) / n
    counts = [Counter(votes[s] for s in common) for votes in (one, other)]
    chance = sum(counts[0][name] * counts[1][name] for name in ANSWER_NAMES) / n**2
    kappa = float("nan") if chance == 1 else (share - chance) / (1 - chance)
    return Pair(first, second, n, share, kappa)
