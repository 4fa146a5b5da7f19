"""How often even who knew how much a simulated source looks like each class would be wrong.

`python benchmarks/ceiling.py [SURVEY] [--seeds SEED ...]` draws the sources of fields of 1024
pixels and compares the class of most votes of their panels with the most probable one. A panel has
4 to 10 experts, so its majority is partly chance, and no classifier is right more often than this,
on average. Columns: sources; with the most probable class; mean cross-entropy of the votes to their
probabilities; mean entropy of the votes.
"""

import argparse

import numpy as np

from morpheus.simulate.population import DENSITY, draw_population, votes_of
from morpheus.simulate.surveys import find_survey

SIZE, MANY = 1024, 4000
BINS = ((18.0, 24.5), (24.5, 26.0))


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("survey", nargs="?", default="candels-6")
    parser.add_argument("--seeds", type=int, nargs="+", default=list(range(8100, 8110)))
    given = parser.parse_args()
    survey = find_survey(given.survey)
    sources = [
        source
        for seed in given.seeds
        for source in draw_population(survey, SIZE, seed=seed, density=DENSITY)
    ]
    rng = np.random.default_rng(0)
    print("| F160W | n | right | cross-entropy | entropy of the votes |\n|---|---|---|---|---|")
    for low, high in BINS:
        chosen = [source for source in sources if low <= source.mag < high]
        votes = np.array([source.votes for source in chosen])
        probable = np.array(
            [votes_of(rng, np.array(one.tendency), one.mag, MANY) for one in chosen]
        )
        right = votes.argmax(axis=1) == probable.argmax(axis=1)
        known, own = (
            -(votes * np.log(np.maximum(p, 1 / MANY))).sum(axis=1).mean() for p in (probable, votes)
        )
        print(
            f"| {low:g} to {high:g} | {len(chosen)} | {100 * right.mean():.1f}% | {known:.3f} |"
            f" {own:.3f} |"
        )


if __name__ == "__main__":
    main()
