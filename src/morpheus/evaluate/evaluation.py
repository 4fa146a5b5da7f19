"""An evaluation: what was done, and what every detector scored."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from morpheus.evaluate.detections import Detections
from morpheus.evaluate.images import KnownImage
from morpheus.evaluate.sample import Sample

__all__ = ["Evaluation", "Example", "Result"]


@dataclass(frozen=True, eq=False)
class Result:
    """What one detector scored.

    Parameters
    ----------
    description : str
        What it is and how it was run.
    sample : Sample
        What was compared.
    scores : dict
        As `score` gives them.
    seconds : float
        That it took.
    tests : dict, optional
        Its results in the tests of single profiles and of noise, by test.
    """

    description: str
    sample: Sample
    scores: Mapping[str, Any]
    seconds: float
    tests: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Example:
    """An image to look at.

    Parameters
    ----------
    image : KnownImage
        The image.
    detections : mapping of str to Detections
        What each detector found in it.
    """

    image: KnownImage
    detections: Mapping[str, Detections]


@dataclass(frozen=True, eq=False)
class Evaluation:
    """What was done, and what every detector scored.

    Parameters
    ----------
    setup : dict
        `kind` ('simulated', 'labelled' or 'injected'), the images, and how they were compared.
    results : mapping of str to Result
        By name of the detector.
    examples : tuple of Example
        Images to look at.
    """

    setup: Mapping[str, Any]
    results: Mapping[str, Result]
    examples: tuple[Example, ...] = ()

    def record(self) -> dict[str, Any]:
        """Give all numbers.

        Returns
        -------
        dict
            `setup`, and by detector the `description`, `seconds`, `scores` and `tests`.
        """
        return {
            "setup": dict(self.setup),
            "detectors": {
                name: {
                    "description": result.description,
                    "seconds": result.seconds,
                    "scores": dict(result.scores),
                    "tests": dict(result.tests),
                }
                for name, result in self.results.items()
            },
        }
