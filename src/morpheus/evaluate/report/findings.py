"""What a report is made of: the record as JSON has it, and the samples behind it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from morpheus.evaluate.evaluation import Evaluation, Example
from morpheus.evaluate.report.style import DETECTOR_LOOKS, Look
from morpheus.evaluate.sample import Sample
from morpheus.mosaic.products import to_json

__all__ = ["Findings", "Subject", "dig", "gather"]


def dig(content: Any, *keys: str) -> Any:
    """Follow keys into a record.

    Parameters
    ----------
    content : Any
        Dictionaries of dictionaries.
    *keys : str
        The way.

    Returns
    -------
    Any
        What is there; None if there is nothing.
    """
    for key in keys:
        if not isinstance(content, Mapping):
            return None
        content = content.get(key)
    return content


@dataclass(frozen=True, eq=False)
class Subject:
    """A detector in the report.

    Parameters
    ----------
    name : str
        Its name, which may hold anything.
    number : int
        Its place, from 0.
    data : dict
        Its part of the record; what is not a finite number is None.
    sample : Sample
        What was compared.
    """

    name: str
    number: int
    data: Mapping[str, Any]
    sample: Sample

    @property
    def look(self) -> Look:
        """Colour, marker and line style in figures."""
        return DETECTOR_LOOKS[self.number % len(DETECTOR_LOOKS)]

    def score(self, *keys: str) -> Any:
        """Look up a score.

        Parameters
        ----------
        *keys : str
            Where it is in the record.

        Returns
        -------
        Any
            The score; None if it is not known.
        """
        return dig(self.data, "scores", *keys)

    def test(self, *keys: str) -> Any:
        """Look up the result of a test.

        Parameters
        ----------
        *keys : str
            Where it is in the record.

        Returns
        -------
        Any
            The result; None if the test was not made.
        """
        return dig(self.data, "tests", *keys)


@dataclass(frozen=True, eq=False)
class Findings:
    """Everything that a report tells of.

    Parameters
    ----------
    setup : dict
        What was done.
    subjects : tuple of Subject
        The detectors.
    examples : tuple of Example
        Images to look at.
    """

    setup: Mapping[str, Any]
    subjects: tuple[Subject, ...]
    examples: tuple[Example, ...]

    @property
    def band(self) -> str:
        """Name of the band of the magnitudes."""
        return str(self.setup.get("reference_band") or "magnitude")

    @property
    def faintest(self) -> float | None:
        """Magnitude of the faintest sources that count; None if all do."""
        value = self.setup.get("faintest")
        return float(value) if isinstance(value, int | float) else None

    def having(self, *keys: str) -> tuple[Subject, ...]:
        """Choose the detectors that have a score.

        Parameters
        ----------
        *keys : str
            Where it is in the record.

        Returns
        -------
        tuple of Subject
            Those whose score is known and not empty.
        """
        return tuple(one for one in self.subjects if one.score(*keys) not in (None, [], {}))

    def image_number(self, example: Example, place: int) -> int:
        """Tell which of the images an example is.

        Parameters
        ----------
        example : Example
            The example.
        place : int
            Its place among the examples.

        Returns
        -------
        int
            Number of the image in the tables of the samples.
        """
        titles = self.setup.get("images")
        if isinstance(titles, list) and titles.count(example.image.name) == 1:
            return int(titles.index(example.image.name))
        return place


def gather(evaluation: Evaluation) -> Findings:
    """Collect what a report tells of.

    Parameters
    ----------
    evaluation : Evaluation
        The evaluation.

    Returns
    -------
    Findings
        With all numbers as `evaluation.json` has them.
    """
    record = json.loads(to_json(evaluation.record()))
    subjects = tuple(
        Subject(name, number, record["detectors"][str(name)], result.sample)
        for number, (name, result) in enumerate(evaluation.results.items())
    )
    return Findings(record["setup"], subjects, evaluation.examples)
