"""Which source is asked next."""

from collections.abc import Mapping, Sequence

import numpy as np
from astropy.table import Table
from numpy.typing import NDArray

from morpheus.dataset.layout import SOURCE_CLASSES

__all__ = ["ORDERS", "active_scores", "next_source", "random_order"]

ORDERS = "active", "random"
"""Ways to choose the next source."""

_WEIGHT = 2.0  # the model counts as so many voters


def active_scores(
    probabilities: NDArray[np.float64], votes: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Tell how much is to be learnt from one more vote on each source.

    The model's probabilities p count as two voters, n_c is the number of votes for a class, and n
    their sum; an answer that names none is shared by all classes. With
    ``q_c = (2 p_c + n_c) / (2 + n)``, ``v = n_c / n`` and entropies in units of their largest
    values, the score is

        ``(H(q) / ln 4  +  JS(p, v) / ln 2) / sqrt(1 + n)``

    so sources come first of which the model is unsure or the voters disagree (the entropy H), or
    that the voters see otherwise than the model (the Jensen-Shannon divergence JS, Lin 1991; 0 as
    long as there are no votes); and those with fewer votes before others.

    Parameters
    ----------
    probabilities : ndarray of float64, shape (source, class)
        Of the model, for `SOURCE_CLASSES`. Where they are undefined (NaN), all classes are equally
        probable.
    votes : ndarray of float64, shape (source, class)
        Numbers of votes; parts where an answer was shared.

    Returns
    -------
    ndarray of float64, shape (source,)
        0 or more.
    """
    n_classes = probabilities.shape[1]
    known = np.isfinite(probabilities).all(axis=1) & (probabilities.sum(axis=1) > 0)
    p = np.where(known[:, None], np.nan_to_num(probabilities), 1.0)
    p = p / p.sum(axis=1, keepdims=True)
    n = votes.sum(axis=1)
    q = (_WEIGHT * p + votes) / (_WEIGHT + n)[:, None]
    shares = np.where(n[:, None] > 0, votes / np.maximum(n, 1e-9)[:, None], p)
    divergence = _entropy((p + shares) / 2) - (_entropy(p) + _entropy(shares)) / 2
    score: NDArray[np.float64] = _entropy(q) / np.log(n_classes) + divergence / np.log(2)
    result: NDArray[np.float64] = np.maximum(score, 0) / np.sqrt(1 + n)
    return result


def next_source(
    sources: Sequence[int],
    probabilities: NDArray[np.float64],
    votes: Sequence[tuple[str, int, str]],
    voter: str,
) -> int | None:
    """Choose what a voter is asked next.

    Parameters
    ----------
    sources : sequence of int
        The sources that are voted on.
    probabilities : ndarray of float64, shape (source, class)
        Of the model.
    votes : sequence of (str, int, str)
        Voter, source and answer of all votes.
    voter : str
        Who is asked.

    Returns
    -------
    int or None
        The source with the highest `active_scores` among those that the voter has not voted on; of
        equal ones the first. None if there are no more.
    """
    rows = {source: row for row, source in enumerate(sources)}
    counts = np.zeros(probabilities.shape)
    done = np.zeros(len(sources), bool)
    classes: Mapping[str, int] = {name: i for i, name in enumerate(SOURCE_CLASSES)}
    for who, source, answer in votes:
        row = rows.get(source)
        if row is None:
            continue
        done[row] |= who == voter
        if answer in classes:
            counts[row, classes[answer]] += 1
        else:
            counts[row] += 1 / len(classes)
    if done.all():
        return None
    scores = np.where(done, -1.0, active_scores(probabilities, counts))
    return int(sources[int(np.argmax(scores))])


def random_order(sources: Table, voter: str, seed: int) -> list[int]:
    """Give the order in which a voter is asked, by chance.

    Parameters
    ----------
    sources : astropy.table.Table
        With the column `id`.
    voter : str
        Who is asked: everybody has an order of their own.
    seed : int
        Another one gives other orders.

    Returns
    -------
    list of int
        All sources.
    """
    rng = np.random.default_rng([seed, *voter.encode()])
    return [int(source) for source in rng.permutation(np.asarray(sources["id"]))]


def _entropy(shares: NDArray[np.float64]) -> NDArray[np.float64]:
    logarithm = np.log(np.where(shares > 0, shares, 1.0))
    result: NDArray[np.float64] = -(shares * logarithm).sum(axis=1)
    return result
