"""How well answers to Galaxy Zoo: CANDELS tell what experts say of the same sources.

`python benchmarks/votes.py TABLE` reads a table with both (columns `spheroid`, `disk`, `irregular`,
`point_source` and `unknown`; `gz_smooth`, `gz_feat` and `gz_star`, or those of the published
catalogue) and prints the table in docs/datasets.md, and the shares that fit best.

Columns: sources whose most probable class is that of most experts' votes (any of equals counts);
mean cross-entropy to the votes, in nats, with no share below 0.001; mean absolute difference of a
share. The rule is measured on sources that it was not fitted to: a fifth after the other.
"""

import argparse
from pathlib import Path

import numpy as np
from astropy.table import Table
from numpy.typing import NDArray

from morpheus.dataset.layout import SOURCE_CLASSES, UNKNOWN
from morpheus.dataset.votes import GALAXY_ZOO_SHARES, read_votes

Array = NDArray[np.float64]

MOST_UNKNOWN = 0.5
FOLDS, ITERATIONS = 5, 2000
FLOOR = 1e-3
ANSWERS = tuple(GALAXY_ZOO_SHARES)
OBVIOUS = np.eye(4)[[0, 1, 3]]  # smooth: spheroid, features: disk, star or artifact: point source


def read(path: Path) -> tuple[Array, Array]:
    """Give the shares of the answers and of the experts' votes, of sources that have both."""
    table = Table.read(path)
    table["row"] = np.arange(len(table))
    columns = {"id": "row"}
    experts = read_votes(table, columns)
    experts = experts[(experts[UNKNOWN] <= MOST_UNKNOWN) & np.isfinite(experts["disk"])]
    # The rule is linear and keeps the answers apart: they follow from what it makes of them.
    zoo = read_votes(table, columns, kind="galaxy-zoo")
    _, here, there = np.intersect1d(experts["id"], zoo["id"], return_indices=True)
    votes = np.array([experts[name][here] for name in SOURCE_CLASSES], float).T
    mixed = np.array([zoo[name][there] for name in SOURCE_CLASSES], float).T
    answers = mixed @ np.linalg.pinv(np.array([GALAXY_ZOO_SHARES[name] for name in ANSWERS]))
    return answers, votes


def fit(answers: Array, votes: Array) -> Array:
    """Shares of the classes for each answer that make the votes most probable (EM)."""
    shares = np.full((len(ANSWERS), votes.shape[1]), 1 / votes.shape[1])
    shares += np.arange(shares.size).reshape(shares.shape) / 1000  # equal ones would stay so
    shares /= shares.sum(axis=1, keepdims=True)
    for _ in range(ITERATIONS):
        expected = answers.T @ (votes / np.maximum(answers @ shares, 1e-300))
        shares = shares * expected
        shares /= shares.sum(axis=1, keepdims=True)
    return shares


def held_out(answers: Array, votes: Array) -> Array:
    """Predict each fifth with shares that are fitted to the others."""
    fold, predicted = np.arange(len(votes)) % FOLDS, np.zeros_like(votes)
    for number in range(FOLDS):
        own = fold == number
        predicted[own] = answers[own] @ fit(answers[~own], votes[~own])
    return predicted


def row(name: str, predicted: Array, votes: Array) -> str:
    """Write a row of the table."""
    chosen = votes[np.arange(len(votes)), predicted.argmax(axis=1)]
    agree = (chosen == votes.max(axis=1)).mean()
    entropy = -(votes * np.log(np.maximum(predicted, FLOOR))).sum(axis=1).mean()
    difference = np.abs(predicted - votes).mean()
    return f"| {name} | {100 * agree:.1f}% | {entropy:.2f} | {difference:.3f} |"


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("table", type=Path, metavar="TABLE")
    answers, votes = read(parser.parse_args().table)
    rule = np.array([GALAXY_ZOO_SHARES[name] for name in ANSWERS])
    print(f"{len(votes):,} sources")
    print("| | same class | cross-entropy | difference |\n|---|---|---|---|")
    print(
        row("the same shares for every source", np.tile(votes.mean(axis=0), (len(votes), 1)), votes)
    )
    print(row("smooth: spheroid, features: disk, star: point source", answers @ OBVIOUS, votes))
    print(row("fitted, to other sources", held_out(answers, votes), votes))
    print(row("the rule", answers @ rule, votes))
    print(row("the votes themselves", votes, votes))
    for name, shares in zip(ANSWERS, fit(answers, votes), strict=True):
        print(
            name, *(f"{cls} {share:.3f}" for cls, share in zip(SOURCE_CLASSES, shares, strict=True))
        )


if __name__ == "__main__":
    main()
